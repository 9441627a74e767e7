"""Byte strings of numbers, also in graphs."""

import tensorflow as tf

_BYTES = [bytes([value]) for value in range(256)]


def bytes_of(values):
  """Returns a string of one byte for each of integers in 0..255, of their shape."""
  return tf.gather(_BYTES, values)
