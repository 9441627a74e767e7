"""How many bits a sample of an image file has, which Pillow does not tell.

It decodes most files of more than 8 bits to 8 without a word.
"""

import struct

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_TIFF_BITS_PER_SAMPLE = 258
# SOC and SIZ, with which every JPEG 2000 codestream begins.
_JP2_START = b"\xff\x4f\xff\x51"


def bits(image, data):
  """Returns the bits a sample, at least 8.

  Args:
    image: opened, not yet decoded PIL image.
    data: the bytes of its file.
  """
  known = [8]
  for tile in image.tile:
    arguments = tile[3] if isinstance(tile[3], (tuple, list)) else (tile[3],)
    # The raw mode of the decoder, as of PNG.
    if any(isinstance(a, str) and ";16" in a for a in arguments):
      known.append(16)
    # The largest value, which follows the mode in PPM.
    if tile[0].startswith("ppm") and isinstance(arguments[-1], int):
      known.append(arguments[-1].bit_length())
  if image.format == "TIFF":
    known += [n for n in image.tag_v2.get(_TIFF_BITS_PER_SAMPLE, ())
              if isinstance(n, int)]
  elif image.format == "JPEG2000":
    known += _jpeg2000(data)
  elif image.format == "AVIF":
    known += _avif(data)
  if max(known) == 8 and image.mode in _SIXTEEN_BIT:
    return 16
  return max(known)


def _jpeg2000(data):
  """Returns the bits of each component.

  Source: ISO/IEC 15444-1, A.5.1: Csiz at byte 36 behind the marker SIZ, then three
  bytes a component, the first of them depth minus 1 and sign.
  """
  start = data.find(_JP2_START)
  if start < 0:
    return []
  csiz = start + len(_JP2_START) + 36
  (count,) = struct.unpack_from(">H", data, csiz)
  return [
      (byte & 0x7F) + 1 for byte in data[csiz + 2:csiz + 2 + 3 * count:3]]


def _avif(data):
  """Returns the bits of each coded picture.

  Source: AV1 in ISOBMFF, 2.3.3: in the box av1C, bits 6 and 5 of the third byte
  are high_bitdepth and twelve_bit.
  """
  found, start = [], data.find(b"av1C")
  while start >= 0:
    flags = data[start + 6:start + 7]
    if flags and flags[0] & 0x40:
      found.append(12 if flags[0] & 0x20 else 10)
    start = data.find(b"av1C", start + 4)
  return found
