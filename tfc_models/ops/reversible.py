"""A colour transform of integers that loses nothing: YCoCg-R.

Integers are carried by floats, (..., 3), which hold them and their halves exactly.

Source: Malvar, Sullivan, "YCoCg-R: a color space with RGB reversibility and low dynamic
  range", JVT-I014, 2003.
"""

import tensorflow as tf

from tfc_models.ops import quantize


def planes_from_rgb(rgb):
  """Returns Y, 0..255, Cg and Co, -255..255, in this order, of RGB, 0..255."""
  red, green, blue = tf.unstack(rgb, axis=-1)
  orange = red - blue
  middle = blue + _half(orange)
  difference = green - middle
  return tf.stack([middle + _half(difference), difference, orange], axis=-1)


def rgb_from_planes(planes):
  """Returns the inverse of `planes_from_rgb`."""
  luma, difference, orange = tf.unstack(planes, axis=-1)
  middle = luma - _half(difference)
  blue = middle - _half(orange)
  return tf.stack([blue + orange, difference + middle, blue], axis=-1)


def _half(x):
  """Returns x / 2 rounded down, with the gradient of x / 2."""
  # What is rounded lies a quarter off any tie.
  return quantize.round_straight_through(0.5 * x - 0.25)
