"""Weight files of other people: whole, or refused before they are obeyed."""

import io
import json
import os
import zipfile
import zlib

import numpy as np
import pytest

from tfc_models import weight_info
from tfc_models.codecs import LearnedCodec
from tfc_models.errors import UsageError, WrongWeightsError
from tfc_models.modeling import table_check, weights
from tfc_models.pretrained import loader, sharing


def npy(array):
  buffer = io.BytesIO()
  np.save(buffer, array)
  return buffer.getvalue()


def header(text):
  """The beginning of an npy file, which says what is not so."""
  line = text.encode().ljust(117) + b"\n"
  return b"\x93NUMPY\x01\0" + len(line).to_bytes(2, "little") + line


def as_info(content):
  text = content if isinstance(content, bytes) else json.dumps(content).encode()
  return npy(np.frombuffer(text, np.uint8))


def write_info(path, entry):
  with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("info.npy", entry)


GOOD = {"model": "tfcm-base", "arguments": {}, "fingerprint": "deadbeef"}


@pytest.mark.parametrize("entry, reason", [
    (as_info([1]), "its info is a list"),
    (as_info(None), "its info is a NoneType"),
    (as_info({**GOOD, "fingerprint": 1}), "'fingerprint' is no str"),
    (as_info({**GOOD, "fingerprint": "DEADBEEF"}), "not 8 hex digits"),
    (as_info({"fingerprint": "deadbeef"}), "'model' is no str"),
    (as_info({**GOOD, "model": "m" * 300}), "name is too long"),
    (as_info({**GOOD, "arguments": [1]}), "'arguments' is no dict"),
    (as_info({**GOOD, "lmbda": "0.1"}), "'lmbda' is a str"),
    (as_info(b'{"fingerprint": NaN}'), "NaN is no JSON"),
    (as_info(b"[" * 200000), "recursion"),
    (as_info(b"\xff\xfe\xfa"), "damaged"),
    (b"", "damaged"),
    (b"\x80\x04.", "damaged"),
    (header("{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000,)}"),
     "not of the shape"),
    (header("{'descr': '|u1', 'fortran_order': False, 'shape': (-5,)}"),
     "not of the shape"),
    (header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), "no num"),
    (header("{'descr': (((((("), "damaged"),
    (as_info(b" " * 2**21), "more than 1048576"),
], ids=str)
def test_whatever_info_holds_it_is_one_error(tmp_path, entry, reason):
  path = tmp_path / "x.npz"
  write_info(path, entry)
  for read in (weight_info.read_info, weights.load):
    with pytest.raises(UsageError, match=f"x.npz: .*{reason}"):
      read(path)


def flipped(data, position):
  return data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1:]


def test_damage_anywhere_is_one_error(tiny_weights, tmp_path):
  """Rot in entries, their headers and the directory of the archive."""
  with open(tiny_weights, "rb") as file:
    data = file.read()
  path = tmp_path / "x.npz"
  directory = data.rindex(b"PK\x01\x02")
  positions = [*range(0, len(data), len(data) // 150),
               *range(directory, len(data))]
  refused = 0
  for damaged in (data[:-1], data[:len(data) // 2], b"PK", b"", *(
      flipped(data, position) for position in positions)):
    path.write_bytes(damaged)
    try:
      weight_info.read(path)
    except UsageError as error:
      refused += 1
      assert str(error).startswith(f"{path}: ")
  assert refused > 150


def test_sizes_are_bounded_before_anything_is_inflated(tmp_path, monkeypatch):
  monkeypatch.setattr(weight_info, "MAX_BYTES", 1000)
  np.savez_compressed(tmp_path / "x.npz", a=np.zeros(2000))
  monkeypatch.setattr(zlib, "decompressobj", None)
  with pytest.raises(UsageError, match="1 arrays of 16128 bytes, more than"):
    weight_info.read_arrays(tmp_path / "x.npz")


def changed(path, tiny_weights, arguments=None, **arrays):
  """Writes weights with other content and the fingerprint of that."""
  info, stored = weight_info.read(tiny_weights)
  stored = {**stored, **arrays}
  info["arguments"] = {**info["arguments"], **(arguments or {})}
  info["fingerprint"] = weight_info.fingerprint(info, stored)
  text = json.dumps(info).encode()
  np.savez(path, **stored, info=np.frombuffer(text, np.uint8))
  return info


@pytest.mark.parametrize("arguments", [
    {"width": 200000}, {"synthesis_blocks": 20000}, {"iterations": 10**9},
    {"width": [[[[[1]]]]]}, {"width": "x" * 300}, {"width": [1] * 300}],
    ids=str)
def test_arguments_that_no_such_file_has_are_not_obeyed(
    tmp_path, tiny_weights, monkeypatch, arguments):
  changed(tmp_path / "x.npz", tiny_weights, arguments)
  monkeypatch.setattr(weights.registry, "create", None)
  with pytest.raises(UsageError, match="no model has such an argument"):
    weights.load(tmp_path / "x.npz")


@pytest.mark.parametrize("arguments", [
    {"bogus": 1}, {"width": "x"}, {"width": -1}, {"width": None}], ids=str)
def test_arguments_that_a_model_refuses_are_one_error(
    tmp_path, tiny_weights, arguments):
  changed(tmp_path / "x.npz", tiny_weights, arguments)
  with pytest.raises(UsageError, match="damaged weight file .tfcm-base with"):
    weights.load(tmp_path / "x.npz")


def test_arguments_are_not_obeyed_before_the_fingerprint_is_right(
    tmp_path, tiny_weights, monkeypatch):
  info, stored = weight_info.read(tiny_weights)
  info["arguments"]["width"] += 1
  text = json.dumps(info).encode()
  np.savez(tmp_path / "x.npz", **stored, info=np.frombuffer(text, np.uint8))
  monkeypatch.setattr(weights.registry, "create", None)
  with pytest.raises(UsageError, match="fingerprint differs"):
    weights.load(tmp_path / "x.npz")


def test_values_that_are_not_finite_are_refused(tmp_path, tiny_weights):
  _, stored = weight_info.read(tiny_weights)
  name = next(n for n in stored if stored[n].dtype.kind == "f")
  for value in (np.nan, np.inf):
    changed(tmp_path / "x.npz", tiny_weights,
            **{name: np.full_like(stored[name], value)})
    with pytest.raises(UsageError, match="is not finite"):
      weights.load(tmp_path / "x.npz")


ONE = [-16, 0, 60000, 2**16]


@pytest.mark.parametrize("cdf, offsets, reason", [
    (ONE * 2, [0], "2 tables and 1 offsets"),
    (ONE, [0, 0], "1 tables and 2 offsets"),
    (ONE, [2**30], "offsets beyond"),
    (ONE, [-2**31], "offsets beyond"),
    ([-16, 0, 2**16], [0], "least two steps"),
    ([-16, 0, 0, 0, 2**16], [0], "least two steps"),
    ([-16, 0, 5, 4, 2**16], [0], "least two steps"),
    ([-16, 1, 5, 2**16], [0], "least two steps"),
    ([-16, 0, 5, 2**16 + 1], [0], "least two steps"),
    (ONE[:-1], [0], "least two steps"),
    ([*ONE, -16], [0, 0], "least two steps"),
    ([-17, *ONE[1:]], [0], "precision 17"),
    ([-2**31, *ONE[1:]], [0], "precision 2147483648"),
    ([0] * 4, [0], "precision 0"),
])
def test_tables_that_the_coder_would_not_survive_are_refused(
    cdf, offsets, reason):
  arrays = {"z/tables/cdf": np.int32(cdf), "z/tables/cdf_offset": np.int32(
      offsets)}
  with pytest.raises(ValueError, match=f"z/tables/cdf.*{reason}"):
    table_check.check(arrays)
  table_check.check({
      "z/tables/cdf": np.int32([*ONE, 16, 0, 1, 2**16]),
      "z/tables/cdf_offset": np.int32([-940, 0])})


def test_tables_are_checked_when_weights_are_loaded(tmp_path, tiny_weights):
  _, stored = weight_info.read(tiny_weights)
  name = next(n for n in stored if n.endswith(table_check.OFFSET))
  changed(tmp_path / "x.npz", tiny_weights, **{name: stored[name] + 2**30})
  with pytest.raises(UsageError, match="damaged weight file .*offsets beyond"):
    LearnedCodec.from_file(tmp_path / "x.npz")


def test_the_search_goes_on_after_what_is_broken_or_lies(
    tmp_path, tiny_weights, caplog):
  info = weight_info.read_info(tiny_weights)
  wanted = bytes.fromhex(info["fingerprint"])
  write_info(tmp_path / "a.npz", as_info([1]))
  write_info(tmp_path / "b.npz", as_info({**GOOD, "fingerprint": 1}))
  (tmp_path / "c.npz").write_text("hello")
  write_info(tmp_path / "d.npz", as_info(info))  # Claims what it does not hold.
  os.mkfifo(tmp_path / "e.npz")
  with open(tiny_weights, "rb") as file:
    (tmp_path / "f.npz").write_bytes(file.read())
  with caplog.at_level("WARNING"):
    assert loader.find_by_fingerprint(wanted, [str(tmp_path)]) == str(
        tmp_path / "f.npz")
  assert [message.split(": ")[1][-5:] for message in caplog.messages] == [
      "b.npz", "d.npz"]
  (tmp_path / "f.npz").unlink()
  with pytest.raises(WrongWeightsError) as raised:
    loader.find_by_fingerprint(wanted, [str(tmp_path)])
  assert raised.value.argument == "model_path"


def store(path, arrays, seed=0, **more):
  """Writes a small weight file; returns its fingerprint."""
  info = {"model": "m", "arguments": {"seed": seed}, **more}
  info["fingerprint"] = weight_info.fingerprint(info, arrays)
  path.write_bytes(weight_info.pack(info, arrays))
  return info["fingerprint"]


@pytest.fixture
def lean(tmp_path):
  """A folder of three files: b and c leave an array of 2 MiB to a."""
  rng = np.random.default_rng(0)
  transform = rng.normal(size=2**18)
  for seed, name in enumerate("abc"):
    made = tmp_path / f"made_{name}"
    store(made, {"transform": transform, "prior": rng.normal(size=7)}, seed)
    assert sharing.write(
        str(tmp_path), f"{name}.npz", *weight_info.read(made)) == [f"{name}.npz"]
  return tmp_path


def test_files_leave_to_another_what_it_has(lean):
  sizes = {path.name: path.stat().st_size for path in lean.glob("*.npz")}
  assert sizes["a.npz"] > 10**6 > 2000 > max(sizes["b.npz"], sizes["c.npz"])
  for name in "abc":
    info, arrays = weight_info.read(lean / f"{name}.npz")
    made, whole = weight_info.read(lean / f"made_{name}")
    assert info["fingerprint"] == made["fingerprint"]
    assert all(np.array_equal(arrays[key], whole[key]) for key in whole)


def test_files_that_lean_on_a_replaced_one_stay_what_they_were(lean):
  before = {name: weight_info.read(lean / f"{name}.npz") for name in "bc"}
  made = lean / "made_new"
  store(made, {"transform": np.zeros(2**18)})
  assert sharing.write(str(lean), "a.npz", *weight_info.read(made)) == [
      "a.npz", "b.npz", "c.npz"]
  for name, (info, arrays) in before.items():
    found, now = weight_info.read(lean / f"{name}.npz")
    assert found["fingerprint"] == info["fingerprint"]
    assert all(np.array_equal(now[key], arrays[key]) for key in arrays)
  # One of them is whole now, and the other leans on it.
  assert sorted((lean / f"{name}.npz").stat().st_size > 10**6 for name in "bc") == [
      False, True]


def test_no_file_leans_on_one_that_leans(lean):
  _, arrays = weight_info.read(lean / "b.npz")
  store(lean / "d.npz", {**arrays, "prior": np.ones(7)}, seed=9)
  made = lean / "made_new"
  store(made, {"transform": np.zeros(2**18)})
  sharing.write(str(lean), "a.npz", *weight_info.read(made))
  for name in "bcd":
    np.testing.assert_array_equal(
        weight_info.read(lean / f"{name}.npz")[1]["transform"], arrays["transform"])


@pytest.mark.parametrize("beside, reason", [
    (["a.npz"], "names no file and its arrays"),
    ({"file": "a.npz"}, "names no file and its arrays"),
    ({"file": "../a.npz", "arrays": []}, "names no file and its arrays"),
    ({"file": "/a.npz", "arrays": []}, "names no file and its arrays"),
    ({"file": "z.npz", "arrays": []}, "z.npz, which has the rest, is not beside it"),
    ({"file": "a.npz", "arrays": ["nothing"]}, "a.npz lacks nothing"),
    ({"file": "a.npz", "arrays": [["transform"]]}, "damaged"),
    ({"file": "a.npz", "arrays": ["prior"]}, "fingerprint differs"),
])
def test_what_lies_beside_is_read_with_doubt(lean, beside, reason):
  store(lean / "evil.npz", {"x": np.ones(3)}, beside=beside)
  with pytest.raises(UsageError, match=reason):
    weight_info.read(lean / "evil.npz")
