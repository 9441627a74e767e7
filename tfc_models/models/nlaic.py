"""Non-local attention and a joint 3D context (Liu et al. 2019)."""

import functools

import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    AutoregressiveCodec,
    FactorizedCodec,
    GaussianCodec,
    HyperpriorCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.layers import (
    Conv2DTranspose,
    ExactAttention,
    ExactBlock,
    ExactConv2D,
    ExactConv2DTranspose,
    NonLocalAttention,
    PlainBlock,
)
from tfc_models.models.families.block_start import BlockStart
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.ops.graph import Graph
from tfc_models.transforms import gdn_conv
from tfc_models.transforms.context_3d import JointContext3D

_conv = functools.partial(tf.keras.layers.Conv2D, padding="same")
_up = functools.partial(Conv2DTranspose, padding="same")


@registry.register("nlaic")
class NonLocalAttentionCodec(TransformModel):
  """Codes y under N(mu, sigma) of z and of elements before, in space and channels.

      x -> convolutions, blocks, attention -> y -> round -> [y string] -> mirrored -> x_hat
                                              |             ^ mu, scale indexes
                                              |    1x1x1 <-- 5x5x5 masked
                                              |     ^
                                              +-> z -> [z string] -> integer blocks

  Args:
    num_filters: width of hidden layers, in the paper M; half of it at full resolution.
    latent_depth: M, channels of y.
    side_depth: channels of z.
    num_blocks: residual blocks of each stage of the main transforms.
    attention: whether there is any, in main and hyper transforms.
    transforms: "residual", the paper's, or "gdn", those of `mbt2018`, to compare
      priors at equal transforms.

  Source: Liu, Chen, Guo, Shen, Cao, Wang, Ma, "Non-local attention optimized deep image
    compression", arXiv:1904.09757; sizes as the authors released them with Chen et al.,
    IEEE TIP 30, 2021, which drop attention above 1/16.
  Departs: `layers.NonLocalAttention` averages what it looks at. The hyper decoder is of
    integers, as it selects tables: its attention sees its neighbourhood alone. One
    Gaussian, as in 2019. Elements lie in the stream by fronts of equal column + 3 row + 9
    channel. Training starts as a transform codec, with all blocks and attention near the
    identity, and sees y rounded.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.
  # Kernels whose start, two loud taps among quiet ones, 8 bits do not hold: y of trained
  # weights took 13 % more bits.
  fine_parts = tuple(f"hyper_analysis_transform/layer-{n}" for n in (0, 2, 3, 5, 7))

  def __init__(self, *, num_filters=192, latent_depth=192, side_depth=128,
               num_blocks=3, attention=True, transforms="residual"):
    depth, width, half = latent_depth, num_filters, num_filters // 2

    def blocks(count, filters=width):
      return [PlainBlock(filters) for _ in range(count)]

    def attended(filters, kind=NonLocalAttention):
      return [kind(filters)] if attention else []

    if transforms == "residual":
      analysis = _Stack([
          _conv(half, 5), *blocks(2, half),
          _conv(width, 5, 2), _Group(blocks(num_blocks)),
          _conv(width, 5, 2), *blocks(num_blocks),
          _conv(width, 5, 2), *blocks(num_blocks),
          _conv(depth, 5, 2), *attended(depth)], name="analysis_transform")
      synthesis = _GraphStack([
          *attended(depth), _up(width, 5, 2), *blocks(num_blocks),
          _up(width, 5, 2), *blocks(num_blocks),
          _up(width, 5, 2), _Group(blocks(num_blocks)),
          _up(half, 5, 2), *blocks(num_blocks, half),
          _up(3, 5, 1)], name="synthesis_transform")
    elif transforms == "gdn":
      analysis = gdn_conv.analysis_5x5(width, depth)
      synthesis = gdn_conv.synthesis_5x5(width)
    else:
      raise ValueError(
          f"`transforms` must be 'residual' or 'gdn', got {transforms!r}.")
    hyper_synthesis = tf.keras.Sequential([
        ExactConv2D(width, 3, in_bits=0, input_limit=SYMBOL_LIMIT, activation="clip"),
        *attended(width, ExactAttention),
        ExactBlock(width), ExactBlock(width),
        ExactConv2DTranspose(width, 5, 2, activation="clip"),
        ExactBlock(width), ExactBlock(width),
        ExactConv2DTranspose(width, 5, 2, activation="clip"),
        ExactBlock(width), ExactBlock(width), ExactBlock(width),
        ExactConv2D(2 * depth, 3, activation="clip"),
    ], name="hyper_synthesis_transform")
    hyper_analysis = tf.keras.Sequential([
        *blocks(2, depth), _conv(width, 5, 2), *blocks(2), _conv(width, 5, 2),
        *attended(width), _conv(side_depth, 3)], name="hyper_analysis_transform")
    network = JointContext3D(integer_bits(1, means=True))
    super().__init__(
        analysis, synthesis,
        HyperpriorCodec(
            hyper_analysis, hyper_synthesis, FactorizedCodec(side_depth),
            AutoregressiveCodec(
                GaussianCodec("y", "round", fixed_grid=True), network,
                functools.partial(params_from_integers, means=True)),
            side_depth, functools.partial(_by_element, depth),
            start=BlockStart(hyper_analysis, hyper_synthesis, network)),
        16, depth, gdn_conv)
    self.context_network = network


class _Stack(tf.keras.layers.Layer):
  """Layers one after the other.

  Attributes:
    layers: its convolutions, which `gdn_conv.start` knows.
  """

  def __init__(self, steps, name=None):
    super().__init__(name=name)
    self.steps = steps
    self.layers = [
        layer for layer in steps if isinstance(layer, tf.keras.layers.Conv2D)]

  def call(self, x):
    for layer in self.steps:
      x = layer(x)
    return x


class _GraphStack(_Stack):
  """The same, as one graph."""

  def __init__(self, steps, name=None):
    super().__init__(steps, name)
    self._graph = Graph(super().__call__)

  def __call__(self, x):
    return self._graph(x)


class _Group(tf.keras.layers.Layer):
  """Blocks with a skip about them all, which is half of the sum; at first x."""

  def __init__(self, blocks):
    super().__init__()
    self.blocks = blocks

  def call(self, x):
    y = x
    for block in self.blocks:
      y = block(y)
    return 0.5 * (x + y)


def _by_element(depth, outputs):
  """(B, H, W, 2 M) to (B, M, H, W, 2)."""
  shape = tf.shape(outputs)
  outputs = tf.reshape(outputs, [shape[0], shape[1], shape[2], depth, 2])
  return tf.transpose(outputs, [0, 3, 1, 2, 4])
