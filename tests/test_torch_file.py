"""Checkpoints of torch are read without torch, and hostile ones are refused."""

import struct
import zipfile

import numpy as np
import pytest

from tests import checkpoints
from tests.checkpoints import FOLDER
from tfc_models import torch_file
from tfc_models.errors import UsageError

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


def refused(path, reason):
  with pytest.raises(UsageError, match=reason) as error:
    torch_file.read(path)
  assert str(error.value).startswith(f"{path}: ")
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["new.pth", "old.pth"])
def test_both_formats_of_torch_itself_are_read(name):
  arrays = torch_file.read(FOLDER / name).arrays
  assert sorted(arrays) == ["a", "b", "t"]
  np.testing.assert_array_equal(arrays["a"], ARRAY)
  np.testing.assert_array_equal(arrays["b"], np.arange(4, dtype=np.float16))
  # A view: the transpose of 3x4 without its first row.
  np.testing.assert_array_equal(
      arrays["t"], np.arange(12, dtype=np.int32).reshape(3, 4).T[1:])


def test_what_the_tests_write_is_read_back(tmp_path):
  arrays = {"a": ARRAY, "b": np.arange(4), "c": np.zeros([0], np.int32)}
  checkpoints.write(tmp_path / "x.pth", arrays)
  found = torch_file.read(tmp_path / "x.pth").arrays
  assert found.keys() == arrays.keys()
  for name, array in arrays.items():
    np.testing.assert_array_equal(found[name], array)
    assert found[name].dtype == array.dtype


@pytest.mark.parametrize("name", ["new.pth", "old.pth"])
def test_a_file_cut_anywhere_is_refused(name, tmp_path):
  data = (FOLDER / name).read_bytes()
  path = tmp_path / "cut.pth"
  for length in range(0, len(data), 37):
    path.write_bytes(data[:length])
    refused(path, "not a checkpoint")


@pytest.mark.parametrize("name", ["new.pth", "old.pth"])
def test_a_changed_byte_is_refused_or_changes_numbers(name, tmp_path):
  data = (FOLDER / name).read_bytes()
  path = tmp_path / "changed.pth"
  for position in range(0, len(data), 5):
    path.write_bytes(
        data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1:])
    try:
      torch_file.read(path)
    except UsageError:
      pass


PROGRAMS = {
    "runs a command": (b"\x80\x02cos\nsystem\n(X\x02\0\0\0ls\x85R.", "GLOBAL|os.system"),
    "names it on the stack": (
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", "SHORT_BINUNICODE"),
    "makes an object": (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"),
    "claims memory": (b"\x80\x02}r\xff\xff\xff\x7f.", "too large"),
    "never ends": (b"\x80\x02}", "exhausted"),
    "is no dict": (b"\x80\x02K\x01.", "0 tensors"),
    "has a storage of none": (
        b"\x80\x02(X\x01\0\0\0xctorch\nFloatStorage\nX\x01\0\0\0kNK\x01tQ.", "storage"),
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_pickle_is_refused_that(what, tmp_path):
  program, reason = PROGRAMS[what]
  path = tmp_path / "x.pth"
  checkpoints.write(path, {"a": ARRAY}, change=lambda _: program)
  refused(path, reason)
  path.write_bytes(program)  # Of the old format, which begins so.
  refused(path, "not a checkpoint")


def test_a_zip_bomb_is_refused_before_it_is_inflated(tmp_path):
  path = tmp_path / "bomb.pth"
  checkpoints.write(
      path, {"a": np.zeros(2**24, np.float32)}, compression=zipfile.ZIP_DEFLATED)
  assert path.stat().st_size < 2**17
  refused(path, "compressed")


@pytest.mark.parametrize("claim", [
    {"offset": 1}, {"offset": -1}, {"size": (2, 4)}, {"size": (2**30, 2**30)},
    {"strides": (3, 2)}, {"strides": (-3, 1)}, {"size": (7, 3), "strides": (0, 1)},
    {"size": (2, 3), "strides": (1,)},
])
def test_a_tensor_beyond_its_storage_is_refused(claim, tmp_path):
  path = tmp_path / "x.pth"
  honest = checkpoints.tensor(0, ARRAY)
  checkpoints.write(path, {"a": ARRAY}, change=lambda pickled: pickled.replace(
      honest, checkpoints.tensor(0, ARRAY, **claim)))
  refused(path, "a (is larger than its storage|has an impossible shape)")


def test_a_storage_of_another_length_than_claimed_is_refused(tmp_path):
  path = tmp_path / "x.pth"
  checkpoints.write(path, {"a": ARRAY}, change=lambda pickled: pickled.replace(
      b"J" + struct.pack("<i", 6) + b"tQ", b"J" + struct.pack("<i", 2**29) + b"tQ"))
  refused(path, "a storage of 24 bytes")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(value, tmp_path):
  path = tmp_path / "x.pth"
  checkpoints.write(path, {"a": np.float32([1.0, value])})
  refused(path, "a is not finite")
