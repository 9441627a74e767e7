"""Shipped weights that have arrays in common keep them once, in one of the files.

Entropy models that were trained on the transforms of others come without these: what a
file leaves out is in one beside it, which it names (`weight_info.BESIDE_KEY`). What it
holds, and its fingerprint, are the same.
"""

import glob
import os

from tfc_models import weight_info
from tfc_models.fileio import write_atomically


def write(folder, name, info, arrays):
  """Writes a weight file among others, without what one of them has.

  Files that left arrays to the one it replaces find them elsewhere, or hold them.
  Returns the names of all files that are new.

  Args:
    folder: of the shipped weights.
    name: of the file.
    info, arrays: of `weight_info.read`.
  """
  path = os.path.join(folder, name)
  leaning = _leaning(path)
  for other in leaning:
    _write(other, *weight_info.read(other))
  _share(path, info, arrays)
  for other in leaning:
    # Unless one of the others leans on it by now.
    if not _leaning(other):
      _share(other, *weight_info.read(other))
  return [os.path.basename(written) for written in (path, *leaning)]


def _share(path, info, arrays):
  """Writes a file without the arrays of the first of those that have most of them."""
  shared, beside = {}, None
  for other in _others(path):
    if not _beside(other):
      found = _common(arrays, weight_info.read_arrays(other))
      if _size(found) > _size(shared):
        shared = found
        beside = {"file": os.path.basename(other), "arrays": sorted(found)}
  own = {name: array for name, array in arrays.items() if name not in shared}
  _write(path, info, own, beside)


def _leaning(path):
  """Returns the paths of the files that leave arrays to one."""
  name = os.path.basename(path)
  return [other for other in _others(path) if _beside(other).get("file") == name]


def _others(path):
  everywhere = glob.glob(os.path.join(os.path.dirname(path), "*.npz"))
  return sorted(set(everywhere) - {path})


def _write(path, info, arrays, beside=None):
  info = {**info, weight_info.BESIDE_KEY: beside}
  if beside is None:
    del info[weight_info.BESIDE_KEY]
  write_atomically(path, weight_info.pack(info, arrays), overwrite=True)


def _beside(path):
  return weight_info.read_info(path).get(weight_info.BESIDE_KEY, {})


def _common(arrays, others):
  """Returns those arrays that others hold, bit for bit, under the same names."""
  return {
      name: array for name, array in arrays.items() if name in others
      and (array.dtype, array.shape) == (others[name].dtype, others[name].shape)
      and array.tobytes() == others[name].tobytes()}


def _size(arrays):
  """Returns whole MiB: what is less is not worth a second file to read."""
  return sum(array.nbytes for array in arrays.values()) // 2**20
