"""Flags of which few are set, as bytes."""

import tensorflow as tf

from tfc_models.errors import BitstreamError
from tfc_models.ops.byte_strings import bytes_of
from tfc_models.ops.checks import require
from tfc_models.upstream import tfc


def write_flags(flags):
  """Returns the bytes, a scalar string, of a bool tensor; none if none is true.

  One byte for how many in 256 are true, and a range coder.
  """
  flags = tf.cast(tf.reshape(flags, [-1]), tf.int32)
  count = tf.maximum(tf.size(flags), 1)
  share = tf.cast(tf.round(256 * tf.reduce_sum(flags) / count), tf.int32)
  share = tf.clip_by_value(share, 1, 255)
  handle = tfc.create_range_encoder([], _cdf(share))
  handle = tfc.entropy_encode_index(handle, tf.zeros_like(flags), flags)
  string = tf.strings.join([
      bytes_of(share), tfc.entropy_encode_finalize(handle)])
  return tf.where(tf.reduce_any(flags > 0), string, "")


def read_flags(string, count):
  """Returns the `count` flags, a bool tensor, of bytes from `write_flags`.

  Raises:
    BitstreamError: if there can be none such.
  """
  string = tf.convert_to_tensor(string)

  def read():
    share = tf.cast(tf.io.decode_raw(
        tf.strings.substr(string, 0, 1), tf.uint8)[0], tf.int32)
    require(share > 0, BitstreamError, "flags of which none is true")
    handle = tfc.create_range_decoder(
        tf.strings.substr(string, 1, tf.strings.length(string) - 1), _cdf(share))
    _, flags = tfc.entropy_decode_index(
        handle, tf.zeros([count], tf.int32), [count], tf.int32)
    return flags > 0

  return tf.cond(
      tf.strings.length(string) > 0, read, lambda: tf.zeros([count], tf.bool))


def _cdf(share):
  """Returns the table of a flag that is true `share` times in 256."""
  return tf.stack([8, 0, 256 - share, 256])
