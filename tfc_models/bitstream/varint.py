"""Unsigned integers of 7 bits a byte, least significant first (LEB128)."""

from tfc_models.errors import BitstreamError, TruncatedError

_MAX_BYTES = 9


def write(value):
  """Returns `value`, an int of 0..2**63 - 1, in its shortest form."""
  if not 0 <= value < 2**63:
    raise ValueError(f"`value` must lie in 0..2**63 - 1, got {value}.")
  parts = bytearray()
  while value >= 0x80:
    parts.append(value & 0x7F | 0x80)
    value >>= 7
  parts.append(value)
  return bytes(parts)


def read(data, position):
  """Returns the integer at `position` and the position after it.

  Raises:
    TruncatedError: if the data end within it.
    BitstreamError: if it is longer than any that `write` makes.
  """
  value = 0
  for i in range(_MAX_BYTES):
    if position + i >= len(data):
      raise TruncatedError(
          f"the file ends at byte {len(data)}, within a number")
    byte = data[position + i]
    value |= (byte & 0x7F) << 7 * i
    if byte < 0x80:
      return value, position + i + 1
  raise BitstreamError(f"the number at byte {position} is too long")
