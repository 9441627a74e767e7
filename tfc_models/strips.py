"""Large arrays a few rows at a time."""

# Samples that are computed with at a time, in wider types than they are kept in.
_SAMPLES = 2**20


def strips(array, multiple=1):
  """Yields slices of the rows of an array, of a few samples each.

  Args:
    array: (H, ...).
    multiple: of which all slices have so many rows, but for the last one.
  """
  rows = max(multiple, _SAMPLES // max(1, array[:1].size) // multiple * multiple)
  for top in range(0, len(array), rows):
    yield slice(top, min(top + rows, len(array)))
