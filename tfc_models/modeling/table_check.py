"""Stored tables of the range coder, checked before it runs on them.

The coder itself does not: with tables that no model has it loops for ever.
"""

import numpy as np

CDF, OFFSET = "/cdf", "/cdf_offset"

# Symbols further away are coded by escapes, not by tables.
_MAX_OFFSET = 2**15
_MAX_PRECISION = 16


def check(arrays):
  """Raises ValueError unless all tables among a model's arrays can be coded with.

  Args:
    arrays: dict from path to array; those of `RangeTables` end in cdf and
      cdf_offset.
  """
  for name, cdf in arrays.items():
    if not f"/{name}".endswith(CDF):
      continue
    offsets = arrays.get(name + OFFSET.removeprefix(CDF))
    if offsets is None:
      raise ValueError(f"{name} has no offsets")
    for array in (cdf, offsets):
      if array.dtype != np.int32 or array.ndim != 1:
        raise ValueError(f"{name} is not of int32 in a row")
    count = _count(name, cdf)
    if count != len(offsets):
      raise ValueError(f"{name} has {count} tables and {len(offsets)} offsets")
    if np.any(np.abs(offsets.astype(np.int64)) > _MAX_OFFSET):
      raise ValueError(f"{name} has offsets beyond {_MAX_OFFSET}")


def _count(name, cdf):
  """Returns how many tables lie one behind the other.

  Each is its precision, negative with an escape code, then rising numbers from 0
  to 2**precision, one more than it has symbols.
  """
  cdf = cdf.astype(np.int64)
  steps = np.diff(cdf)
  count = start = 0
  while start < len(cdf):
    precision = abs(int(cdf[start]))
    if not 1 <= precision <= _MAX_PRECISION:
      raise ValueError(f"{name}: table {count} is of precision {precision}")
    # Where it stops rising; the next table begins with a precision of its own.
    falls = np.flatnonzero(steps[start + 1:] <= 0)
    ends = np.flatnonzero(cdf[start + 1:] >= 2**precision)
    end = start + 1 + int(ends[0]) if len(ends) else len(cdf)
    if (end == len(cdf) or cdf[start + 1] != 0 or cdf[end] != 2**precision
        or len(falls) and start + 1 + falls[0] < end or end - start < 3):
      raise ValueError(
          f"{name}: table {count} does not rise from 0 to {2**precision} in at "
          "least two steps")
    count, start = count + 1, end + 1
  return count
