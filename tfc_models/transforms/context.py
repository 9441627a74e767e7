"""From what has been decoded, and side information, to params of the next sites."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import ExactContextConv2D, ExactConv2D, fixed
from tfc_models.ops import checkerboard, wavefront
from tfc_models.transforms.causal import CausalNetwork

# What training is left to shape starts so much smaller.
_QUIET = 0.5


class ContextNetwork(CausalNetwork):
  """A masked convolution of y_hat, joined with side information by 1x1 layers.

  All of integers, so that every machine predicts the same from the same.

  Args:
    depth: M, channels of y_hat.
    out_bits: one for each output channel, see `entropy_models.integer_bits`.
    context_size: taps a side of the causal mask.
    context_width: outputs of the masked convolution.
    widths: of the 1x1 layers before the last.
    exact: see `layers.exact`.
    hidden: activation of the 1x1 layers, see there.
    context_bits: the context sees y_hat in units of 2**-context_bits, clipped to
      what 8 bits hold: 3 for eighths and +-31.9, 2 for quarters and +-63.8 ...

  Source: Minnen, Balle, Toderici, NeurIPS 2018, arXiv:1809.02736, table 1.
  Departs: integers; leaky ReLU has a slope of 1/4 in our own weights.
  """

  def __init__(self, depth, out_bits, context_size, context_width, widths,
               exact=True, hidden="leaky", context_bits=3,
               name="context_network"):
    super().__init__(
        depth, wavefront.causal_offsets(context_size), exact, name)
    self.context_bits = context_bits
    self.context = ExactContextConv2D(
        context_width, context_size, self.offsets, activation="clip",
        in_bits=context_bits, exact=exact, name="context")
    self.entropy_parameters = entropy_parameters(widths, out_bits, hidden, exact)

  def call(self, y_hat, side):
    """Returns the outputs at all sites, (B, H, W, len(out_bits)).

    Args:
      y_hat: (B, H, W, M), of which a site sees those before it.
      side: (B, H, W, D) integers in -255..255, in units of 1/16.
    """
    x = tf.concat([side, self.context(self._fixed(y_hat))], axis=-1)
    for layer in self.entropy_parameters:
      x = layer(x)
    return x

  def site_weights(self):
    """See `CausalNetwork`."""
    return [layer.site_weights() for layer in (
        self.context, *self.entropy_parameters)]

  def at_sites(self, context, side, memory, weights):
    """Returns the same of single sites, see `CausalNetwork`; they leave nothing."""
    x = self.context.at_sites(self._fixed(context), weights[0])
    x = tf.concat([side, x], axis=-1)
    for layer, more in zip(self.entropy_parameters, weights[1:]):
      x = layer.at_sites(x, more)
    return x, memory

  def pass_side_on(self, shifts=(0.0,)):
    """Makes the first outputs, indexes, those of the side information.

    The synthesis before it then predicts scales by itself, and the context adds
    nothing until training lets it. What is left of the layers starts at random.

    Args:
      shifts: as of the function `pass_side_on`.
    """
    pass_side_on(self.entropy_parameters, self.depth, shifts)

  def rescale_input(self, factor):
    """Makes of the context of y_hat that of `factor` times y_hat."""
    self.context.kernel.assign(self.context.kernel / factor)

  def _fixed(self, y_hat):
    return fixed(y_hat, self.context_bits, self.exact)


class CheckerboardNetwork(tf.keras.layers.Layer):
  """The same of the sites of one half of a checkerboard, as those of the other see it.

  Args:
    depth, out_bits, context_size, context_width, widths, context_bits: as of
      `ContextNetwork`.

  Source: He, Zheng, Sun, Wang, Qin, CVPR 2021, arXiv:2103.15306, section 4.
  Departs: integers.
  """

  def __init__(self, depth, out_bits, context_size, context_width, widths,
               context_bits=3, name="context_network"):
    super().__init__(name=name)
    self.depth = depth
    self.context_bits = context_bits
    # At the sites between, see `ops.checkerboard.surroundings`.
    self.context = ExactConv2D(
        context_width, context_size, 2, padding="VALID", activation="clip",
        in_bits=context_bits, name="context")
    self.entropy_parameters = entropy_parameters(widths, out_bits, "leaky", True)

  def call(self, side, first=None):
    """Returns the outputs at the sites of a half, (2 B, H / 2, W / 2, len(out_bits)).

    Args:
      side: (2 B, H / 2, W / 2, D) integers in -255..255, in units of 1/16.
      first: y_hat, (2 B, H / 2, W / 2, M), of the first half; None for that itself,
        which sees zeros.
    """
    if first is None:
      context = tf.zeros(
          tf.concat([tf.shape(side)[:-1], [self.context.filters]], axis=0))
    else:
      context = self.context(checkerboard.surroundings(
          checkerboard.whole(fixed(first, self.context_bits, True)), 1,
          self.context.kernel_size))
    x = tf.concat([side, context], axis=-1)
    for layer in self.entropy_parameters:
      x = layer(x)
    return x

  def pass_side_on(self, shifts=(0.0,)):
    """As of `ContextNetwork`."""
    pass_side_on(self.entropy_parameters, self.depth, shifts)

  def rescale_input(self, factor):
    """As of `ContextNetwork`."""
    self.context.kernel.assign(self.context.kernel / factor)


def entropy_parameters(widths, out_bits, hidden, exact):
  """Returns the 1x1 layers to the outputs."""
  return [
      *(ExactConv2D(width, 1, activation=hidden, exact=exact, name=f"parameters_{number}")
        for number, width in enumerate(widths)),
      ExactConv2D(
          len(out_bits), 1, activation=None, out_bits=out_bits, exact=exact,
          name=f"parameters_{len(widths)}")]


def pass_side_on(layers, depth, shifts=(0.0,)):
  """Makes the first outputs of integer layers, one after the other, their first inputs.

  Args:
    layers: list of `layers.ExactConv2D` of one tap.
    depth: how many of the outputs; the last layer's others start at zero.
    shifts: the last layer has these outputs so often, each time with so much more, in
      units of the real network.
  """
  for layer in layers:
    kernel = _QUIET * layer.kernel.numpy()
    bias = np.zeros(layer.filters)
    kernel[..., :depth] = 0.0
    if layer is layers[-1]:
      kernel[:] = 0.0
    for copy, shift in enumerate(shifts if layer is layers[-1] else (0.0,)):
      outputs = np.arange(copy * depth, (copy + 1) * depth)
      # Indexes are positive: rectifiers let them through.
      kernel[0, 0, range(depth), outputs] = 1.0 / layer.scale
      bias[outputs] = shift
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    layer.fix_tables()
