"""A mask of the sites that are coded, as bytes; FORMAT.md says how.

Each site by an adaptive binary code, given the four next to it that are known already.
Of 48x32 sites a box takes 7 bytes, four boxes 14, a disc 18, the outline of a cloud
107; as a bitmap 192. A million sites take about a second.
"""

import numpy as np

from tfc_models.bitstream import varint
from tfc_models.errors import BitstreamError, TruncatedError

# Of 8x8 pixels each in the largest pictures; what files claim is refused before any work.
MAX_SITES = 2**22

_TOP = 2**32 - 1
# Counts of 0 and 1, twice, that a context begins with, by how many of its four
# neighbours are 1; what they are halved beyond.
_START = ((8, 1), (2, 1), (2, 2), (1, 2), (1, 8))
_MOST = 512
_LEAST_CHANCE = 32  # Of 2**16.


def sites_of(pixels, side):
  """Returns which sites a picture's mask touches, bool (ceil(H / side), ceil(W / side)).

  Args:
    pixels: array (H, W); a site is 1 if any of its pixels is not zero.
    side: pixels a side of a site.
  """
  pixels = np.asarray(pixels) != 0
  height, width = (-(-size // side) for size in pixels.shape)
  padded = np.zeros((height * side, width * side), bool)
  padded[:pixels.shape[0], :pixels.shape[1]] = pixels
  return padded.reshape(height, side, width, side).any(axis=(1, 3))


def write(sites, side):
  """Returns the bytes of a mask.

  Args:
    sites: bool array (H, W), in the order of the picture.
    side: pixels a side of a site.
  """
  coder = _Encoder()
  _walk(np.asarray(sites).astype(np.int8), coder.write)
  return varint.write(side) + coder.finish()


def read(data, height, width):
  """Returns the mask of a picture, bool (ceil(height / side), ceil(width / side)), and side.

  Args:
    data: bytes of `write`.
    height, width: of the picture, in pixels.

  Raises:
    BitstreamError: if it has no side, or more bytes than a mask.
  """
  try:
    side, start = varint.read(data, 0)
  except TruncatedError:
    side, start = 0, 0
  if not 0 < side < 2**16:
    raise BitstreamError("the stream holds a mask of no sites")
  shape = -(-height // side), -(-width // side)
  if shape[0] * shape[1] > MAX_SITES:
    raise BitstreamError(f"the stream holds a mask of more than {MAX_SITES} sites")
  # Twice what chance takes.
  if len(data) - start > shape[0] * shape[1] // 4 + 8:
    raise BitstreamError("the stream holds a mask of more bytes than sites")
  sites = np.zeros(shape, np.int8)
  _walk(sites, _Decoder(data[start:]).read)
  return sites.astype(bool), side


def _walk(sites, code):
  """Codes sites in row, column order.

  Args:
    sites: int8 (H, W), filled where `code` returns other values.
    code: function of a value and its chance of 1, in 2**16, to the value.
  """
  counts = [list(_START[bin(context).count("1")]) for context in range(16)]
  height, width = sites.shape
  padded = np.zeros((height + 1, width + 2), np.int8)
  padded[1:, 1:-1] = sites
  above = padded[0].tolist()
  for row in range(1, height + 1):
    here = padded[row].tolist()
    for column in range(1, width + 1):
      zeros_ones = counts[
          here[column - 1] << 3 | above[column - 1] << 2 | above[column] << 1
          | above[column + 1]]
      chance = (zeros_ones[1] << 16) // (zeros_ones[0] + zeros_ones[1])
      chance = min(max(chance, _LEAST_CHANCE), 2**16 - _LEAST_CHANCE)
      value = here[column] = code(here[column], chance)
      zeros_ones[value] += 2
      if sum(zeros_ones) > _MOST:
        zeros_ones[:] = [(count + 1) // 2 for count in zeros_ones]
    sites[row - 1] = here[1:-1]
    above = here


class _Coder:
  """An interval of 32 bits, of which the lower part stands for a 1."""

  def __init__(self):
    self.low, self.high = 0, _TOP

  def middle(self, chance):
    return self.low + ((self.high - self.low) >> 16) * chance

  def narrow(self, value, middle):
    """Takes a part, and yields the bytes that are settled then."""
    if value:
      self.high = middle
    else:
      self.low = middle + 1
    while not (self.low ^ self.high) >> 24:
      yield self.high >> 24
      self.low = self.low << 8 & _TOP
      self.high = self.high << 8 & _TOP | 255


class _Encoder(_Coder):
  """Values to bytes."""

  def __init__(self):
    super().__init__()
    self._data = bytearray()

  def write(self, value, chance):
    """Returns the value."""
    self._data.extend(self.narrow(value, self.middle(chance)))
    return value

  def finish(self):
    """Returns all bytes, without zeros at the end, which a decoder reads for itself."""
    for count in range(5):  # The fewest that lie within the interval.
      step = 2**(32 - 8 * count)
      last = -(-self.low // step) * step
      if last <= self.high:
        break
    return (bytes(self._data) + last.to_bytes(4, "big")).rstrip(b"\0")


class _Decoder(_Coder):
  """Bytes to values."""

  def __init__(self, data):
    super().__init__()
    self._data = iter(data)
    self._value = 0
    for _ in range(4):
      self._shift()

  def read(self, _, chance):
    """Returns the next value."""
    middle = self.middle(chance)
    value = int(self._value <= middle)
    for _ in self.narrow(value, middle):
      self._shift()
    return value

  def _shift(self):
    self._value = (self._value << 8 | next(self._data, 0)) & _TOP
