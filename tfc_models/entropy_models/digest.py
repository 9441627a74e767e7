"""Proof that sender and receiver used the same tables.

A network that rounds differently elsewhere selects other tables, and the range
decoder then returns noise without complaint. So a string whose tables were
predicted ends with a digest of their numbers. Networks of integers (layers.exact)
never differ; the digest says so, and catches those of floats.

All of it runs in graphs too, there without zlib.
"""

import zlib

import tensorflow as tf

from tfc_models.errors import BitstreamError, DesyncError
from tfc_models.ops.byte_strings import bytes_of
from tfc_models.ops.checks import require
from tfc_models.ops.crc import crc32

SIZE = 2  # Bytes.


def append(strings, indexes):
  """Returns (B,) strings with the digest of each image's tables at the end.

  Args:
    strings: (B,) bytes.
    indexes: (B, ...) int32 in 0..65535, in the order of the symbols.
  """
  digests = _digests(indexes)
  return tf.strings.join([
      strings, bytes_of(digests % 256), bytes_of(digests // 256)])


def split(strings):
  """Returns the strings that `append` was given, and digests, (B,) each.

  Raises:
    BitstreamError: if a string is too short to hold one.
  """
  lengths = tf.strings.length(strings)
  require(tf.reduce_all(lengths >= SIZE), BitstreamError,
          "a string is too short for the digest of its tables")
  digests = tf.io.decode_raw(tf.strings.substr(
      strings, lengths - SIZE, tf.fill(tf.shape(lengths), SIZE)), tf.uint8)
  digests = tf.cast(tf.reshape(digests, [-1, SIZE]), tf.int32)
  return (tf.strings.substr(strings, tf.zeros_like(lengths), lengths - SIZE),
          digests[:, 0] + 256 * digests[:, 1])


def check(digests, indexes):
  """Raises DesyncError unless these are the digests of `indexes`."""
  found = _digests(indexes)
  require(tf.reduce_all(digests == found), DesyncError, lambda: (
      "the entropy model came out different from the encoder's (digest "
      f"{int(found[0]):04x}, in the file {int(digests[0]):04x}); decode with the "
      "hardware, TensorFlow and threads that encoded it"))


def _digests(indexes):
  """Returns the low 16 bits of the CRC-32 of indexes, two bytes each, (B,) int32."""
  if tf.executing_eagerly():
    return tf.constant([
        zlib.crc32(one.astype("<u2").tobytes()) & 0xFFFF
        for one in indexes.numpy()], tf.int32)

  def digest(one):
    one = tf.reshape(one, [-1])
    pairs = tf.reshape(tf.stack([one % 256, one // 256], axis=-1), [-1])
    return tf.cast(crc32(pairs) & 0xFFFF, tf.int32)

  return tf.map_fn(digest, indexes, fn_output_signature=tf.int32)
