"""Proof that sender and receiver used the same tables.

A network that rounds differently elsewhere selects other tables, and the range
decoder then returns noise without complaint. So a string whose tables were
predicted ends with a digest of their numbers. Networks of integers (layers.exact)
never differ; the digest says so, and catches those of floats.
"""

import struct
import zlib

import tensorflow as tf

from tfc_models.errors import BitstreamError, DesyncError

SIZE = 2  # Bytes.


def append(strings, indexes):
  """Returns (B,) strings with the digest of each image's tables at the end.

  Args:
    strings: (B,) bytes.
    indexes: (B, ...) int32 in 0..65535, in the order of the symbols.
  """
  return tf.constant([
      string + struct.pack("<H", _digest(one))
      for string, one in zip(strings.numpy(), indexes.numpy())])


def split(strings):
  """Returns the strings that `append` was given, (B,), and a list of digests.

  Raises:
    BitstreamError: if a string is too short to hold one.
  """
  if any(len(string) < SIZE for string in strings.numpy()):
    raise BitstreamError("a string is too short for the digest of its tables")
  return tf.constant([string[:-SIZE] for string in strings.numpy()]), [
      struct.unpack("<H", string[-SIZE:])[0] for string in strings.numpy()]


def check(digests, indexes):
  """Raises DesyncError unless these are the digests of `indexes`."""
  for digest, one in zip(digests, indexes.numpy()):
    if digest != _digest(one):
      raise DesyncError(
          "the entropy model came out different from the encoder's (digest "
          f"{_digest(one):04x}, in the file {digest:04x}); decode with the "
          "hardware, TensorFlow and threads that encoded it")


def _digest(indexes):
  """Returns the low 16 bits of the CRC-32 of the indexes, two bytes each."""
  return zlib.crc32(indexes.astype("<u2").tobytes()) & 0xFFFF
