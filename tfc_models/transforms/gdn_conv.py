"""Convolutions with generalized divisive normalization (GDN)."""

import tensorflow as tf

from tfc_models.layers import GDN, Conv2DTranspose
from tfc_models.ops.graph import Graph


def analysis(widths, kernels, strides, name="analysis_transform"):
  """Returns x to y: one convolution a stage, GDN between them.

  Args:
    widths: output channels of each stage; the last one is the latent depth.
    kernels: kernel size of each stage.
    strides: downsampling of each stage.
    name: Keras name.

  Source: Balle, Laparra, Simoncelli, ICLR 2017, arXiv:1611.01704, figure 2;
    GDN: see `layers.GDN`.
  Departs: plain kernels, where the authors' code trains their DFT.
  """
  return _stages(
      tf.keras.layers.Conv2D, False, widths, kernels, strides, name)


def synthesis(widths, kernels, strides, name="synthesis_transform"):
  """Returns y_hat to x_hat, the mirror image of `analysis`, with inverse GDN."""
  return _stages(
      Conv2DTranspose, True, widths, kernels, strides, name)


def analysis_5x5(num_filters, latent_depth):
  """Returns the four stage transform of Balle et al. 2018, down by 16."""
  return analysis([num_filters] * 3 + [latent_depth], [5] * 4, [2] * 4)


def synthesis_5x5(num_filters):
  """Returns the inverse of `analysis_5x5`, to three channels."""
  return synthesis([num_filters] * 3 + [3], [5] * 4, [2] * 4)


class _GraphSequential(tf.keras.Sequential):
  """Layers one after the other, as one graph."""

  def __init__(self, layers, name):
    super().__init__(layers, name=name)
    self._as_graph = Graph(super().__call__)

  def __call__(self, x):
    return self._as_graph(x)


def _stages(convolution, inverse, widths, kernels, strides, name):
  layers = []
  for i, stage in enumerate(zip(widths, kernels, strides)):
    layers.append(convolution(*stage, padding="same", name=f"conv_{i}"))
    if i < len(widths) - 1:
      layers.append(GDN(
          inverse=inverse, name=f"{'i' if inverse else ''}gdn_{i}"))
  sequential = _GraphSequential if inverse else tf.keras.Sequential
  return sequential(layers, name=name)
