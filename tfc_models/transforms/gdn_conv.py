"""Convolutions with generalized divisive normalization (GDN)."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import GDN, Centred, Conv2DTranspose
from tfc_models.ops.graph import Graph
from tfc_models.ops.klt import block_taps, hierarchical_klt

# What all gammas of a GDN that starts near the identity add up to, for channels of
# unit variance: it changes them by less than 3 %, yet gammas have gradients that
# Adam sees (at their bound, 0, they have not).
START_GAMMA = 0.064


def analysis(widths, kernels, strides, name="analysis_transform", centred=False):
  """Returns x to y: one convolution a stage, GDN between them.

  Args:
    widths: output channels of each stage; the last one is the latent depth.
    kernels: kernel size of each stage.
    strides: downsampling of each stage.
    name: Keras name.
    centred: how windows lie, see `layers.Centred`.

  Source: Balle, Laparra, Simoncelli, ICLR 2017, arXiv:1611.01704, figure 2;
    GDN: see `layers.GDN`.
  Departs: plain kernels, where the authors' code trains their DFT.
  """
  return _stages(
      tf.keras.layers.Conv2D, False, widths, kernels, strides,
      Centred if centred else tf.keras.Sequential, name=name)


def synthesis(widths, kernels, strides, name="synthesis_transform", centred=False,
              medians=False):
  """Returns y_hat to x_hat, the mirror image of `analysis`, with inverse GDN.

  Args:
    widths, kernels, strides, name, centred: as of `analysis`.
    medians: whether it adds those of y_hat, see `layers.Centred`, if centred.
  """
  kind, options = (
      (_GraphCentred, {"medians": medians}) if centred else (GraphSequential, {}))
  return _stages(
      Conv2DTranspose, True, widths, kernels, strides, kind, name=name, **options)


def analysis_5x5(num_filters, latent_depth, **options):
  """Returns the four stage transform of Balle et al. 2018, down by 16."""
  return analysis([num_filters] * 3 + [latent_depth], [5] * 4, [2] * 4, **options)


def synthesis_5x5(num_filters, **options):
  """Returns the inverse of `analysis_5x5`, to three channels."""
  return synthesis([num_filters] * 3 + [3], [5] * 4, [2] * 4, **options)


def start(analysis, synthesis, patches, step):
  """Makes both a transform that classical codecs know, for training to start from.

  A KLT of blocks of blocks (`ops.klt`), one level a convolution, whose coefficients
  are counted in quantiser steps; between the levels they have at most unit variance,
  and GDN is near the identity. Channels for which there is no coefficient keep the
  kernels that lead to them, and nothing sees them yet.

  Args:
    analysis: of `analysis`, built.
    synthesis: of `synthesis`, likewise.
    patches: (B, H, W, 3) uint8, sides multiples of the product of the strides.
    step: of the quantiser, on the 0..255 scale.
  """
  down, up = _convolutions(analysis), _convolutions(synthesis)[::-1]
  samples = patches.astype(np.float32)
  colour = samples.reshape(-1, 3).mean(axis=0, dtype=np.float64)
  levels = hierarchical_klt(
      (samples - colour.astype(np.float32)) / np.float32(step),
      [conv.strides[0] for conv in down], [conv.filters for conv in down])
  before = np.full(3, step / 255.0)  # What a step counts as, by channel.
  for conv, deconv, level in zip(down, up, levels):
    after = 1.0 / np.sqrt(1.0 + level.deviations**2)
    if conv is down[-1]:
      after = np.ones_like(after)
    ratio = after / before[:, None]
    depth, count = ratio.shape
    taps = block_taps(conv.kernel_size[0], conv.strides[0])
    kernel, inverse = conv.kernel.numpy(), deconv.kernel.numpy()
    kernel[..., :count] = 0.0
    kernel[taps, taps, :depth, :count] = level.basis * ratio
    inverse[:, :, :depth] = 0.0
    inverse[taps, taps, :depth, :count] = level.basis / ratio
    bias = np.zeros(conv.filters)
    if conv is down[0]:
      bias = -np.einsum("hwcn,c->n", kernel, colour / 255.0)
    conv.kernel.assign(kernel)
    conv.bias.assign(bias)
    deconv.kernel.assign(inverse)
    deconv.bias.assign(np.zeros(deconv.filters))
    before = after
  up[0].bias.assign(colour / 255.0)
  for layer in (*analysis.layers, *synthesis.layers):
    if isinstance(layer, GDN):
      depth = layer.beta.shape[0]
      layer.assign(np.ones(depth), np.full([depth] * 2, START_GAMMA / depth))


def rescale(analysis, synthesis, factor):
  """Multiplies y by `factor`, and x_hat by nothing."""
  last, first = _convolutions(analysis)[-1], _convolutions(synthesis)[0]
  last.kernel.assign(last.kernel * factor)
  last.bias.assign(last.bias * factor)
  first.kernel.assign(first.kernel / factor)


def _convolutions(sequential):
  """Returns what comes between the layers of a network that start as the identity."""
  return [layer for layer in sequential.layers
          if isinstance(layer, tf.keras.layers.Conv2D)]


class _AsGraph:
  """In front of a network: it runs as one graph."""

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self._as_graph = Graph(super().__call__)

  def __call__(self, x):
    return self._as_graph(x)


class GraphSequential(_AsGraph, tf.keras.Sequential):
  """Layers one after the other, as one graph."""


class _GraphCentred(_AsGraph, Centred):
  """Layers one after the other, aligned in another way."""


def _stages(convolution, inverse, widths, kernels, strides, kind, **options):
  layers = []
  for i, stage in enumerate(zip(widths, kernels, strides)):
    layers.append(convolution(*stage, padding="same", name=f"conv_{i}"))
    if i < len(widths) - 1:
      layers.append(GDN(
          inverse=inverse, name=f"{'i' if inverse else ''}gdn_{i}"))
  return kind(layers, **options)
