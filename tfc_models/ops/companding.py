"""Integers of any size as networks of 8-bit integers take them: on a log scale.

A table of integers, so that every machine says the same.
"""

import math

import numpy as np
import tensorflow as tf

# As far as the table goes; larger ones count as that.
LIMIT = 511
# Units a factor of e: in units of 1/32 of a real network, 4/3.
_SCALE = 40.0
# The largest that comes out.
COMPANDED_LIMIT = math.floor(_SCALE * math.log1p(LIMIT) + 0.5)
# A logarithm need not be equal everywhere, but none of these lies near the middle between
# two integers.
_PLACES = np.arange(-LIMIT, LIMIT + 1)
_TABLE = np.float32(np.sign(_PLACES) * np.floor(
    _SCALE * np.log1p(np.abs(_PLACES)) + 0.5))


def compand(x):
  """Returns sign(x) 40 log(1 + |x|), rounded, of integers; it has no gradient.

  Args:
    x: float tensor of integers.
  """
  place = tf.cast(tf.clip_by_value(tf.stop_gradient(x), -LIMIT, LIMIT), tf.int32)
  return tf.gather(_TABLE, place + LIMIT)
