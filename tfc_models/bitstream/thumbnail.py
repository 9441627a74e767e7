"""The thumbnail profile: a header of 8 bytes in front of packed iterations."""

import binascii
import struct

from tfc_models.errors import ChecksumError, TruncatedError

# The first byte, by channels; no other file of ours begins with it.
TAGS = {1: 0xE1, 3: 0xE3}
FINGERPRINT_SIZE = 3
THUMBNAIL_SIDE = 256
SIZE = 8


def begins(data):
  """Returns whether data begin as a thumbnail does."""
  return bool(len(data)) and data[0] in TAGS.values()


def write(fingerprint, height, width, channels, payload):
  """Returns the bytes of a file.

  Args:
    fingerprint: of the weights, of which the first 3 bytes count.
    height, width: 1 to 256.
    channels: 1 or 3.
    payload: bytes of all iterations.

  Raises:
    ValueError: if the image is larger.
  """
  if not 0 < height <= THUMBNAIL_SIDE or not 0 < width <= THUMBNAIL_SIDE:
    raise ValueError(
        f"`height` and `width` must lie in 1..{THUMBNAIL_SIDE}, got {height}, {width}.")
  head = bytes([TAGS[channels], *fingerprint[:FINGERPRINT_SIZE],
                height - 1, width - 1])
  return head + struct.pack("<H", _checksum(head + payload)) + payload


def read(data, allow_partial=False):
  """Returns fingerprint (3 bytes), height, width, channels, payload, verified.

  Args:
    data: bytes of a file that `begins` as one.
    allow_partial: whether it may have been cut, so that its checksum says
      nothing. The last of what is returned is whether it does.

  Raises:
    TruncatedError: if it ends within its header.
    ChecksumError: if bytes were changed or cut.
  """
  if len(data) < SIZE:
    raise TruncatedError(f"the file ends at byte {len(data)}, within its header")
  head, payload = bytes(data[:SIZE - 2]), bytes(data[SIZE:])
  (checksum,) = struct.unpack("<H", data[SIZE - 2:SIZE])
  verified = checksum == _checksum(head + payload)
  if not verified and not allow_partial:
    raise ChecksumError("the file was cut or changed (checksum differs)")
  tag, *fingerprint, height, width = head
  channels = {tag: channels for channels, tag in TAGS.items()}[tag]
  return bytes(fingerprint), height + 1, width + 1, channels, payload, verified


def _checksum(data):
  """Returns the CRC-16 of CCITT."""
  return binascii.crc_hqx(data, 0xFFFF)
