"""Convolutions under a norm, to 1/16 and back, with residual blocks in the generator."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import (
    ChannelNorm,
    InstanceNorm,
    ScaledConv2D,
    ScaledConv2DTranspose,
)
from tfc_models.ops.graph import Graph
from tfc_models.ops.klt import block_taps, hierarchical_klt, pairs

# From what recipes call a norm to its layer.
NORMS = {"instance": InstanceNorm, "channel": ChannelNorm}
# Of the images on [0, 1], about; training starts from networks for it.
_DEVIATION = 0.25
# Deviations below which coefficients are not amplified: in steps, of what was rounded,
# and on [0, 1].
_LEAST, _SILENCE = 1.0, 1.0 / 255.0
# Channels that training is left to shape start so much smaller.
_QUIET = 0.3


class Encoder(tf.keras.layers.Layer):
  """(B, H, W, 3) in [0, 1] to (B, H / 16, W / 16, depth).

  7x7, four of 3x3 that halve, 3x3; a norm and a ReLU behind all but the last.

  Args:
    widths: of the layer at full resolution and the four that halve it.
    depth: output channels.
    norm: "instance", as in Agustsson et al., or "channel", as in HiFiC.

  Source: Agustsson et al., ICCV 2019, arXiv:1804.02958, after pix2pixHD: Wang et al.,
    CVPR 2018, arXiv:1711.11585; Mentzer et al., NeurIPS 2020, arXiv:2006.09965, figure 2
    and the authors' code.
  Departs: zeros around images, where pix2pixHD reflects them.
  """

  def __init__(self, widths, depth, norm="channel", name="analysis_transform"):
    super().__init__(name=name)
    self.down = [
        _Normed(_layer(ScaledConv2D, norm, width, 3 if number else 7, 2 if number else 1),
                norm, name=f"down_{number}")
        for number, width in enumerate(widths)]
    self.last = ScaledConv2D(depth, 3, rate=_rate(norm), name="last")

  @property
  def layers(self):
    """All of them, the last one last."""
    return [*self.down, self.last]

  def call(self, x):
    """Returns y."""
    for layer in self.down:
      x = layer(x)
    return self.last(x)


class Generator(tf.keras.layers.Layer):
  """(B, H / 16, W / 16, depth) to (B, H, W, 3).

  3x3, residual blocks, four of 3x3 that double, 7x7; norms and ReLUs as of `Encoder`.

  Args:
    widths: of the body at 1/16 and the four layers that double the resolution.
    blocks: residual blocks of the body.
    norm: as of `Encoder`.
    skip: whether the latent is normalised by itself first, and what enters the body is
      added to what leaves it, as in HiFiC.
    tanh: whether one bounds x_hat, as in Agustsson et al.

  Source: as of `Encoder`.
  Departs: as there. The sum around the body is halved, since both parts are alike at
    first.
  """

  def __init__(self, widths, blocks, norm="channel", skip=False, tanh=False,
               name="synthesis_transform"):
    super().__init__(name=name)
    self.enter = NORMS[norm](name="enter") if skip else None
    self.head = _Normed(
        _layer(ScaledConv2D, norm, widths[0], 3), norm, relu=not skip, name="head")
    self.body = [
        _Block(widths[0], norm, name=f"block_{number}") for number in range(blocks)]
    self.up = [
        _Normed(_layer(ScaledConv2DTranspose, norm, width, 3, 2), norm,
                name=f"up_{number}")
        for number, width in enumerate(widths[1:])]
    self.last = ScaledConv2D(3, 7, rate=_rate(norm), name="last")
    self.skip = skip
    self.tanh = tanh
    self._as_graph = Graph(super().__call__)

  def __call__(self, y_hat):  # noqa: D102 - As `call`.
    return self._as_graph(y_hat)

  def call(self, y_hat):
    """Returns x_hat."""
    head = x = self.head(self.enter(y_hat) if self.skip else y_hat)
    for block in self.body:
      x = block(x)
    if self.skip:
      x = 0.5 * (head + x)
    for layer in self.up:
      x = layer(x)
    x = self.last(x)
    return 0.5 + 0.5 * tf.tanh(2.0 * x - 1.0) if self.tanh else x


class _Normed(tf.keras.layers.Layer):
  """A convolution and a norm, perhaps a ReLU."""

  def __init__(self, convolution, norm, relu=True, quiet=False, name=None):
    super().__init__(name=name)
    self.convolution = convolution
    self.normalization = NORMS[norm](quiet, name="normalization")
    self.relu = relu

  def call(self, x):
    x = self.normalization(self.convolution(x))
    return tf.nn.relu(x) if self.relu else x

  def set_linear(self, basis):
    """Sets the kernel as `_write`, and a normalisation that changes little.

    Args:
      basis: as there; its outputs are pairs of about unit variance.
    """
    _write(self.convolution, basis)
    used = basis.shape[
        2 if isinstance(self.convolution, ScaledConv2DTranspose) else 3]
    self.normalization.hold(used / self.convolution.filters)


class _Block(tf.keras.layers.Layer):
  """x + its branch of two convolutions; at first x, with norms of channels."""

  def __init__(self, filters, norm, name=None):
    super().__init__(name=name)
    is_quiet = norm == "channel"
    self.branch = [
        _Normed(_layer(ScaledConv2D, norm, filters, 3, rate=8.0), norm, name="first"),
        _Normed(_layer(ScaledConv2D, norm, filters, 3, rate=8.0), norm, relu=False,
                quiet=is_quiet, name="second")]

  def call(self, x):
    first, second = self.branch
    return x + second(first(x))


def _layer(kind, norm, width, size, strides=1, rate=None):
  # An instance norm takes away what a bias adds.
  return kind(width, size, strides, use_bias=norm == "channel",
              rate=rate or _rate(norm), name="conv")


def _rate(norm):
  """Returns the rate of kernels: those of a norm of channels start from data."""
  return 1.0 if norm == "channel" else 8.0


def start(encoder, generator, patches, step=None, deviation=None):
  """Makes both a KLT of 16x16 blocks, for training to start from.

  A level of blocks a convolution (`ops.klt`); coefficients of unit variance pass the
  ReLUs as pairs of positive and negative parts, and the norms, of channels, hold still.
  Where the generator normalises the latent by itself, the last channel of y stays zero:
  what that makes of it is what the others lost.

  Args:
    encoder: `Encoder`, built.
    generator: `Generator`, likewise, of the mirrored widths.
    patches: (B, H, W, 3) uint8, sides multiples of 16.
    step: of the quantiser, on the 0..255 scale, which coefficients are counted in.
    deviation: if there is no step: that of all coefficients.
  """
  x = patches.astype(np.float32) / 255.0
  mean = x.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
  widths = [layer.convolution.filters // 2 for layer in encoder.down[1:]]
  widths[-1] = min(widths[-1], encoder.last.filters - generator.skip)
  levels = hierarchical_klt(x - mean, [2] * 4, widths)
  colours = np.eye(3, dtype=np.float32)[None, None]
  encoder.down[0].set_linear(pairs(colours / _DEVIATION, outputs=True))
  bias = np.zeros(encoder.down[0].convolution.filters, np.float32)
  bias[:6] = np.outer(mean / _DEVIATION, [-1.0, 1.0]).ravel()
  encoder.down[0].convolution.bias.assign(bias)
  before = np.full(3, _DEVIATION)
  least = 0.0 if deviation else _LEAST * step / 255.0
  for level, down, up in zip(levels, encoder.down[1:], generator.up[::-1]):
    after = np.maximum(level.deviations, _SILENCE)
    down.set_linear(pairs(
        level.basis * before[:, None] / after, inputs=True, outputs=True))
    share = after
    if level is levels[-1]:
      # Without a ReLU the head's pairs are both whole, not parts: half of each.
      share = (0.5 if generator.skip else 1.0) * np.maximum(after, least)
    up.set_linear(pairs(
        level.basis / before[:, None] * share, inputs=True, outputs=True))
    before = after
  _start_code(encoder.last, generator, np.full_like(before, deviation) if deviation
              else 255.0 / step * before, deviation or _LEAST)
  _write(generator.last, pairs(_DEVIATION * colours, inputs=True))
  generator.last.bias.assign(mean)


def _start_code(last, generator, deviations, least):
  """Lets y be coefficients, and the head of the generator undo its entrance.

  Args:
    last: of the encoder.
    generator: `Generator`.
    deviations: (R,) that coefficients shall have in y.
    least: below which they are not amplified.
  """
  _write(last, pairs(np.diag(deviations)[None, None], inputs=True))
  basis = np.zeros([last.filters, len(deviations)])
  basis[:len(deviations)] = np.diag(1.0 / np.maximum(deviations, least))
  if generator.skip:
    kernel = last.kernel.numpy()
    kernel[..., -1] = 0.0
    last.kernel.assign(kernel)
    generator.enter.hold(np.sum(np.square(deviations)) / last.filters)
    basis[-1] = -basis.sum(axis=0)
  generator.head.set_linear(pairs(basis[None, None], outputs=True))


def rescale(encoder, generator, factor):
  """Multiplies y by `factor`, and x_hat by nothing."""
  encoder.last.kernel.assign(encoder.last.kernel * factor)
  encoder.last.bias.assign(encoder.last.bias * factor)
  generator.enter.rescale(factor)


def _write(convolution, basis):
  """Writes a basis into the middle taps of a convolution.

  Outputs that it has none for come in pairs, each the negative of the other, so that they
  shift no mean; nothing sees them yet.

  Args:
    convolution: scaled, transposed or not.
    basis: (s, s, C, R), of transposed ones (s, s, R, C), the first of the inputs C and
      the outputs R.
  """
  kernel = convolution.real_kernel()
  is_transposed = isinstance(convolution, ScaledConv2DTranspose)
  axis = 2 if is_transposed else 3
  kernel = np.moveaxis(kernel, axis, 3)
  basis = np.moveaxis(basis, axis, 3)
  inputs, outputs = basis.shape[2:]
  taps = block_taps(convolution.kernel_size, basis.shape[0])
  kernel[..., :outputs] = 0.0
  kernel[taps, taps, :inputs, :outputs] = basis
  free = kernel[..., outputs:]
  free *= _QUIET
  count = free.shape[-1] // 2
  free[..., count:2 * count] = -free[..., :count]
  free[..., 2 * count:] = 0.0
  convolution.assign_real(np.moveaxis(kernel, 3, axis), bias=None)
