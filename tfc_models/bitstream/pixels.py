"""Whole pictures as planes of samples, which no model codes; see FORMAT.md.

Of small pictures, drawings and noise they take fewer bytes than any model.
"""

import numpy as np

from tfc_models.bitstream import plane
from tfc_models.bitstream.chunks import DEEP_PIXELS
from tfc_models.errors import BitstreamError

# Bits of the byte that says how samples lie in planes.
_DIFFERENCES, _INTERLEAVED = 1, 2
_GREY = (0, plane.MEDIAN), (0, plane.PLAIN), (0, plane.LEFT)
# What an encoder tries. The first two tell which pictures are none for planes.
_COLOURS = ((_DIFFERENCES, plane.MEDIAN), (_DIFFERENCES | _INTERLEAVED, plane.PLAIN),
            (_DIFFERENCES, plane.PLAIN), (_DIFFERENCES, plane.LEFT), *_GREY)
_TELLING = 2
# Estimates of photographs are 1.09 to 1.13 times what is written then. Those of drawings
# are up to 2.2, far below what a model takes.
_HOPELESS = 1.2
# Of larger pictures a part is tried, so many samples in blocks of rows from all of it.
_TRIED_SAMPLES, _BLOCKS = 2**19, 8


def write(image, bits=8, is_deep=False, limit=None):
  """Returns the strings of a picture; None if they can hardly be below a limit.

  Args:
    image: (H, W, 1 or 3) uint8, of more than 8 bits uint16, in 0..2**bits - 1.
    bits: a sample, 8 to 16.
    is_deep: whether readers return uint16.
    limit: of bytes; None for none.
  """
  ways = _GREY if image.shape[-1] == 1 else _COLOURS
  tried, sizes = _some_rows(image), []
  for kind, method in ways:
    sizes.append(image.size / tried.size * sum(
        plane.estimate(part, bits, method) for part in _planes(tried, kind, bits)))
    if limit is not None and len(sizes) == _TELLING and min(sizes) > _HOPELESS * limit:
      return None
  kind, method = ways[int(np.argmin(sizes))]
  return (bytes([kind | (DEEP_PIXELS if is_deep else 0)]), *(
      plane.write(part, bits, method) for part in _planes(image, kind, bits)))


def read(strings, height, width, channels):
  """Returns a picture, (H, W, C) uint8, of more than 8 bits uint16, and its bits.

  Args:
    strings: of `write`.
    height, width, channels: of the picture.

  Raises:
    BitstreamError: if they are damaged, or of another size.
  """
  (how, *parts) = strings or (b"",)
  kind = how[0] if len(how) == 1 else 255
  if kind & ~DEEP_PIXELS not in _kinds(channels, len(parts)):
    raise BitstreamError(
        f"the stream holds pixels of no known kind, {how[:8].hex() or 'none'} in "
        f"{len(parts)} strings of planes")
  if kind & _INTERLEAVED:
    size = height, width * channels
  else:
    size = height * channels // len(parts), width
  found = [plane.read(part, *size) for part in parts]
  depths = {bits for _, bits in found}
  if len(depths) != 1 or min(depths) < 8 or not kind & DEEP_PIXELS and max(depths) > 8:
    text = ", ".join(map(str, sorted(depths)))
    wanted = "8 to 16" if kind & DEEP_PIXELS else "8"
    raise BitstreamError(f"the stream holds pixels of {text} bits, wanted {wanted}")
  (bits,) = depths
  planes = [part for part, _ in found]
  if kind & _INTERLEAVED:
    image = planes[0].reshape(height, width, channels)
  else:
    planes = np.concatenate(planes).reshape(channels, height, width)
    # Differences are to the plane in front, green, which is the second channel.
    order = [1, 0, 2] if kind & _DIFFERENCES else range(channels)
    image = np.stack([planes[number] for number in order], axis=-1)
  return (_turned(image, bits, np.add) if kind & _DIFFERENCES else image), bits


def _some_rows(image):
  """Returns a picture of some rows of one (H, W, C), or of all if there are few."""
  height, rows = len(image), _TRIED_SAMPLES // _BLOCKS // image[0].size
  if image.size <= _TRIED_SAMPLES or not rows:
    return image
  tops = np.linspace(0, height - rows, _BLOCKS).astype(int)
  return np.concatenate([image[top:top + rows] for top in tops])


def _kinds(channels, count):
  """Returns what may be said of so many channels in so many strings."""
  if channels == 1:
    return (0,) if count == 1 else ()
  return {1: (0, 1, 2, 3), 3: (0, 1)}.get(count, ())


def _planes(image, kind, bits):
  """Returns a list of planes, of one or all of them, of an image (H, W, C)."""
  height, _, channels = image.shape
  if kind & _DIFFERENCES:
    image = _turned(image, bits, np.subtract)
  if kind & _INTERLEAVED:
    return [image.reshape(height, -1)]
  if channels == 1:
    return [image[..., 0]]
  order = [1, 0, 2] if kind & _DIFFERENCES else [0, 1, 2]
  planes = [image[..., number] for number in order]
  # A plane of one value takes four bytes if it is on its own.
  if any((part == part[0, 0]).all() for part in planes):
    return planes
  return [np.concatenate(planes)]


def _turned(image, bits, turn):
  """Returns red -+ green, green, blue -+ green, modulo 2**bits; `turn` is of NumPy."""
  result = image.copy()
  turn(image[..., ::2], image[..., 1:2], out=result[..., ::2])
  result &= image.dtype.type(2**bits - 1)
  return result
