"""Weight files and other npz archives, read without TensorFlow and with doubt.

They come from other people: what a file claims is bounded before it is obeyed, and
whatever is wrong with it is one UsageError.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import re
import zipfile

import numpy as np

from tfc_models.errors import UsageError

# Entry of the npz archive that holds JSON as bytes.
INFO_KEY = "info"
# Of the JSON: the name of a file in the same folder, and the arrays that are there.
BESIDE_KEY = "beside"

# Of a file's content once inflated, of its entries, and of the JSON.
MAX_BYTES = 2**30
_MAX_ENTRIES = 2**14
_MAX_INFO_BYTES = 2**20
# Of whole numbers among a model's arguments, where the file's arrays are small.
_LEAST_BOUND = 256
_MAX_TEXT = 256

_SUFFIX = ".npy"
_FINGERPRINT = re.compile("[0-9a-f]{8}")
_FILE = re.compile(r"\w[\w.-]*\.npz")


class NotWeightsError(UsageError):
  """A file holds something else, and does not claim to be of weights."""


def read_info(path):
  """Returns the info dict of a weight file: model, arguments, fingerprint ...

  It is what the file claims; `read` compares it with what the file holds.

  Raises:
    UsageError: if there is no readable weight file.
  """
  with _errors(path), zipfile.ZipFile(path) as archive:
    return _info(archive)


def read(path):
  """Returns info and arrays of a weight file, checked against damage.

  The fingerprint is that of the arrays, all values are finite, and no argument is
  far from what such arrays are of. Arrays that lie in a file beside it are there.

  Raises:
    UsageError: if there is no readable weight file, or something is wrong.
  """
  with _errors(path), zipfile.ZipFile(path) as archive:
    info = _info(archive)
    arrays = {**_arrays(archive), **_arrays_beside(path, info)}
    if fingerprint(info, arrays) != info["fingerprint"]:
      raise ValueError("fingerprint differs")
    for name, array in arrays.items():
      if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite")
    _check_arguments(info["arguments"], max(
        [_LEAST_BOUND, len(arrays)] + [n for a in arrays.values() for n in a.shape]))
  return info, arrays


def read_arrays(path):
  """Returns a dict from name to array of any npz archive of numbers.

  Raises:
    UsageError: if it is damaged or missing.
  """
  with _errors(path, "npz file"), zipfile.ZipFile(path) as archive:
    return _arrays(archive)


def fingerprint(info, arrays):
  """Returns 8 hex digits that identify model, arguments and stored values."""
  digest = hashlib.sha256()
  digest.update(json.dumps(
      [info["model"], info["arguments"]], sort_keys=True).encode())
  for name, array in sorted(arrays.items()):
    digest.update(f"{name}{array.shape}{array.dtype.str}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
  return digest.hexdigest()[:8]


def pack(info, arrays):
  """Returns the bytes of a weight file."""
  text = json.dumps(info, sort_keys=True).encode()
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays, **{INFO_KEY: np.frombuffer(text, np.uint8)})
  return buffer.getvalue()


@contextlib.contextmanager
def _errors(path, what="weight file"):
  """Turns whatever reading a file raises into UsageError."""
  try:
    yield
  except _NotWeights as error:
    raise NotWeightsError(f"{path}: not a {what} ({error})") from None
  # Errors of the file system; those of bz2 and others have no number.
  except OSError as error:
    raise UsageError(
        f"{path}: {error.strerror or f'damaged {what} ({error})'}") from None
  except Exception as error:
    if isinstance(error, zipfile.BadZipFile) and not zipfile.is_zipfile(path):
      raise NotWeightsError(f"{path}: not a {what} ({error})") from None
    reason = str(error) or type(error).__name__
    raise UsageError(f"{path}: damaged {what} ({reason})") from None


class _NotWeights(Exception):
  """Some other archive."""


def _info(archive):
  """Returns the info dict of an archive, with the right types."""
  if INFO_KEY + _SUFFIX not in archive.namelist():
    raise _NotWeights(f"no entry {INFO_KEY!r}")
  text = _array(archive, archive.getinfo(INFO_KEY + _SUFFIX), _MAX_INFO_BYTES)
  info = json.loads(text.tobytes(), parse_constant=_refuse_constant)
  if not isinstance(info, dict):
    raise _NotWeights(f"its info is a {type(info).__name__}")
  for key, kind in (("model", str), ("arguments", dict), ("fingerprint", str)):
    if not isinstance(info.get(key), kind):
      raise ValueError(f"info {key!r} is no {kind.__name__}")
  if not 0 < len(info["model"]) < _MAX_TEXT:
    raise ValueError("the model's name is too long")
  if not _FINGERPRINT.fullmatch(info["fingerprint"]):
    raise ValueError("the fingerprint is not 8 hex digits")
  for key, kinds in (("lmbda", (int, float)), ("steps", int), ("iterations", int),
                     ("parameters", int), ("distortion", str)):
    if key in info and not isinstance(info[key], kinds):
      raise ValueError(f"info {key!r} is a {type(info[key]).__name__}")
  return info


def _arrays_beside(path, info):
  """Returns a dict of the arrays that a file leaves to one in its folder."""
  beside = info.get(BESIDE_KEY)
  if beside is None:
    return {}
  if not isinstance(beside, dict) or not (
      isinstance(beside.get("file"), str) and _FILE.fullmatch(beside["file"])
      and isinstance(beside.get("arrays"), list)):
    raise ValueError(f"info {BESIDE_KEY!r} names no file and its arrays")
  other = os.path.join(os.path.dirname(path), beside["file"])
  if not os.path.isfile(other):
    raise ValueError(f"{beside['file']}, which has the rest, is not beside it")
  arrays = read_arrays(other)
  lacking = [name for name in beside["arrays"] if name not in arrays]
  if lacking:
    raise ValueError(f"{beside['file']} lacks {str(lacking[0])[:_MAX_TEXT]}")
  return {name: arrays[name] for name in beside["arrays"]}


def _refuse_constant(name):
  raise ValueError(f"{name} is no JSON")


def _arrays(archive):
  """Returns a dict from name to array, of all entries but the info."""
  entries = [entry for entry in archive.infolist()
             if entry.filename != INFO_KEY + _SUFFIX]
  total = sum(entry.file_size for entry in entries)
  if total > MAX_BYTES or len(entries) > _MAX_ENTRIES:
    raise ValueError(f"{len(entries)} arrays of {total} bytes, more than "
                     f"{_MAX_ENTRIES} of {MAX_BYTES}")
  return {entry.filename.removesuffix(_SUFFIX): _array(archive, entry, MAX_BYTES)
          for entry in entries}


def _array(archive, entry, limit):
  """Returns the array of numbers that an entry of at most `limit` bytes holds."""
  if entry.file_size > limit:
    raise ValueError(
        f"{entry.filename} of {entry.file_size} bytes, more than {limit}")
  # No more than the size just checked is inflated.
  stream = io.BytesIO(archive.read(entry))
  version = np.lib.format.read_magic(stream)
  read_header = {
      (1, 0): np.lib.format.read_array_header_1_0,
      (2, 0): np.lib.format.read_array_header_2_0}.get(version)
  if read_header is None:
    raise ValueError(f"{entry.filename} is of format {version}")
  shape, by_columns, dtype = read_header(stream)
  if dtype.kind not in "biuf" or dtype.itemsize > 8:
    raise ValueError(f"{entry.filename} holds {dtype}, no numbers")
  content = stream.getbuffer()[stream.tell():]
  if any(n < 0 for n in shape) or (
      math.prod(shape) * dtype.itemsize != len(content)):
    raise ValueError(f"{entry.filename} is not of the shape {shape}")
  return np.frombuffer(content, dtype).reshape(
      shape, order="F" if by_columns else "C")


def _check_arguments(value, bound, depth=4):
  """Raises ValueError for arguments that no model of such arrays has.

  A model is built from them before its arrays are compared with the file's.
  """
  if isinstance(value, dict) and depth:
    for key, item in value.items():
      _check_arguments(key, bound)
      _check_arguments(item, bound, depth - 1)
  elif isinstance(value, list) and depth and len(value) <= _LEAST_BOUND:
    for item in value:
      _check_arguments(item, bound, depth - 1)
  elif isinstance(value, str) and len(value) > _MAX_TEXT or (
      isinstance(value, (dict, list))) or (
          isinstance(value, int) and abs(value) > bound) or (
              isinstance(value, float) and not math.isfinite(value)):
    raise ValueError(f"no model has such an argument: {str(value)[:40]}")
