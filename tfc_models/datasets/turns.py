"""EXIF orientations: which there is, and what makes pixels upright."""

import numpy as np

from tfc_models.datasets import exif

# Of each orientation: whether rows and columns change places, then in which
# directions they are read.
_TURNS = {
    2: (False, 1, -1), 3: (False, -1, -1), 4: (False, -1, 1), 5: (True, 1, 1),
    6: (True, 1, -1), 7: (True, -1, -1), 8: (True, -1, 1)}


def orientation(image):
  """Returns the orientation that a loaded PIL image lies in, 1..8.

  1 also if nobody can read it. Pillow turns TIFF files itself and forgets it.
  """
  try:
    found = image.getexif().get(exif.ORIENTATION)
  except MemoryError:
    raise
  except Exception:  # Whatever Pillow raises of EXIF.
    return 1
  return found if found in _TURNS else 1


def stored_orientation(image):
  """Returns in which orientation other readers find the pixels of an opened image.

  Args:
    image: PIL image, not yet loaded, so that of TIFF files it knows.
  """
  found = image.tag_v2.get(exif.ORIENTATION) if image.format == "TIFF" else None
  return orientation(image) if found is None else found


def upright(array, orientation):
  """Returns an array (H, W, C) as an orientation wants it shown."""
  if orientation not in _TURNS:
    return array
  swaps, rows, columns = _TURNS[orientation]
  turned = array.swapaxes(0, 1) if swaps else array
  return np.ascontiguousarray(turned[::rows, ::columns])
