"""Residual blocks of 3x3 convolutions, sub-pixel upsampling, simplified attention."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import GDN
from tfc_models.ops import probe
from tfc_models.ops.klt import hierarchical_klt
from tfc_models.transforms.gdn_conv import START_GAMMA, GraphSequential

# Of leaky ReLU: TensorFlow's default, of the authors' code.
_SLOPE = 0.2
# What an attention whose branches are silent multiplies by: 1 + sigmoid(0).
_ATTENTION_GAIN = 1.5


def analysis(num_filters, latent_depth, attention=False, name="analysis_transform"):
  """Returns x to y, down by 16.

  Args:
    num_filters: N, of all layers before the last.
    latent_depth: channels of y.
    attention: whether there is attention, at 1/4 and at y.
    name: Keras name.

  Source: Cheng, Sun, Takeuchi, Katto, CVPR 2020, arXiv:2001.01568, figure 4, and the
    authors' code.
  """
  layers = [
      Downsampling(num_filters, name="down_0"), Residual(name="block_0"),
      Downsampling(num_filters, name="down_1"),
      *([Attention(name="attention_0")] if attention else []), Residual(name="block_1"),
      Downsampling(num_filters, name="down_2"), Residual(name="block_2"),
      _conv(latent_depth, 3, 2, use_bias=False, name="conv"),
      *([Attention(name="attention_1")] if attention else [])]
  return tf.keras.Sequential(layers, name=name)


def synthesis(num_filters, attention=False, name="synthesis_transform"):
  """Returns y_hat to x_hat, up by 16; arguments and source as of `analysis`."""
  layers = [
      *([Attention(name="attention_0")] if attention else []), Residual(name="block_0"),
      Upsampling(num_filters, name="up_0"), Residual(name="block_1"),
      Upsampling(num_filters, name="up_1"),
      *([Attention(name="attention_1")] if attention else []), Residual(name="block_2"),
      Upsampling(num_filters, name="up_2"), Residual(name="block_3"),
      _conv(12, 3, name="conv"), _DepthToSpace(name="image")]
  return GraphSequential(layers, name=name)


class Downsampling(tf.keras.layers.Layer):
  """Down by 2: GDN(conv 3x3 of leaky ReLU of strided conv 3x3) + strided conv 1x1."""

  def __init__(self, filters, name):
    super().__init__(name=name)
    self.conv_0 = _conv(filters, 3, 2, name="conv_0")
    self.conv_1 = _conv(filters, 3, name="conv_1")
    self.gdn = GDN(name="gdn")
    self.skip = _conv(filters, 1, name="skip")

  def call(self, x):
    """See the class."""
    # Without a stride: gradients of strided convolutions of one tap crash on CPUs.
    return self.gdn(self.conv_1(_leaky(self.conv_0(x)))) + self.skip(x[:, ::2, ::2])


class Residual(tf.keras.layers.Layer):
  """x + leaky ReLU of conv 3x3, twice; at first x."""

  def build(self, shape):
    """Creates the convolutions."""
    self.conv_0 = _conv(shape[-1], 3, name="conv_0")
    self.conv_1 = _silent(shape[-1], 3, name="conv_1")
    super().build(shape)

  def call(self, x):
    """See the class."""
    branch = self.conv_1(_leaky(self.conv_0(x)))
    # Not `tf.nn.leaky_relu`: TensorFlow's optimizer of graphs breaks the gradient of
    # that between a convolution and a sum.
    return x + tf.maximum(branch, _SLOPE * branch)

  def stretch(self, factor):
    """Makes of f(x) the function factor * f(x / factor)."""
    for conv in (self.conv_0, self.conv_1):
      conv.bias.assign(conv.bias * factor)


class Upsampling(tf.keras.layers.Layer):
  """Up by 2, by depth to space of four times as many channels; at first linear.

  IGDN(conv 3x3 of leaky ReLU of sub-pixel conv 3x3) + sub-pixel conv 1x1.
  """

  def __init__(self, filters, name):
    super().__init__(name=name)
    self.conv_0 = _conv(4 * filters, 3, name="conv_0")
    self.conv_1 = _silent(filters, 3, name="conv_1")
    self.gdn = GDN(inverse=True, name="igdn")
    self.skip = _conv(4 * filters, 1, name="skip")

  def call(self, x):
    """See the class."""
    branch = self.conv_1(_leaky(tf.nn.depth_to_space(self.conv_0(x), 2)))
    return self.gdn(branch) + tf.nn.depth_to_space(self.skip(x), 2)


class Attention(tf.keras.layers.Layer):
  """x + a(x) sigmoid(b(x)): a and b three residual units each; at first 1.5 x.

  A unit is x + conv 1x1, 3x3 and 1x1 of it, with ReLU between them, of half the width.
  """

  def build(self, shape):
    """Creates the convolutions."""
    depth = shape[-1]
    self.values, self.gates = (
        [[_conv(depth // 2, 1, name=f"{side}_{unit}_0"),
          _conv(depth // 2, 3, name=f"{side}_{unit}_1"),
          _silent(depth, 1, name=f"{side}_{unit}_2")] for unit in range(3)]
        for side in ("value", "gate"))
    self.mask = _silent(depth, 1, name="mask")
    super().build(shape)

  def call(self, x):
    """See the class."""
    mask = tf.sigmoid(self.mask(_units(self.gates, x)))
    probe.note("attention", mask)
    return x + _units(self.values, x) * mask

  def stretch(self, factor):
    """Makes of f(x) the function factor * f(x / factor)."""
    for unit in (*self.values, *self.gates):
      for conv in unit:
        conv.bias.assign(conv.bias * factor)
    self.mask.kernel.assign(self.mask.kernel / factor)


class _DepthToSpace(tf.keras.layers.Layer):
  """(B, H, W, 4 C) to (B, 2 H, 2 W, C)."""

  def call(self, x):
    return tf.nn.depth_to_space(x, 2)


def start(analysis, synthesis, patches, step):
  """Makes both a transform that classical codecs know, for training to start from.

  A KLT of blocks of blocks (`ops.klt`), as of `transforms.gdn_conv`. A coefficient takes
  the way through the rectifier as a pair, v and -v, of which half as many fit as there
  are filters; where a level has more, skips pass coefficients of one site in four on as
  they are. The inverse takes the skips of the blocks upwards, which are linear. The
  other branches are silent at first; what has no coefficient starts at random, and
  nothing linear sees it.

  Args:
    analysis, synthesis: of the functions above, built.
    patches: (B, H, W, 3) uint8, sides multiples of 16.
    step: of the quantiser, on the 0..255 scale.
  """
  down, up = _levels(analysis), _levels(synthesis)[::-1]
  # Attention behind the last convolution of the analysis.
  last_gain = _gain(analysis.layers[-1])
  samples = patches.astype(np.float32)
  colour = samples.reshape(-1, 3).mean(axis=0, dtype=np.float64)
  passed = _passed([layer for layer, _ in down])
  levels = hierarchical_klt(
      (samples - colour.astype(np.float32)) / np.float32(step), [2] * len(down),
      [layer.skip.filters // 2 + count if isinstance(layer, Downsampling)
       else layer.filters for (layer, _), count in zip(down, passed)], passed)
  before = np.full(3, step / 255.0)  # What a step counts as, by channel.
  for number, ((layer, gain), (inverse_layer, inverse_gain), level) in enumerate(
      zip(down, up, levels)):
    is_last = layer is down[-1][0]
    after = 1.0 / np.sqrt(1.0 + level.deviations**2)
    after = np.ones_like(after) if is_last else after
    ratio = after / before[:, None]
    kernel, inverse = level.basis * ratio / gain, level.basis / ratio / inverse_gain
    if is_last:
      layer.kernel.assign(tf.zeros_like(layer.kernel))  # No bits for what is not seen.
      _assign_block(layer, kernel / last_gain)
    else:
      _start_downsampling(
          layer, kernel, passed[number], None if number else colour / 255.0)
    _assign_inverse(
        inverse_layer.skip if number else inverse_layer, inverse,
        None if number else colour / 255.0)
    before = after
  for layer in (*analysis.submodules, *synthesis.submodules):
    if isinstance(layer, GDN):
      depth = layer.beta.shape[0]
      layer.assign(np.ones(depth), np.full([depth] * 2, START_GAMMA / depth))


def rescale(analysis, synthesis, factor):
  """Multiplies y by `factor`, and x_hat by nothing."""
  last, _ = _levels(analysis)[-1]
  last.kernel.assign(last.kernel * factor)
  if isinstance(analysis.layers[-1], Attention):
    analysis.layers[-1].stretch(factor)
  for layer in synthesis.layers:
    if isinstance(layer, Upsampling):
      for conv in (layer.conv_0, layer.skip):
        conv.kernel.assign(conv.kernel / factor)
      return
    layer.stretch(factor)


def _levels(network):
  """Returns what halves or doubles sides, and by how much it is multiplied before."""
  levels, gain = [], 1.0
  for layer in network.layers:
    gain *= _gain(layer)
    if isinstance(layer, (Downsampling, Upsampling, tf.keras.layers.Conv2D)):
      levels.append((layer, gain))
      gain = 1.0
  return levels


def _gain(layer):
  return _ATTENTION_GAIN if isinstance(layer, Attention) else 1.0


def _passed(layers):
  """Returns how many coefficients skips have to take, by layer."""
  counts, depth = [], 3
  for layer in layers:
    width = layer.skip.filters if isinstance(layer, Downsampling) else layer.filters
    count = max(0, min(depth, width - width // 2, 4 * depth - width // 2))
    counts.append(count if isinstance(layer, Downsampling) else 0)
    depth = min(4 * depth, width // 2 + count)
  return counts


def _start_downsampling(layer, kernel, passed, colour):
  """Sets coefficients, (2, 2, C, R), of blocks of what comes in.

  Args:
    layer: `Downsampling`.
    kernel: array.
    passed: so many of the last ones the skip takes.
    colour: (C,) that counts as zero, or None.
  """
  depth, count = kernel.shape[2:]
  paired = count - passed
  pairs = np.stack([kernel, -kernel], axis=-1)[..., :paired, :]
  pairs = pairs.reshape(*kernel.shape[:3], 2 * paired)
  _assign_block(layer.conv_0, pairs)
  bias = np.zeros(layer.conv_0.filters)
  if colour is not None:
    bias = -np.einsum("hwcn,c->n", layer.conv_0.kernel.numpy(), colour)
  layer.conv_0.bias.assign(bias)
  joined, skip = layer.conv_1.kernel.numpy(), layer.skip.kernel.numpy()
  joined[..., :count] = 0.0
  skip[..., :count] = 0.0
  skip[0, 0, :depth, paired:count] = kernel[0, 0, :, paired:]
  numbers = np.arange(paired)
  joined[1, 1, 2 * numbers, numbers] = 1.0 / (1.0 + _SLOPE)
  joined[1, 1, 2 * numbers + 1, numbers] = -1.0 / (1.0 + _SLOPE)
  layer.conv_1.kernel.assign(joined)
  layer.skip.kernel.assign(skip)


def _assign_block(conv, kernel):
  """Sets the first outputs of a strided convolution, of its first inputs.

  Of a window of 3 the block is what padding "same" leaves first.
  """
  depth, count = kernel.shape[2:]
  whole = conv.kernel.numpy()
  whole[..., :count] = 0.0
  whole[:2, :2, :depth, :count] = kernel
  conv.kernel.assign(whole)


def _assign_inverse(conv, inverse, colour):
  """Sets the first channels behind a depth to space, of the first inputs.

  Args:
    conv: in front of it, of an odd size.
    inverse: (2, 2, C, R) array, of input r for the samples of a block.
    colour: (C,) to add, or None.
  """
  depth, count = inverse.shape[2:]
  whole, middle = conv.kernel.numpy(), conv.kernel_size[0] // 2
  by_block = whole.reshape(*whole.shape[:3], 2, 2, -1)
  by_block[..., :depth] = 0.0
  by_block[middle, middle, :count, ..., :depth] = np.transpose(inverse, [3, 0, 1, 2])
  conv.kernel.assign(by_block.reshape(whole.shape))
  if colour is not None:
    conv.bias.assign(np.tile(colour, 4))


def _units(units, x):
  for reduce, spatial, expand in units:
    x += expand(tf.nn.relu(spatial(tf.nn.relu(reduce(x)))))
  return x


def _leaky(x):
  return tf.nn.leaky_relu(x, _SLOPE)


def _conv(filters, size, strides=1, **options):
  return tf.keras.layers.Conv2D(filters, size, strides, padding="same", **options)


def _silent(filters, size, name):
  """Returns a convolution that ends a branch, and starts as zero."""
  return _conv(filters, size, kernel_initializer="zeros", name=name)
