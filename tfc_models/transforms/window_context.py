"""A small network of windows of what was decoded and of hyper features."""

import itertools

import numpy as np
import tensorflow as tf

from tfc_models.layers import ExactConv2D, fixed
from tfc_models.layers.exact import activated
from tfc_models.transforms.causal import CausalNetwork
from tfc_models.transforms.context import entropy_parameters, pass_side_on

# Rows and columns of the window, about the site.
_ROWS, _COLUMNS = range(-3, 1), range(-2, 2)
OFFSETS = [site for site in itertools.product(_ROWS, _COLUMNS) if site < (0, 0)]
# Where 3x3 taps lie within the window, as (row, column) of the first of them. The last
# row of those that come first has the site in its middle.
_PLACES = [(1, 1), (1, 0), (0, 1), (0, 0)]
_TAPS = [list(itertools.product(range(row, row + 3), range(column, column + 3)))
         for row, column in _PLACES]
# The two halves of the first convolution are finer than their sum.
_BITS, _MORE_BITS = 4, 2
# What training is left to shape starts so much smaller.
_QUIET = 0.5


class WindowContext(CausalNetwork):
  """Convolutions within a window of 4x4 sites, which end in a single one.

      side information, 4x4 ->  conv 3x3 \
                                          + -> 2x2 -> conv 2x2 -> 1x1 -> 1x1 -> params
      y_hat, 4x4, of the past -> conv 3x3 /

  The window is that of rows r - 3 to r and columns c - 2 to c + 1; of y_hat it ends
  before the site itself. No convolution sees zeros but those outside of the latent, so
  that what side information contributes is one convolution of all of it, `windows_of`,
  before any walk.

  Args:
    depth: M, channels of y_hat.
    out_bits: one for each output channel, see `entropy_models.integer_bits`.
    widths: outputs of the convolutions of 3x3, of 2x2, and of the first one of 1x1;
      the least is `depth` or more.
    context_bits: as of `transforms.context.ContextNetwork`.

  Source: Lee, Cho, Beack, ICLR 2019, arXiv:1809.10452, section 3.2 and the authors'
    test code.
  Departs: the authors' convolutions, of 3x3, 3x3 with stride 2 and 3x3, see zeros around
    the window, so that the first one has 16 outputs where this has 4; integers; leaky
    ReLU has a slope of 1/4, theirs 1/5.
  """

  def __init__(self, depth, out_bits, widths, context_bits=3, name="context_network"):
    super().__init__(depth, OFFSETS, exact=True, name=name)
    self.context_bits = context_bits
    more = {"activation": None, "out_bits": _BITS + _MORE_BITS}
    self.context = _Windows(
        widths[0], is_causal=True, in_bits=context_bits, name="context", **more)
    self.side = _Windows(widths[0], is_causal=False, in_bits=_BITS, name="side", **more)
    self.entropy_parameters = entropy_parameters(widths[1:], out_bits, "leaky", True)

  def windows_of(self, features):
    """Returns what side information contributes, the `side` of `call`.

    Args:
      features: (B, H, W, D) integers in -255..255, in units of 1/16.

    Returns:
      (B, H, W, 4 widths[0]).
    """
    return self.side(features)

  def call(self, y_hat, side):
    """Returns the outputs at all sites, (B, H, W, len(out_bits)).

    Args:
      y_hat: (B, H, W, M), of which a site sees those before it.
      side: of `windows_of`.
    """
    x = _joined(side, self.context(fixed(y_hat, self.context_bits)))
    for layer in self.entropy_parameters:
      x = layer(x)
    return x

  def site_weights(self):
    """See `CausalNetwork`."""
    return [layer.site_weights() for layer in (
        self.context, *self.entropy_parameters)]

  def at_sites(self, context, side, memory, weights):
    """Returns the same of single sites, see `CausalNetwork`; they leave nothing."""
    x = _joined(side, self.context.at_sites(fixed(context, self.context_bits), weights[0]))
    for layer, more in zip(self.entropy_parameters, weights[1:]):
      x = layer.at_sites(x, more)
    return x, memory

  def pass_side_on(self, shifts=(0.0,)):
    """As of `transforms.context.ContextNetwork`."""
    for layer in (self.side, self.context):
      kernel = _QUIET * layer.kernel.numpy()
      kernel[..., :self.depth] = 0.0
      if layer is self.side:
        # The site itself, where the first of the places has it.
        kernel[2, 1, range(self.depth), range(self.depth)] = 1.0 / layer.scale
      layer.kernel.assign(kernel)
      layer.bias.assign(np.zeros(layer.filters))
      layer.fix_tables()
    pass_side_on(self.entropy_parameters, self.depth, shifts)

  def rescale_input(self, factor):
    """Makes of the context of y_hat that of `factor` times y_hat."""
    self.context.kernel.assign(self.context.kernel / factor)


def _joined(side, context):
  """Returns the activation of both halves' sum."""
  return activated((side + context) * 2.0**-_MORE_BITS, "leaky")


class _Windows(ExactConv2D):
  """A convolution of 3x3 at the four places of a window that hold it.

  Args:
    is_causal: whether sites from the last two of the window on do not count.
    **kwargs: as of `ExactConv2D`.
  """

  def __init__(self, filters, is_causal, **kwargs):
    super().__init__(filters, 3, padding="VALID", **kwargs)
    self._known = [[
        not is_causal or (_ROWS[row], _COLUMNS[column]) in OFFSETS
        for row, column in taps] for taps in _TAPS]

  def call(self, x):
    """Returns (B, H, W, 4 filters), in the order of `_PLACES`."""
    x = tf.pad(x, [[0, 0], [-_ROWS[0], _ROWS[-1]], [-_COLUMNS[0], _COLUMNS[-1]], [0, 0]])
    kernel, bias = self.integers()
    shape, places = tf.shape(x), []
    height, width = shape[1] - 3, shape[2] - 3
    known_to = {}
    for (row, column), known in zip(_PLACES, self._known):
      mask = tuple(known)
      if mask not in known_to:
        shown = np.reshape(np.float32(mask), [3, 3, 1, 1])
        known_to[mask] = self._finish(self._convolve(x, kernel * shown), bias,
                                      self._factor())
      places.append(known_to[mask][:, row:row + height, column:column + width])
    return tf.concat(places, axis=-1)

  def at_sites(self, x, weights):
    """Returns (B, n, 4 filters) of the causal context, see `CausalNetwork`."""
    depth = x.shape[-1] // len(OFFSETS)
    batch, count = tf.unstack(tf.shape(x)[:2])
    # Unknown ones are zeros, behind all others.
    x = tf.pad(tf.reshape(x, [batch, count, len(OFFSETS), depth]),
               [[0, 0], [0, 0], [0, 1], [0, 0]])
    numbers = [
        OFFSETS.index((_ROWS[row], _COLUMNS[column])) if is_known else len(OFFSETS)
        for taps, known in zip(_TAPS, self._known)
        for (row, column), is_known in zip(taps, known)]
    x = tf.reshape(
        tf.gather(x, numbers, axis=2), [batch, count, len(_PLACES), 9 * depth])
    x = super().at_sites(x, weights)
    return tf.reshape(x, [batch, count, len(_PLACES) * self.filters])
