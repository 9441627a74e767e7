"""How many bytes of a small file are not constant headers."""

import struct

from tfc_models.errors import UsageError


def jpeg(data):
  """Returns the bytes of the entropy-coded scan of a baseline JPEG."""
  position = 2
  while True:
    marker, length = struct.unpack(">HH", data[position:position + 4])
    position += 2 + length
    if marker == 0xFFDA:  # Start of scan; the end of the image follows it.
      return len(data) - position - 2


def jpeg2000(data):
  """Returns the bytes of the packets of a codestream of one tile-part."""
  return len(data) - data.index(b"\xff\x93") - 2 - 2  # After SOD, before EOC.


def webp(data):
  """Returns the bytes of a lossy frame without its header of 10 bytes.

  Raises:
    UsageError: if the file is of another kind.
  """
  if data[12:16] != b"VP8 ":
    raise UsageError("not a lossy WebP file of a single frame")
  return struct.unpack("<I", data[16:20])[0] - 10
