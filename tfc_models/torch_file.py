"""Checkpoints of torch, read without torch, and with doubt.

A checkpoint is a pickle, which is a program. This one runs on four names, none of
which does anything, and on the operations that such checkpoints consist of; whatever
else it holds is one UsageError, as is whatever a file claims beyond what it has.
"""

import collections
import hashlib
import io
import math
import pickle
import pickletools
import struct
import zipfile
from typing import NamedTuple

import numpy as np

from tfc_models.errors import UsageError

# Of a file, of its pickles, of what they name.
_MAX_BYTES = 2**30
_MAX_PICKLE_BYTES = 2**24
_MAX_TENSORS = 2**12
_MAX_OPERATIONS = 2**20

_DTYPES = {
    "HalfStorage": "<f2", "FloatStorage": "<f4", "DoubleStorage": "<f8",
    "CharStorage": "<i1", "ByteStorage": "<u1", "ShortStorage": "<i2",
    "IntStorage": "<i4", "LongStorage": "<i8", "BoolStorage": "?",
}
# What pickles of protocol 2 are made of, but for objects of classes.
_OPERATIONS = frozenset("""
    APPEND APPENDS BINFLOAT BINGET BININT BININT1 BININT2 BINPERSID BINPUT BINUNICODE
    BUILD EMPTY_DICT EMPTY_LIST EMPTY_SET EMPTY_TUPLE GLOBAL LONG1 LONG4 LONG_BINGET
    LONG_BINPUT MARK NEWFALSE NEWTRUE NONE PROTO REDUCE SETITEM SETITEMS
    SHORT_BINSTRING STOP TUPLE TUPLE1 TUPLE2 TUPLE3""".split())

# The three pickles in front of the content of a file of the old format.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Checkpoint(NamedTuple):
  """What a file holds.

  Attributes:
    arrays: name to array, finite where it is of floats.
    sha256: of the file, hex digits.
  """

  arrays: dict
  sha256: str


class _Tensor(NamedTuple):
  """A tensor before its storage has been read, see `torch._utils`."""

  storage: str
  offset: int
  size: tuple
  strides: tuple


def read(path):
  """Returns the `Checkpoint` of a file of torch, zip archive or older.

  The arrays are those of `state_dict` or `network` in it, or of its top level.

  Raises:
    UsageError: if it cannot be read, is none, or is not what it claims to be.
  """
  try:
    with open(path, "rb") as file:
      data = file.read(_MAX_BYTES + 1)
  except OSError as error:
    raise UsageError(f"{path}: {error.strerror}") from None
  if len(data) > _MAX_BYTES:
    raise UsageError(f"{path}: more than {_MAX_BYTES} bytes")
  try:
    file = io.BytesIO(data)
    tree, storages = (
        _read_archive(file) if zipfile.is_zipfile(file) else _read_old(file))
    arrays = {name: _array(name, tensor, storages)
              for name, tensor in _tensors(tree).items()}
  # Whatever unpickling and inflating make of bytes that are none of theirs.
  except Exception as error:
    reason = str(error) or type(error).__name__
    raise UsageError(
        f"{path}: not a checkpoint of torch that can be read ({reason})") from None
  return Checkpoint(arrays, hashlib.sha256(data).hexdigest())


def _read_archive(file):
  with zipfile.ZipFile(file) as archive:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
      raise ValueError("compressed, which torch's are not")
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
      raise ValueError("no data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    order = f"{root}byteorder"
    if order in entries and archive.read(order) != b"little":
      raise ValueError("not of little-endian numbers")
    tree, kinds = _unpickle(io.BytesIO(archive.read(pickles[0])))
    return tree, {
        key: _numbers(archive.read(f"{root}data/{key}"), *kind)
        for key, kind in kinds.items()}


def _read_old(file):
  file.seek(0)
  magic, protocol = _unpickle(file)[0], _unpickle(file)[0]
  if (magic, protocol) != (_MAGIC, _PROTOCOL):
    raise ValueError("neither a zip archive nor torch's older format")
  _unpickle(file)  # Of the machine: little-endian, or the numbers will be absurd.
  tree, kinds = _unpickle(file)
  storages = {}
  for key in _unpickle(file)[0]:
    dtype, count = kinds[key]
    if struct.unpack("<q", file.read(8)) != (count,):
      raise ValueError(f"storage {key} of another length than its tensors say")
    storages[key] = _numbers(file.read(count * dtype.itemsize), dtype, count)
  return tree, storages


def _unpickle(file):
  """Returns what the next pickle of a file holds, and its storages.

  Returns:
    Numbers, texts, dicts, lists and `_Tensor`; a dict from key to dtype and count.
  """
  start, operations = file.tell(), 0
  for operation, argument, position in pickletools.genops(file):
    operations += 1
    if operation.name not in _OPERATIONS:
      raise ValueError(f"a pickle with {operation.name}")
    if operations > _MAX_OPERATIONS or position - start > _MAX_PICKLE_BYTES or (
        # The numbers of these rise one by one; a large one claims memory.
        operation.name.endswith("BINPUT") and argument > operations):
      raise ValueError("a pickle that is too large")
  end = file.tell()
  file.seek(start)
  reader = _Unpickler(io.BytesIO(file.read(end - start)), encoding="latin1")
  reader.storages = {}
  tree = reader.load()
  return tree, reader.storages


class _Unpickler(pickle.Unpickler):
  """Knows four names."""

  storages = None

  def find_class(self, module, name):
    known = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter}
    if module == "torch" and name in _DTYPES:
      return name
    if (module, name) not in known:
      raise ValueError(f"a pickle that asks for {module}.{name}")
    return known[module, name]

  def persistent_load(self, pid):
    kind, storage, key, _, count, *_ = pid
    if (kind != "storage" or not isinstance(key, str) or not isinstance(count, int)
        or not 0 <= count <= _MAX_BYTES or len(self.storages) > _MAX_TENSORS):
      raise ValueError("a storage that is none")
    return self.storages.setdefault(key, (np.dtype(_DTYPES[storage]), count)) and key


def _rebuild_tensor(storage, offset, size, strides, *_):
  return _Tensor(storage, offset, tuple(size), tuple(strides))


def _rebuild_parameter(tensor, *_):
  return tensor


def _numbers(data, dtype, count):
  if len(data) != count * dtype.itemsize:
    raise ValueError(f"a storage of {len(data)} bytes, not {count} of {dtype}")
  return np.frombuffer(data, dtype)


def _tensors(tree):
  """Returns name to `_Tensor` of the network in what a file holds."""
  for key in ("state_dict", "network"):
    if isinstance(tree, dict) and isinstance(tree.get(key), dict):
      tree = tree[key]
  found = {} if not isinstance(tree, dict) else {
      name: value for name, value in tree.items()
      if isinstance(name, str) and isinstance(value, _Tensor)}
  if not 0 < len(found) <= _MAX_TENSORS:
    raise ValueError(f"{len(found)} tensors")
  return found


def _array(name, tensor, storages):
  """Returns the array of a `_Tensor`; nothing outside its storage is looked at."""
  data = storages[tensor.storage]
  whole = (tensor.offset, *tensor.size, *tensor.strides)
  if not all(isinstance(n, int) and 0 <= n <= _MAX_BYTES for n in whole) or (
      len(tensor.size) != len(tensor.strides)):
    raise ValueError(f"{name} has an impossible shape")
  last = tensor.offset + sum(
      (n - 1) * stride for n, stride in zip(tensor.size, tensor.strides))
  count = math.prod(tensor.size)
  if count > len(data) or (count and last >= len(data)):
    raise ValueError(f"{name} is larger than its storage")
  array = np.lib.stride_tricks.as_strided(
      data[tensor.offset:], tensor.size,
      [stride * data.itemsize for stride in tensor.strides]).copy()
  if array.dtype.kind == "f" and not np.isfinite(array).all():
    raise ValueError(f"{name} is not finite")
  return array
