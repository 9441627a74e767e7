"""A colour transform of integers that loses nothing: YCoCg-R.

Integers are carried by floats, (..., 3), which hold them and their halves exactly.

Source: Malvar, Sullivan, "YCoCg-R: a color space with RGB reversibility and low dynamic
  range", JVT-I014, 2003.
"""

import tensorflow as tf


def planes_from_rgb(rgb):
  """Returns Y, 0..255, Cg and Co, -255..255, in this order, of RGB, 0..255."""
  red, green, blue = tf.unstack(rgb, axis=-1)
  orange = red - blue
  middle = blue + tf.floor(0.5 * orange)
  difference = green - middle
  return tf.stack([middle + tf.floor(0.5 * difference), difference, orange], axis=-1)


def rgb_from_planes(planes):
  """Returns the inverse of `planes_from_rgb`."""
  luma, difference, orange = tf.unstack(planes, axis=-1)
  middle = luma - tf.floor(0.5 * difference)
  blue = middle - tf.floor(0.5 * orange)
  return tf.stack([blue + orange, difference + middle, blue], axis=-1)
