"""Residual networks with batch normalisation, to 1/8 of the resolution and back."""

import numpy as np
import tensorflow as tf

from tfc_models.layers import ScaledConv2D, ScaledConv2DTranspose
from tfc_models.ops.klt import block_taps, hierarchical_klt, pairs
from tfc_models.ops.parts import in_parts

# Of the images that the authors trained with, by channel, on 0..255.
MEAN = np.float32([121.85, 113.59, 100.64])
DEVIATION = np.sqrt(np.float32([4746.4, 4454.1, 4812.2]))

_GROUPS, _BLOCKS = 5, 3
# How much farther the grid of several channels reaches than that of one. With 1 the start
# of 32 channels of six levels has 23.1 dB on photographs, with 1.5 25.2; without several
# channels for one coefficient 21.6.
_WIDE = 1.5


class _Normalized(tf.keras.layers.Layer):
  """A convolution and batch normalisation, perhaps a ReLU.

  Args:
    convolution: without bias.
    of_batch: whether statistics in training are those of the batch; otherwise those of
      `start`, which stay.
    relu: whether a ReLU follows.
    quiet: whether it starts as zero, for the end of a residual branch.
  """

  def __init__(self, convolution, of_batch, relu=True, quiet=False, name=None):
    super().__init__(name=name)
    self.of_batch = of_batch
    self.convolution = convolution
    self.relu = relu
    self.normalization = tf.keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5,
        gamma_initializer="zeros" if quiet else "ones", name="normalization")

  def call(self, x, training=None):
    x = self.normalization(
        self.convolution(x), training=training and self.of_batch)
    return tf.nn.relu(x) if self.relu else x

  def set_linear(self, kernel, x):
    """Sets the kernel, and a normalisation that changes nothing of batches like x.

    Returns:
      What it gives.
    """
    self.convolution.assign_real(kernel, bias=None)
    y = in_parts(self.convolution, x)
    mean, variance = y.mean(axis=(0, 1, 2)), y.var(axis=(0, 1, 2))
    self.normalization.set_weights([
        np.sqrt(variance + self.normalization.epsilon), mean, mean, variance])
    return np.maximum(y, 0.0) if self.relu else y


class _Block(tf.keras.layers.Layer):
  """x + its branch of two convolutions; at first x."""

  def __init__(self, filters, of_batch, relu=True, name=None):
    super().__init__(name=name)
    self.branch = [
        _Normalized(ScaledConv2D(filters, 3, use_bias=False, name="conv"), of_batch,
                    relu, name="first"),
        _Normalized(ScaledConv2D(filters, 3, use_bias=False, name="conv"), of_batch,
                    False, quiet=True, name="second")]

  def call(self, x, training=None):
    first, second = self.branch
    return x + second(first(x, training=training), training=training)


class _Body(tf.keras.layers.Layer):
  """Groups of blocks, each with a skip about it, and one more block; at first x."""

  def __init__(self, filters, of_batch, name="body"):
    super().__init__(name=name)
    self.groups = [
        [_Block(filters, of_batch, name=f"block_{group}_{block}")
         for block in range(_BLOCKS)] for group in range(_GROUPS)]
    self.last = _Block(filters, of_batch, relu=False, name="block_last")

  def call(self, x, training=None):
    start = x
    for group in self.groups:
      y = x
      for block in group:
        y = block(y, training=training)
      # Each block starts as the identity: the skip is half of the sum.
      x = 0.5 * (x + y)
    return 0.5 * (start + self.last(x, training=training))


class Encoder(tf.keras.layers.Layer):
  """(B, H, W, 3) in [0, 1] to (B, H / 8, W / 8, depth).

  Args:
    filters: n in the paper.
    depth: output channels.
    of_batch: whether training normalises by the statistics of its batch, as in the paper,
      or by those that `start` found: small batches do not say how bright they were.

  Source: Mentzer et al., CVPR 2018, arXiv:1801.04260, figure 8.
  Departs: sums of two that are alike at first are halved.
  """

  def __init__(self, filters, depth, of_batch=True, name="analysis_transform"):
    super().__init__(name=name)
    self.down = [
        _Normalized(ScaledConv2D(width, 5, 2, use_bias=False, rate=1.0, name="conv"),
                    of_batch, name=f"down_{number}")
        for number, width in enumerate((filters // 2, filters))]
    self.body = _Body(filters, of_batch)
    self.layers = [ScaledConv2D(depth, 5, 2, rate=1.0, name="last")]

  def call(self, x, training=None):
    """Returns the code, by the statistics of the batch in training."""
    x = (255.0 * x - MEAN) / DEVIATION
    for layer in self.down:
      x = layer(x, training=training)
    return self.layers[-1](self.body(x, training=training))


class Decoder(tf.keras.layers.Layer):
  """(B, H / 8, W / 8, depth) to (B, H, W, 3).

  Args:
    filters, of_batch: as of `Encoder`.

  Source, departs: as there.
  """

  def __init__(self, filters, of_batch=True, name="synthesis_transform"):
    super().__init__(name=name)
    self.up = [
        _Normalized(
            ScaledConv2DTranspose(width, size, 2, use_bias=False, rate=1.0, name="conv"),
            of_batch, name=f"up_{number}")
        for number, (width, size) in enumerate(((filters, 3), (filters // 2, 5)))]
    self.body = _Body(filters, of_batch)
    self.last = ScaledConv2DTranspose(3, 5, 2, rate=1.0, name="last")

  def call(self, x, training=None):
    """Returns x_hat, as there."""
    x = self.up[0](x, training=training)
    x = self.up[1](self.body(x, training=training), training=training)
    return (self.last(x) * DEVIATION + MEAN) / 255.0


def start(encoder, decoder, patches, depth, step=0.0):
  """Makes both a KLT of 8x8 blocks, of unit variances, for training to start from.

  Coefficients pass the ReLUs as pairs of positive and negative parts. Where a quantiser
  has few levels, loud ones get several channels, whose mean the decoder takes: they lie
  beside each other on its grid, which is so many times as fine for them all.

  Args:
    encoder, decoder: built.
    patches: (B, H, W, 3) uint8, sides multiples of 8.
    depth: the channels are the last of so many outputs; those before stay as they are.
    step: of the quantiser; 0 gives each coefficient one channel.
  """
  x = (np.float32(patches) - MEAN) / DEVIATION
  mean = x.mean(axis=(0, 1, 2))
  widths = [layer.convolution.filters // 2 for layer in encoder.down]
  first, second, third = (
      level._replace(basis=np.float32(level.basis)) for level in hierarchical_klt(
          x - mean, [2, 2, 2], [*widths, depth]))
  deviations = np.float32(third.deviations)
  coefficients, copies, offsets = _shared_out(deviations, step)
  basis = third.basis[..., coefficients]
  deviations = deviations[coefficients] * np.where(copies > 1, _WIDE, 1.0).astype(np.float32)
  x = _set(encoder.down[0], pairs(first.basis, outputs=True), x)
  x = _set(encoder.down[1], pairs(second.basis, inputs=True, outputs=True), x)
  _set(encoder.layers[-1], pairs(basis / deviations, inputs=True), skip=-depth)
  last = encoder.layers[-1]
  flat = encoder(tf.broadcast_to((mean * DEVIATION + MEAN) / 255.0, [1, 64, 64, 3]))
  last.bias.assign_sub(
      np.pad(flat[0, 4, 4, -depth:] - offsets, [last.filters - depth, 0]))
  y = in_parts(last, x)[..., -depth:]
  y = _set(decoder.up[0], pairs(basis * deviations / copies, inputs=True), y)
  _set(decoder.up[1], pairs(second.basis, inputs=True, outputs=True), y)
  _set(decoder.last, pairs(first.basis, outputs=True))
  decoder.last.bias.assign(mean)


def _shared_out(deviations, step):
  """Returns of as many channels as there are coefficients which of them each codes.

  A channel after the other goes to where it saves most of the errors, which n of them make
  about (_WIDE step / n)^2 / 12 of a variance.

  Args:
    deviations: of coefficients.
    step: of the quantiser of unit variances; 0 for none.

  Returns:
    int (N,), numbers of coefficients, rising; int (N,), how many channels code the same
    one; float32 (N,), what to add before the quantiser.
  """
  count = np.ones(len(deviations), int)
  if step:
    count[:] = 0
    errors = np.arange(len(count) + 2, dtype=np.float64)
    errors[1:] = (step * _WIDE / errors[1:])**2 / 12.0
    errors[0] = 1.0
    for _ in count:
      count[np.argmax(deviations**2 * (errors[count] - errors[count + 1]))] += 1
  coefficients = np.repeat(np.arange(len(count)), count)
  place = np.concatenate([(np.arange(n) + 0.5) / n - 0.5 for n in count if n])
  return coefficients, count[coefficients], np.float32(step * place)


def _set(layer, basis, x=None, skip=None):
  """Writes a basis into the middle taps of a layer, and calibrates it by what it sees.

  What else the layer gives stays at random, for training to find a use for.

  Args:
    layer: `_Normalized`, or a convolution by itself.
    basis: (2, 2, C, R) of inputs C and outputs R, of transposed ones the other way.
    x: batch that a `_Normalized` shall see as it is; None for a convolution.
    skip: of a convolution: outputs that the basis comes after, as a negative index.

  Returns:
    What a `_Normalized` gives.
  """
  convolution = layer if x is None else layer.convolution
  kernel = convolution.real_kernel()
  taps = block_taps(convolution.kernel_size, 2)
  inputs, outputs = basis.shape[2:]
  if isinstance(convolution, ScaledConv2DTranspose):
    kernel[:, :, :inputs] = 0.0
  else:
    kernel[..., skip:][..., :outputs] = 0.0
  kernel[taps, taps, :inputs, skip:][..., :outputs] = basis
  if x is not None:
    return layer.set_linear(kernel, x)
  convolution.assign_real(kernel, bias=None)
  return None
