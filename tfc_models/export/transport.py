"""Integers of latents as PNG files: small, lossless, in operations of any TensorFlow.

Symbols and numbers of tables of a 768x512 picture are 3.5 MB as they are, which is
more than a gRPC client takes by default with what is around them, and 0.2 MB so.
"""

import tensorflow as tf

from tfc_models.ops.checks import after

# Symbols are signed, samples of PNG are not.
_MIDDLE = 2**15


def pack_symbols(symbols):
  """Returns a PNG, a scalar string, of (H, W, C) int32 in -32768..32767.

  In graphs the failure is InvalidArgumentError, if a symbol is beyond.
  """
  symbols = after(
      tf.reduce_all((symbols >= -_MIDDLE) & (symbols < _MIDDLE)),
      "a symbol is beyond 16 bits, which split exports cannot carry", symbols)
  return _pack(tf.cast(symbols + _MIDDLE, tf.uint16))


def unpack_symbols(data, depth):
  """Returns (H, W, depth) int32 of `pack_symbols`."""
  return _unpack(data, depth) - _MIDDLE


def pack_indexes(indexes):
  """Returns a PNG, a scalar string, of (H, W, C) int32 in 0..65535.

  Of 8 bits, where these are enough.
  """
  return tf.cond(
      tf.reduce_max(indexes) < 256, lambda: _pack(tf.cast(indexes, tf.uint8)),
      lambda: _pack(tf.cast(indexes, tf.uint16)))


def unpack_indexes(data, depth):
  """Returns (H, W, depth) int32 of `pack_indexes`."""
  return _unpack(data, depth)


def _pack(values):
  rows = tf.reshape(values, [tf.shape(values)[0], -1, 1])
  return tf.io.encode_png(rows, compression=1)


def _unpack(data, depth):
  # A file of 8 bits gives 257 times its samples.
  is_wide = tf.io.decode_raw(tf.strings.substr(data, 24, 1), tf.uint8)[0] > 8
  values = tf.cond(
      is_wide,
      lambda: tf.cast(tf.io.decode_png(data, 1, tf.uint16), tf.int32),
      lambda: tf.cast(tf.io.decode_png(data, 1, tf.uint8), tf.int32))
  height, width = tf.unstack(tf.shape(values)[:2])
  width = after(width % depth == 0, f"the PNG has no rows of {depth} channels", width)
  return tf.reshape(values, [height, width // depth, depth])
