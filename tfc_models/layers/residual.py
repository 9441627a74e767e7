"""Residual branches."""

import tensorflow as tf

from tfc_models.layers.modulation import Modulation
from tfc_models.layers.scaled_conv import ScaledConv2D


class ResidualBlock(tf.keras.layers.Layer):
  """Returns a branch 1x1, 3x3, 1x1 that starts as zero; the caller adds it.

  Args:
    filters: channels within the branch.
    outputs: channels of its result.
  """

  def __init__(self, filters, outputs, name=None):
    super().__init__(name=name)
    self.reduce = ScaledConv2D(
        filters, 1, activation=tf.nn.leaky_relu, name="reduce")
    self.spatial = ScaledConv2D(
        filters, 3, activation=tf.nn.leaky_relu, name="spatial")
    self.expand = ScaledConv2D(outputs, 1, zeros=True, name="expand")

  def call(self, x):
    return self.expand(self.spatial(self.reduce(x)))


class ModulatedBlock(ResidualBlock):
  """The same branch, which a `Condition` scales: within, before the activation, and
  as a whole.

  Args:
    filters, outputs: as of `ResidualBlock`.
    rows: as of `Modulation`.
  """

  def __init__(self, filters, outputs, rows, name=None):
    super().__init__(filters, outputs, name)
    self.reduce = ScaledConv2D(filters, 1, name="reduce")
    self.modulation = Modulation(filters, rows, name="modulation")
    self.strength = Modulation(outputs, rows, use_bias=False, name="strength")

  def call(self, x, condition):
    x = tf.nn.leaky_relu(self.modulation(self.reduce(x), condition))
    return self.strength(self.expand(self.spatial(x)), condition)
