"""Masked convolutions over channels, rows and columns, of integers."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import ACTIVATION_LIMIT, ExactConv2D, rounds
from tfc_models.layers.exact import CARRIER
from tfc_models.ops import quantize, wavefront
from tfc_models.transforms.causal import CausalNetwork


class CausalSlices(ExactConv2D):
  """A convolution over elements that come before: 3x3 of a slice and of the one before.

  A slice is a channel of the latent. Taps are those of `offsets`; in order of channel, row
  and column.

  Args:
    filters: output features.
    offsets: list of (channel, row, column), -1 or 0, -1 to 1, -1 to 1.
    **kwargs: as of `layers.exact`.
  """

  def __init__(self, filters, offsets, **kwargs):
    super().__init__(filters, 3, **kwargs)
    self._offsets = offsets

  def build(self, input_shape):
    """Creates the variables, of the features of two slices side by side."""
    features = input_shape[-1] // 2
    mask = np.zeros([3, 3, 2, features, 1], np.float32)
    for channel, row, column in self._offsets:
      mask[1 + row, 1 + column, 1 + channel] = 1.0
    self._mask = mask.reshape(3, 3, 2 * features, 1)
    super().build(input_shape)

  def call(self, x):
    """Returns (B, C, H, W, filters) from (B, C, H, W, F)."""
    before = tf.pad(x[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0]])
    both = tf.concat([before, x], axis=-1)
    shape = tf.shape(both)
    y = super().call(tf.reshape(both, [-1, shape[2], shape[3], both.shape[-1]]))
    return tf.reshape(y, tf.concat([shape[:4], [self.filters]], axis=0))

  def __call__(self, x):
    """As `call`."""
    if not self.built:
      # Of the slices side by side, see `call`.
      self.build([None, None, None, 2 * x.shape[-1]])
    return super().__call__(x)

  def integers(self):
    """Returns kernel and bias as they are used; no step revives a masked tap."""
    kernel, bias = super().integers()
    return kernel * self._mask, bias

  def site_weights(self):
    """See `ExactConv2D`; taps are those of the offsets."""
    kernel, bias = self.integers()
    features = kernel.shape[2] // 2
    kernel = tf.reshape(kernel, [3, 3, 2, features, self.filters])
    taps = [(1 + row, 1 + column, 1 + channel) for channel, row, column in self._offsets]
    kernel = tf.cast(tf.gather_nd(kernel, taps), CARRIER)
    return tf.reshape(kernel, [-1, self.filters]), bias, self._factor()


class Context3D(CausalNetwork):
  """From the elements before one, in channel, row and column, to its outputs.

      y_hat -> A -> ReLU -> + B(ReLU(B)) -> B

  B sees the features of the element itself too. What the convolutions give is kept, so
  that an element takes only its own.

  Args:
    features: of the hidden convolutions, k in the paper.
    outputs: of an element.
    out_bits: of the outputs, see `layers.exact`.
    context_bits: y_hat counts in units of 2**-context_bits, clipped to what 8 bits hold.
    exact: see there.

  Source: Mentzer et al., CVPR 2018, arXiv:1801.04260, section 3.4 and figure 2.
  Departs: integers; outside of the latent there are zeros, not the first centre.
  """

  def __init__(self, features, outputs, out_bits, context_bits=6, exact=True,
               name="context_network"):
    super().__init__(1, wavefront.causal_offsets_3d(3), exact, name)
    self.memory_offsets = self.offsets
    self.memory_depth = 3 * features
    self.features = features
    self.context_bits = context_bits
    here = [*self.offsets, (0, 0, 0)]
    self.context = CausalSlices(
        features, self.offsets, activation="relu", in_bits=context_bits, exact=exact,
        name="context")
    self.block = [
        CausalSlices(features, here, activation="relu", exact=exact, name="block_0"),
        CausalSlices(features, here, activation="clip", exact=exact, name="block_1")]
    self.last = CausalSlices(
        outputs, here, activation=None, out_bits=out_bits, exact=exact, name="last")

  def call(self, y_hat, side):
    """Returns the outputs of all elements, (B, C, H, W, outputs).

    Args:
      y_hat: (B, C, H, W, 1), of which an element sees those before it.
      side: is not looked at.
    """
    del side
    first = self.context(self._fixed(y_hat))
    second = self.block[0](first)
    return self.last(self._sum(first, self.block[1](second)))

  def site_weights(self):
    """See `CausalNetwork`."""
    return [layer.site_weights() for layer in (self.context, *self.block, self.last)]

  def at_sites(self, context, side, memory, weights):
    """Returns the same of single elements, and their features, see `CausalNetwork`."""
    shape = tf.concat([tf.shape(memory)[:-1], [len(self.offsets), 3, self.features]], 0)
    before = tf.unstack(tf.reshape(memory, shape), axis=-2)

    def with_own(number, own):
      taps = tf.concat([before[number], own[..., None, :]], axis=-2)
      size = (len(self.offsets) + 1) * self.features
      return tf.ensure_shape(tf.reshape(
          taps, tf.concat([tf.shape(own)[:-1], [size]], axis=0)), [None, None, size])

    first = self.context.at_sites(self._fixed(context), weights[0])
    second = self.block[0].at_sites(with_own(0, first), weights[1])
    third = self._sum(
        first, self.block[1].at_sites(with_own(1, second), weights[2]))
    outputs = self.last.at_sites(with_own(2, third), weights[3])
    return outputs, tf.concat([first, second, third], axis=-1)

  @staticmethod
  def _sum(first, second):
    return quantize.clip_towards(first + second, -ACTIVATION_LIMIT, ACTIVATION_LIMIT)

  def _fixed(self, y_hat):
    y_hat *= 2.0**self.context_bits
    if not self.exact:
      return y_hat
    if rounds(self.exact):
      y_hat = quantize.round_straight_through(y_hat)
    return quantize.clip_towards(y_hat, -ACTIVATION_LIMIT, ACTIVATION_LIMIT)
