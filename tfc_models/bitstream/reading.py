"""Spans of bytes that may end too early, and their checksums."""

import struct
import zlib

from tfc_models.errors import ChecksumError, TruncatedError

CHECKSUM_SIZE = 4


def take(data, position, length):
  """Returns `length` bytes from `position` on.

  Raises:
    TruncatedError: if there are fewer.
  """
  if position + length > len(data):
    raise TruncatedError(
        f"the file ends at byte {len(data)}, within its header or a chunk")
  return data[position:position + length]


def checksum(data, seed=0):
  """Returns the CRC-32 of `data`, continued from another one, as 4 bytes."""
  return struct.pack("<I", zlib.crc32(data, seed))


def check_sum(data, start, end, seed, name):
  """Checks the bytes from `start` to `end` by the checksum behind them.

  Raises:
    TruncatedError: if there is none.
    ChecksumError: if it is another.
  """
  if take(data, end, CHECKSUM_SIZE) != checksum(data[start:end], seed):
    raise ChecksumError(f"{name} was changed (checksum differs)")
