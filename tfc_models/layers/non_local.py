"""Residual blocks, and attention to all of an image at linear cost."""

import tensorflow as tf

from tfc_models.layers.exact import (
    ExactConv2D,
    activated,
    rounds,
)
from tfc_models.layers.lookup import LOOKUP_BITS, Lookup
from tfc_models.layers.scaled_conv import ScaledConv2D
from tfc_models.ops import probe, quantize

# Keys are averages over a grid of at most so many cells a side.
_CELLS = 16
# What a mask starts from, before its sigmoid: attention is nearly off.
_OFF = -5.0


class PlainBlock(tf.keras.layers.Layer):
  """x + conv 3x3, an activation, conv 3x3 of it; at first x."""

  def __init__(self, filters, activation="relu", name=None):
    super().__init__(name=name)
    self.convolutions = [
        ScaledConv2D(filters, 3, activation=activation, name="conv_0"),
        ScaledConv2D(filters, 3, zeros=True, name="conv_1")]

  def call(self, x):
    """Returns the sum, shaped as x."""
    first, second = self.convolutions
    return x + second(first(x))


class NonLocal(tf.keras.layers.Layer):
  """x and what all of x says to each site: the embedded Gaussian; at first x.

      y_i = x_i + W sum_j softmax_j(theta(x_i)' phi(x_j)) g(x_j)

  j goes over averages of x in a grid of at most 16x16 cells, so that memory and time are
  linear in the sites.

  Args:
    filters: channels of x; theta, phi and g have half as many.

  Source: Wang, Girshick, Gupta, He, "Non-local neural networks", CVPR 2018,
    arXiv:1711.07971.
  Departs: averages instead of all sites.
  """

  def __init__(self, filters, name=None):
    super().__init__(name=name)
    self.theta, self.phi, self.g = (
        ScaledConv2D(filters // 2, 1, name=name) for name in ("theta", "phi", "g"))
    self.last = ScaledConv2D(filters, 1, zeros=True, name="last")

  def call(self, x):
    """Returns the sum, shaped as x."""
    shape = tf.shape(x)
    cells = _average(_average(x, 1), 2)
    depth = self.theta.filters
    query = tf.reshape(self.theta(x), [shape[0], -1, depth])
    key, value = (
        tf.reshape(embed(cells), [shape[0], -1, depth]) for embed in (self.phi, self.g))
    weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True))
    seen = tf.reshape(
        tf.matmul(weights, value), tf.concat([shape[:3], [depth]], axis=0))
    seen = tf.ensure_shape(seen, [*x.shape[:3], depth])
    return x + self.last(seen)


class NonLocalAttention(tf.keras.layers.Layer):
  """x + trunk(x) * sigmoid(mask(x)), the mask with a `NonLocal`; at first about x.

  Args:
    filters: channels of x.

  Source: Liu, Chen, Guo, Shen, Cao, Wang, Ma, "Non-local attention optimized deep image
    compression", arXiv:1904.09757, figure 2.
  """

  def __init__(self, filters, name=None):
    super().__init__(name=name)
    self.trunk = [PlainBlock(filters, name=f"trunk_{number}") for number in range(3)]
    self.branch = [
        NonLocal(filters, name="non_local"),
        *(PlainBlock(filters, name=f"mask_{number}") for number in range(3)),
        ScaledConv2D(filters, 1, zeros=True, name="mask_3")]

  def call(self, x):
    """Returns the sum, shaped as x."""
    mask = tf.sigmoid(_through(self.branch, x) + _OFF)
    probe.note("attention", mask)
    return x + _through(self.trunk, x) * mask


class ExactBlock(tf.keras.layers.Layer):
  """`PlainBlock` of integers, see `layers.exact`, clipped to -255..255."""

  def __init__(self, filters, exact=True, name=None):
    super().__init__(name=name)
    self.convolutions = [
        ExactConv2D(filters, 3, activation="relu", exact=exact, name="conv_0"),
        ExactConv2D(
            filters, 3, activation="clip", exact=exact, zeros=True, name="conv_1")]

  def call(self, x):
    """Returns the sum, shaped as x."""
    first, second = self.convolutions
    return activated(x + second(first(x)), "clip")


class ExactAttention(tf.keras.layers.Layer):
  """`NonLocalAttention` of integers, whose mask sees its neighbourhood alone.

  A softmax over all sites is no sum that every machine rounds alike.
  """

  def __init__(self, filters, exact=True, name=None):
    super().__init__(name=name)
    self.exact = exact
    self.sigmoid = Lookup("sigmoid")
    self.trunk = [
        ExactBlock(filters, exact, name=f"trunk_{number}") for number in range(3)]
    self.branch = [
        *(ExactBlock(filters, exact, name=f"mask_{number}") for number in range(3)),
        ExactConv2D(filters, 1, activation=self.sigmoid, out_bits=LOOKUP_BITS,
                    exact=exact, zeros=True, name="mask_3")]

  def build(self, input_shape):
    """Creates the variables; attention is nearly off."""
    last = self.branch[-1]
    last.build(input_shape)
    last.bias.assign(tf.fill([last.filters], _OFF))
    super().build(input_shape)

  def call(self, x):
    """Returns the sum, shaped as x."""
    # Products stay below 2**15, and a power of two divides them exactly.
    seen = _through(self.trunk, x) * _through(self.branch, x) * 2.0**-LOOKUP_BITS
    if rounds(self.exact):
      seen = quantize.round_straight_through(seen)
    return activated(x + seen, "clip")


def _through(layers, x):
  for layer in layers:
    x = layer(x)
  return x


def _average(x, axis):
  """Returns averages over at most `_CELLS` stretches along an axis of (B, H, W, C)."""
  size = tf.shape(x)[axis]
  cells = tf.minimum(size, _CELLS)
  member = tf.one_hot(tf.range(size) * cells // size, cells)
  member /= tf.reduce_sum(member, axis=0)
  return tf.einsum("bhwc,hn->bnwc" if axis == 1 else "bhwc,wn->bhnc", x, member)
