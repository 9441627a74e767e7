"""A hyperprior that knows before any training how loud the latent is."""

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models import INDEX_UNIT, index_from_scale
from tfc_models.models.families import loudness
from tfc_models.ops.parts import in_parts

# Kernels that training is left to shape start so much smaller.
_QUIET = 0.3


class AnalyticHyperprior:
  """Starts a pair of hyper transforms as what predicts scales from loudness.

  Channels of y in groups by their variance, each twice as many as the one before;
  the loudness of a group at a site is the mean of |y| / sigma over its channels. The
  hyper analysis takes its mean over 2x2 sites, and then, for each 2x2 of those, its
  logarithm, made of pieces: four channels of z a group. The hyper synthesis brings
  them back to where they belong, interpolates, and predicts the index of each
  channel of y as a sum over the groups, fitted to the bits of y. What the networks
  have besides starts at random, and small.

  Args:
    analysis, synthesis: `transforms.hyper`, three layers each.
    magnitudes: whether the analysis is given |y|.
    context: `transforms.context.ContextNetwork` or the like between the synthesis and
      params, or None; of the first channels of y, if it is of some.
    shifts: where a context says several indexes of a channel, one for each component
      of a mixture: what these start with beside what the synthesis says. Its outputs
      are all indexes, then as many means.

  Source: none; the papers start at random. J = bpp + 0.013 mse of `mbt2018-mean` with
    64/192 channels is 1.56 on kodim 2, 8, 14, 20 at this start, 8.4 after 300 steps
    from a random one.
  """

  def __init__(self, analysis, synthesis, magnitudes=False, context=None,
               shifts=(0.0,)):
    self.analysis = analysis
    self.synthesis = synthesis
    self.magnitudes = magnitudes
    self.context = context
    self.shifts = shifts

  def prepare(self, y):
    """Sets all kernels and biases, those of a context too.

    Args:
      y: (B, H, W, M) float32, H and W multiples of 4.
    """
    deviations = loudness.deviations(y)
    width = min(self.analysis.layers[0].filters,
                *(layer.filters for layer in self.synthesis.layers))
    groups = loudness.octaves(deviations, width // 8)
    self._start_analysis(y, groups, deviations)
    self._start_synthesis(len(groups))
    self._fit(y, len(groups), deviations)
    if self.context:
      self.context.pass_side_on([shift / INDEX_UNIT for shift in self.shifts])

  def rescale(self, factor):
    """Makes of the networks for y those for `factor` times y."""
    first = self.analysis.layers[0]
    first.kernel.assign(first.kernel / factor)
    louder = float(index_from_scale(factor) - index_from_scale(1.0)) / INDEX_UNIT
    last, depth = self.synthesis.layers[-1], self._depth
    if self.context:
      self.context.rescale_input(factor)
      # What has no context has its indexes from the synthesis.
      bias = last.bias.numpy()
      bias[self.context.depth:depth] += louder
      last.bias.assign(bias)
      last, depth = self.context.entropy_parameters[-1], self.context.depth
    indexes = depth * len(self.shifts)
    means = slice(indexes, 2 * indexes)
    kernel, bias = last.kernel.numpy(), last.bias.numpy()
    kernel[..., means] *= factor
    bias[means] *= factor
    bias[:indexes] += louder
    last.kernel.assign(kernel)
    last.bias.assign(bias)
    self._fix_tables()

  @property
  def _depth(self):
    """Channels of y."""
    return self.analysis.layers[0].kernel.shape[2]

  def _start_analysis(self, y, groups, deviations):
    first, second, last = self.analysis.layers
    units = self._start_loudness(first, groups, deviations)
    if self.magnitudes:
      y = np.abs(y)
    shape = y.shape[0], y.shape[1] // 2, 2, y.shape[2] // 2, 2, len(groups), -1
    loud = in_parts(first, y)[..., :units.size]
    loud = loud.reshape(shape).sum(-1).mean((2, 4)) / self._gain(units)
    kernel, bias = second.kernel.numpy(), np.zeros(second.filters)
    logarithm, offsets = _QUIET * last.kernel.numpy(), np.zeros(last.filters)
    kernel[..., :len(groups) * loudness.NUM_KNOTS] = 0.0
    logarithm[..., :4 * len(groups)] = 0.0
    block = loudness.BLOCK
    for g in range(len(groups)):
      values = loud[..., g].ravel()
      bends, weights, offset = loudness.logarithm(values, second.activation)
      knots = slice(g * loudness.NUM_KNOTS, (g + 1) * loudness.NUM_KNOTS)
      kernel[block, block, units[g][:, None], knots] = 0.25 / self._gain(units)
      bias[knots] = -bends
      for site, tap in enumerate(loudness.taps()):
        logarithm[(*tap, knots, 4 * g + site)] = weights
      offsets[4 * g:4 * g + 4] = offset
    second.kernel.assign(kernel)
    second.bias.assign(bias)
    last.kernel.assign(logarithm)
    last.bias.assign(offsets)

  def _start_loudness(self, layer, groups, deviations):
    """Lets units of a layer, (G, n), add up to the loudness of each group."""
    middle = layer.kernel_size[0] // 2
    kernel = _QUIET * layer.kernel.numpy()
    if self.magnitudes:
      units = np.arange(len(groups))[:, None]
    else:
      units = np.arange(layer.filters // (2 * len(groups)) * 2 * len(groups))
      units = units.reshape(len(groups), -1)
    kernel[..., :units.size] = 0.0
    for group, own in zip(groups, units):
      if self.magnitudes:
        kernel[middle, middle, group, own[0]] = 1.0 / deviations[group] / len(group)
        continue
      # |v| of random projections v, of a rectifier's two sides.
      project = loudness.projections(deviations[group], len(own) // 2)
      kernel[middle, middle, group[:, None], own[0::2]] = project
      kernel[middle, middle, group[:, None], own[1::2]] = -project
    layer.kernel.assign(kernel)
    layer.bias.assign(np.zeros(layer.filters))
    return units

  def _gain(self, units):
    """Returns what the units of a group add up to where the loudness is 1."""
    if self.magnitudes:
      return 1.0
    slope = -float(self.analysis.layers[0].activation(tf.constant(-1.0)))
    return (1.0 - slope) * units.shape[1] / 2

  def _start_synthesis(self, count):
    first, second, _ = self.synthesis.layers
    spread, between = first.kernel.numpy(), second.kernel.numpy()
    spread[:, :, :2 * count] = 0.0
    between[:, :, :2 * count] = 0.0
    # A leaky rectifier passes v and -v on as a pair.
    whole = loudness.BETWEEN / (1.0 + first.slope)
    for g in range(count):
      pair = slice(2 * g, 2 * g + 2)
      for site, tap in enumerate(loudness.taps()):
        spread[(*tap, pair, 4 * g + site)] = 1.0, -1.0
      between[:, :, pair, pair] = whole[..., None, None] * [[1.0, -1.0], [-1.0, 1.0]]
    first.kernel.assign(spread / first.scale)
    second.kernel.assign(between / second.scale)
    first.bias.assign(np.zeros(first.filters))
    second.bias.assign(np.zeros(second.filters))
    self._fix_tables()

  def _fit(self, y, count, deviations):
    """Sets the last layer of the synthesis to predict indexes from the groups."""
    first, second, last = self.synthesis.layers
    z = self.analysis(tf.constant(np.abs(y) if self.magnitudes else y))
    pairs = second(first(tf.round(z))).numpy()[..., :2 * count]
    pairs *= 2.0**-int(second.out_bits[0]) / (1.0 + second.slope)
    rows = (pairs[..., 0::2] - pairs[..., 1::2]).reshape(-1, count)
    weights = loudness.fit_indexes(rows, y, deviations)
    # What else the network has is heard as soon as training lets it.
    kernel, bias = np.zeros(last.kernel.shape), np.zeros(last.filters)
    middle = last.kernel_size // 2
    own = weights[1:] / (1.0 + second.slope)
    kernel[middle, middle, 0:2 * count:2, :self._depth] = own
    kernel[middle, middle, 1:2 * count:2, :self._depth] = -own
    bias[:self._depth] = weights[0]
    last.kernel.assign(kernel / last.scale)
    last.bias.assign(bias)
    self._fix_tables()

  def _fix_tables(self):
    for network in (self.synthesis, self.context):
      for module in network.submodules if network else ():
        if hasattr(module, "fix_tables"):
          module.fix_tables()
