"""Normalisation of each channel by its own statistics over an image."""

import tensorflow as tf


class InstanceNorm(tf.keras.layers.Layer):
  """(B, H, W, C): each channel of each image with a mean and a deviation that are learned.

  What it gives depends on all of an image, so that a part of one is not decoded as the
  whole is.

  Args:
    quiet: whether it starts as zero.
    name: as in Keras.

  Source: Ulyanov, Vedaldi, Lempitsky, "Instance normalization: the missing ingredient for
    fast stylization", arXiv:1607.08022.
  """

  _EPSILON = 1e-5

  def __init__(self, quiet=False, name=None):
    super().__init__(name=name)
    self.quiet = quiet

  def build(self, input_shape):
    shape = (input_shape[-1],)
    self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
    self.gamma = self.add_weight(
        name="gamma", shape=shape, initializer="zeros" if self.quiet else "ones")
    super().build(input_shape)

  def call(self, x):
    mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
    scale = self.gamma * tf.math.rsqrt(variance + self._EPSILON)
    return scale * (x - mean) + self.beta
