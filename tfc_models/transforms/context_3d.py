"""Masked convolutions over channels, rows and columns, of integers."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import ACTIVATION_LIMIT, ExactConv2D, fixed
from tfc_models.layers import exact as integers
from tfc_models.ops import quantize, wavefront
from tfc_models.transforms.causal import CausalNetwork
from tfc_models.transforms.context import entropy_parameters


class CausalSlices(ExactConv2D):
  """A convolution over elements that come before, in a slice and those before it.

  A slice is a channel of the latent. Taps are those of `offsets`; in order of channel, row
  and column.

  Args:
    filters: output features.
    size: taps a side, an odd number; (size + 1) / 2 slices.
    offsets: list of (channel, row, column) within these.
    **kwargs: as of `layers.exact`.
  """

  def __init__(self, filters, size, offsets, **kwargs):
    super().__init__(filters, size, **kwargs)
    self._reach = size // 2
    self._offsets = offsets

  def build(self, input_shape):
    """Creates the variables, of the features of the slices side by side."""
    slices, size = self._reach + 1, self.kernel_size
    features = input_shape[-1] // slices
    mask = np.zeros([size, size, slices, features, 1], np.float32)
    for tap in self._taps:
      mask[tap] = 1.0
    self._mask = mask.reshape(size, size, slices * features, 1)
    super().build(input_shape)

  def call(self, x):
    """Returns (B, C, H, W, filters) from (B, C, H, W, F)."""
    shape, reach = tf.shape(x), self._reach
    padded = tf.pad(x, [[0, 0], [reach, 0], [0, 0], [0, 0], [0, 0]])
    slices = tf.concat(
        [padded[:, step:step + shape[1]] for step in range(reach + 1)], axis=-1)
    y = super().call(tf.reshape(
        slices, [-1, shape[2], shape[3], slices.shape[-1]]))
    return tf.reshape(y, tf.concat([shape[:4], [self.filters]], axis=0))

  def __call__(self, x):
    """As `call`."""
    if not self.built:
      # Of the slices side by side, see `call`.
      self.build([None, None, None, (self._reach + 1) * x.shape[-1]])
    return super().__call__(x)

  def integers(self):
    """Returns kernel and bias as they are used; no step revives a masked tap."""
    kernel, bias = super().integers()
    return kernel * self._mask, bias

  def site_weights(self):
    """See `ExactConv2D`; taps are those of the offsets."""
    kernel, bias = self.integers()
    slices, size = self._reach + 1, self.kernel_size
    kernel = tf.reshape(
        kernel, [size, size, slices, kernel.shape[2] // slices, self.filters])
    kernel = tf.cast(tf.gather_nd(kernel, self._taps), integers.CARRIER)
    return tf.reshape(kernel, [-1, self.filters]), bias, self._factor()

  @property
  def _taps(self):
    reach = self._reach
    return [(reach + row, reach + column, reach + channel)
            for channel, row, column in self._offsets]


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
        features, 3, self.offsets, activation="relu", in_bits=context_bits, exact=exact,
        name="context")
    self.block = [
        CausalSlices(features, 3, here, activation="relu", exact=exact, name="block_0"),
        CausalSlices(features, 3, here, activation="clip", exact=exact, name="block_1")]
    self.last = CausalSlices(
        outputs, 3, here, activation=None, out_bits=out_bits, exact=exact, name="last")

  def call(self, y_hat, side):
    """Returns the outputs of all elements, (B, C, H, W, outputs).

    Args:
      y_hat: (B, C, H, W, 1), of which an element sees those before it.
      side: is not looked at.
    """
    del side
    first = self.context(fixed(y_hat, self.context_bits, self.exact))
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

    first = self.context.at_sites(
        fixed(context, self.context_bits, self.exact), weights[0])
    second = self.block[0].at_sites(with_own(0, first), weights[1])
    third = self._sum(
        first, self.block[1].at_sites(with_own(1, second), weights[2]))
    outputs = self.last.at_sites(with_own(2, third), weights[3])
    return outputs, tf.concat([first, second, third], axis=-1)

  @staticmethod
  def _sum(first, second):
    return quantize.clip_towards(first + second, -ACTIVATION_LIMIT, ACTIVATION_LIMIT)


class JointContext3D(CausalNetwork):
  """The elements before one, in channel, row and column, joined with side information.

      (side, 5x5x5 of y_hat) -> 1x1x1 -> 1x1x1 -> 1x1x1

  Args:
    out_bits: one for each output of an element, see `layers.exact`.
    features: of the masked convolution.
    widths: of the layers after it but the last.
    context_bits: y_hat counts in units of 2**-context_bits, clipped to what 8 bits hold.
    exact: see there.

  Source: Liu et al., arXiv:1904.09757, section 3.3.
  Departs: integers; leaky ReLU with a slope of 1/4.
  """

  def __init__(self, out_bits, features=24, widths=(48, 96), context_bits=2, exact=True,
               name="context_network"):
    super().__init__(1, wavefront.causal_offsets_3d(5), exact, name)
    self.context_bits = context_bits
    self.context = CausalSlices(
        features, 5, self.offsets, activation="clip", in_bits=context_bits, exact=exact,
        name="context")
    self.parameters = entropy_parameters(widths, out_bits, "leaky", exact)

  def call(self, y_hat, side):
    """Returns the outputs of all elements, (B, C, H, W, len(out_bits)).

    Args:
      y_hat: (B, C, H, W, 1), of which an element sees those before it.
      side: (B, C, H, W, D) integers in -255..255, in units of 1/16.
    """
    x = tf.concat([
        side, self.context(fixed(y_hat, self.context_bits, self.exact))], axis=-1)
    shape = tf.shape(x)
    x = tf.reshape(x, [-1, shape[2], shape[3], x.shape[-1]])
    for layer in self.parameters:
      x = layer(x)
    return tf.reshape(x, tf.concat([shape[:4], [x.shape[-1]]], axis=0))

  def site_weights(self):
    """See `CausalNetwork`."""
    return [layer.site_weights() for layer in (self.context, *self.parameters)]

  def at_sites(self, context, side, memory, weights):
    """Returns the same of single elements, see `CausalNetwork`; they leave nothing."""
    x = tf.concat([side, self.context.at_sites(
        fixed(context, self.context_bits, self.exact), weights[0])], axis=-1)
    for layer, more in zip(self.parameters, weights[1:]):
      x = layer.at_sites(x, more)
    return x, memory
