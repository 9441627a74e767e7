"""What hyper transforms of residual blocks start as."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import (
    ExactConv2D,
    ExactConv2DTranspose,
    PlainBlock,
)
from tfc_models.models.families import loudness
from tfc_models.ops.parts import in_parts
from tfc_models.transforms.context import pass_side_on

# What training is left to shape starts so much smaller.
_QUIET = 0.1


class BlockStart:
  """Starts hyper transforms of residual blocks as what predicts scales from loudness.

  As `analytic_hyperprior`: the first block adds up rectified projections of a group of
  channels, in place of a channel that is always quiet, the first block at half the size
  has its logarithm, and z tells it of 2x2 sites. Integers bring it back to its sites,
  interpolated, and the last layer is fitted to the bits of y.

  Args:
    analysis: `tf.keras.Sequential` of two blocks of y, a convolution of 5x5 with stride
      2, blocks, another such one, layers that start as the identity, and the last
      convolution, of 3x3.
    synthesis: the same of integers: 3x3, two transposed ones, 3x3, and what starts as
      the identity. Of each channel of y come an index and another feature.
    context: `transforms.context_3d.JointContext3D` between the synthesis and params.

  Source: none; the authors start at random. Of `nlaic` with 64/192 channels, on
    transforms of `mbt2018-mean`, validation takes 0.873 bpp at this start and 1.080 at
    that of constant scales.
  """

  def __init__(self, analysis, synthesis, context):
    self.analysis = analysis
    self.synthesis = synthesis
    self.context = context

  def prepare(self, y):
    """Sets all networks, of y, (B, H, W, M) float32, H and W multiples of 4."""
    sigmas = loudness.deviations(y)
    convolutions = [layer for layer in self.synthesis.layers
                    if isinstance(layer, (ExactConv2D, ExactConv2DTranspose))]
    # Four channels of z, and as many of what is made of it, for each of them.
    width = min(convolutions[0].filters, self.analysis.layers[-1].filters)
    groups = loudness.octaves(sigmas, min(width // 4, len(sigmas) // 8))
    self._start_analysis(y, groups, sigmas)
    self._start_synthesis(convolutions, len(groups))
    self._fit(y, convolutions[-1], len(groups), sigmas)
    pass_side_on(self.context.parameters, 1)

  def rescale(self, factor):
    """Does nothing: training finds its way."""

  def _start_analysis(self, y, groups, sigmas):
    layers = self.analysis.layers
    halves = [number for number, layer in enumerate(layers)
              if isinstance(layer, tf.keras.layers.Conv2D)]
    quiet = np.argsort(sigmas, kind="stable")[:len(groups)]
    _assign_block(layers[0], *_loudness_block(layers[0], groups, sigmas, quiet))
    first, second, last = (layers[number] for number in halves)
    kernel = _QUIET * first.kernel.numpy()
    kernel[..., :len(groups)] = 0.0
    kernel[loudness.BLOCK, loudness.BLOCK, quiet, range(len(groups))] = 0.25
    first.kernel.assign(kernel)
    loud = in_parts(tf.keras.Sequential(layers[:halves[0] + 1]), y)
    block = layers[halves[0] + 1]
    _assign_block(block, *_logarithm_block(block, loud, len(groups)))
    kernel = _QUIET * second.kernel.numpy()
    kernel[..., :4 * len(groups)] = 0.0
    for g in range(len(groups)):
      for site, tap in enumerate(loudness.taps()):
        kernel[(*tap, g, 4 * g + site)] = 1.0
    second.kernel.assign(kernel)
    kernel = _QUIET * last.kernel.numpy()
    _pass_on(kernel, 4 * len(groups))
    last.kernel.assign(kernel)

  def _start_synthesis(self, convolutions, count):
    first, spread, between, _ = convolutions
    kernels = [layer.real_kernel() for layer in (first, spread, between)]
    _pass_on(kernels[0], 4 * count)
    for kernel in kernels[1:]:
      kernel[:, :, :count] = 0.0
    for g in range(count):
      for site, tap in enumerate(loudness.taps()):
        kernels[1][(*tap, g, 4 * g + site)] = 1.0
      kernels[2][:, :, g, g] = loudness.BETWEEN
    for layer, kernel in zip(convolutions, kernels):
      layer.assign_real(kernel)

  def _fit(self, y, last, count, sigmas):
    """Sets the last layer to predict indexes from what the groups say."""
    before = tf.keras.Sequential(self.synthesis.layers[:-1])
    z = np.round(in_parts(self.analysis, y))
    heard = in_parts(before, z)[..., :count] * 2.0**-last.in_bits
    weights = loudness.fit_indexes(heard, y, sigmas)
    kernel, bias = _QUIET * last.real_kernel(), np.zeros(last.filters)
    # Of an element come first what the index is, then the other feature.
    kernel[..., 0::2] = 0.0
    kernel[1, 1, :count, 0::2] = weights[1:]
    bias[0::2] = weights[0]
    last.assign_real(kernel, bias)


def _loudness_block(block, groups, sigmas, outputs):
  """Returns the kernels of a block that makes of a channel the loudness of a group."""
  inner, outer = (layer.real_kernel() for layer in block.convolutions)
  # As many again are for what was in the channel, and for training.
  each = max(1, inner.shape[-1] // (4 * len(groups)))
  for number, (group, output) in enumerate(zip(groups, outputs)):
    plus = np.arange(each + 1) + 2 * (each + 1) * number
    project = loudness.projections(sigmas[group], each)
    for units, sign in ((plus, 1.0), (plus + each + 1, -1.0)):
      inner[..., units] = 0.0
      inner[1, 1, group[:, None], units[1:]] = sign * project
      inner[1, 1, output, units[0]] = sign
      outer[1, 1, units, output] = [-sign, *each * [1.0 / each]]
  return inner, outer


def _logarithm_block(block, loud, count):
  """Returns kernels and biases of a block that takes the logarithm of channels."""
  first, second = block.convolutions
  inner, outer = first.real_kernel(), second.real_kernel()
  bends, offsets = np.zeros(first.filters), np.zeros(second.filters)
  for g in range(count):
    units = np.arange(loudness.NUM_KNOTS * g, loudness.NUM_KNOTS * (g + 1))
    found, weights, offset = loudness.logarithm(loud[..., g].ravel(), tf.nn.relu)
    inner[..., units] = 0.0
    inner[1, 1, g, units] = 1.0
    bends[units] = -found
    # The block adds to the loudness itself, which the first piece takes away.
    outer[1, 1, units, g] = weights - np.eye(len(units))[0]
    offsets[g] = offset - found[0]
  return inner, outer, bends, offsets


def _assign_block(block: PlainBlock, inner, outer, bends=0.0, offsets=0.0):
  first, second = block.convolutions
  first.assign_real(inner, bends)
  second.assign_real(outer, offsets)


def _pass_on(kernel, count):
  """Lets the first outputs of a kernel of 3x3 be the first inputs."""
  kernel[..., :count] = 0.0
  kernel[1, 1, range(count), range(count)] = 1.0
