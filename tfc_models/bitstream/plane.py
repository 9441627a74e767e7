"""Lossless planes of samples: transparency, and pictures of more than 8 bits.

A filter turns a plane into what its neighbours do not say, LZMA codes that. Not
imported by the container, which does without NumPy.

Source: the prediction of LOCO-I (ISO/IEC 14495-1, A.4.1), the filters of PNG (9.2).
"""

import lzma

import numpy as np

from tfc_models.errors import BitstreamError
from tfc_models.strips import strips

MAX_BITS = 16
CONSTANT, PLAIN, LEFT, MEDIAN = range(4)
FILTERS = (PLAIN, LEFT, MEDIAN)
_HEAD = 2  # Bytes: bits a sample, method.
# Decoders take memory by the dictionary, so that it is the format's and not the file's.
# The rest is the encoder's choice; streams of LZMA2 say it.
_CODER = {"id": lzma.FILTER_LZMA2, "dict_size": 2**22, "lc": 4, "lp": 0, "pb": 0}
# Presets that try filters, that code small planes, and that code large ones: of masks
# the second takes 7 to 20 % fewer bytes than the third, and 1.5 s a million samples.
_TRYING, _SMALL, _LARGE = 1, 9 | lzma.PRESET_EXTREME, 6
_SMALL_SAMPLES = 2**21
# Few samples tell less about those that follow each other; both ways are tried.
_FEW_SAMPLES, _FEW_CONTEXTS = 2**16, 0


def write(plane, bits=8, method=None):
  """Returns the bytes of a plane.

  Args:
    plane: integer array (H, W) of values in 0..2**bits - 1.
    bits: a sample, 1..16.
    method: one of `FILTERS`; None for the one that takes the fewest bytes.
  """
  plane = np.asarray(plane)
  if _is_constant(plane):
    return bytes([bits, CONSTANT]) + int(plane[0, 0]).to_bytes(2, "little")
  if method is None:
    method = min(FILTERS, key=lambda method: estimate(plane, bits, method))
  data = _filtered(plane, method, bits)
  preset = _SMALL if plane.size <= _SMALL_SAMPLES else _LARGE
  packed = _packed(data, preset)
  if plane.size <= _FEW_SAMPLES:
    packed = min(packed, _packed(data, preset, _FEW_CONTEXTS), key=len)
  return bytes([bits, method]) + packed


def estimate(plane, bits, method):
  """Returns about how many bytes, and seldom fewer than, `write` takes, sooner."""
  if _is_constant(plane):
    return _HEAD + 2
  return _HEAD + len(_packed(_filtered(plane, method, bits), _TRYING))


def read(data, height, width):
  """Returns a plane, (H, W) uint8, of more than 8 bits uint16, and its bits a sample.

  Args:
    data: bytes of `write`; no more is unpacked than the size asks for.
    height, width: of the plane.

  Raises:
    BitstreamError: if it is damaged, or of another size.
  """
  if len(data) < _HEAD or not 0 < data[0] <= MAX_BITS or data[1] > MEDIAN:
    raise BitstreamError("a plane of samples is of no known kind")
  bits, method = data[0], data[1]
  if method == CONSTANT:
    value = int.from_bytes(data[_HEAD:], "little")
    if len(data) != _HEAD + 2 or value >> bits:
      raise BitstreamError("a plane of one value does not say which")
    return np.full((height, width), value, _type(bits)), bits
  count = height * width
  size = count * (2 if bits > 8 else 1)
  packed = np.frombuffer(_unpacked(data[_HEAD:], size), np.uint8)
  values = packed
  if bits > 8:  # All high bytes come first.
    values = packed[:count].astype(np.uint16)
    values <<= 8
    values |= packed[count:]
  del packed
  if values.max() >> bits:
    raise BitstreamError(f"a plane of {bits} bits holds larger values")
  return _restored(values.reshape(height, width), method, bits), bits


def _is_constant(plane):
  return plane.min() == plane.max()


def depth(data):
  """Returns the bits a sample of the bytes of a plane; 0 of none."""
  return data[0] if data else 0


def _type(bits):
  return np.uint16 if bits > 8 else np.uint8


def _filtered(plane, method, bits):
  """Returns the bytes of what a filter leaves of a plane, all high ones first.

  uint8 (1 or 2, H, W).
  """
  found = np.empty((2 if bits > 8 else 1, *plane.shape), np.uint8)
  for rows in strips(plane):
    # With the row above, which filters look at.
    first = max(rows.start - 1, 0)
    values = _residual(plane[first:rows.stop].astype(np.int32), method, bits)
    values = values[rows.start - first:]
    found[-1, rows] = values & 255
    if bits > 8:
      found[0, rows] = values >> 8
  return found


def _residual(plane, method, bits):
  """Returns what a filter leaves of a plane (H, W), in 0..2**bits - 1."""
  if method == PLAIN:
    return plane
  padded = np.pad(plane, ((1, 0), (1, 0)))
  left, up, corner = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1]
  predicted = left if method == LEFT else _median(left, up, corner)
  return _folded((plane - predicted) & 2**bits - 1, bits)


def _restored(values, method, bits):
  """Returns the plane of which a filter left `values`, (H, W), of the same type."""
  if method == PLAIN:
    return values
  mask = 2**bits - 1
  if method == LEFT:
    plane = np.empty_like(values)
    for rows in strips(values):
      np.cumsum(_unfolded(values[rows], bits), axis=1, dtype=values.dtype,
                out=plane[rows])
    plane &= values.dtype.type(mask)
    return plane
  height, width = values.shape
  # Sites of equal row + column depend on those before alone. In a padded plane of
  # width + 1 columns they lie `width` apart.
  padded = np.zeros((height + 1, width + 1), values.dtype)
  wide = np.int32 if bits > 8 else np.int16
  for rows in strips(values):  # Modulo what the type holds.
    padded[1:, 1:][rows] = _unfolded(values[rows], bits)
  flat = padded.ravel()
  for front in range(height + width - 1):
    first, last = max(0, front - width + 1), min(height - 1, front)
    # Of the site in row `first`, in the padded plane.
    start = (first + 1) * (width + 1) + front - first + 1
    stop = start + (last - first) * width + 1
    flat[start:stop:width] += _median(
        *(flat[start - back:stop - back:width].astype(wide)
          for back in (1, width + 1, width + 2))).astype(values.dtype)
    flat[start:stop:width] &= mask
  return padded[1:, 1:].copy()


def _median(left, up, corner):
  """Returns the median of left, up and their plane, as LOCO-I predicts."""
  low, high = np.minimum(left, up), np.maximum(left, up)
  return np.minimum(np.maximum(left + up - corner, low), high)


def _folded(values, bits):
  """Returns differences of more than 8 bits with small ones, of either sign, first.

  Those of 8 bits stay as they are: LZMA does not mind.
  """
  if bits <= 8:
    return values
  half = 2**(bits - 1)
  return np.where(values < half, 2 * values, 2 * (2**bits - values) - 1)


def _unfolded(values, bits):
  """Returns the values that `_folded` took; of more than 8 bits int32."""
  if bits <= 8:
    return values
  values = values.astype(np.int32)
  return np.where(values & 1, 2**bits - (values + 1 >> 1), values >> 1)


def _packed(data, preset, contexts=_CODER["lc"]):
  return lzma.compress(
      data, lzma.FORMAT_RAW, filters=[{**_CODER, "preset": preset, "lc": contexts}])


def _unpacked(data, size):
  """Returns `size` bytes that LZMA packed, and makes no more of them.

  Raises:
    BitstreamError: if they are fewer or more, or damaged.
  """
  coder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_CODER])
  try:
    result = coder.decompress(data, size)
    # The mark of the end may still be to come.
    more = b"" if coder.eof or len(result) < size else coder.decompress(b"", 1)
  except (lzma.LZMAError, EOFError):
    raise BitstreamError("a plane of samples cannot be unpacked") from None
  if len(result) != size or more or not coder.eof or coder.unused_data:
    raise BitstreamError(
        f"a plane of samples does not hold the {size} bytes of its picture")
  return result
