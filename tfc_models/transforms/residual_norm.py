"""Convolutions under a norm, to 1/16 and back, with residual blocks in the generator."""

import tensorflow as tf

from tfc_models.layers import ChannelNorm, InstanceNorm

# From what recipes call a norm to its layer.
NORMS = {"instance": InstanceNorm, "channel": ChannelNorm}


class _Normed(tf.keras.layers.Layer):
  """A convolution and a norm, perhaps a ReLU.

  Args:
    convolution: Keras layer.
    norm: name, of `NORMS`.
    relu: whether a ReLU follows.
  """

  def __init__(self, convolution, norm, relu=True, name=None):
    super().__init__(name=name)
    self.convolution = convolution
    self.norm = NORMS[norm](name="norm")
    self.relu = relu

  def call(self, x):
    x = self.norm(self.convolution(x))
    return tf.nn.relu(x) if self.relu else x


class _Block(tf.keras.layers.Layer):
  """x + a branch of two convolutions of 3x3."""

  def __init__(self, filters, norm, name=None):
    super().__init__(name=name)
    self.branch = [
        _conv(filters, 3, norm, name="first"),
        _conv(filters, 3, norm, relu=False, name="second")]

  def call(self, x):
    first, second = self.branch
    return x + second(first(x))


class Encoder(tf.keras.layers.Layer):
  """(B, H, W, 3) in [0, 1] to (B, H / 16, W / 16, depth).

  c7s1-n, d2n, d4n, d8n, d16n, c3s1-depth, in the paper's words.

  Args:
    filters: n, 60 in the paper.
    depth: C.
    norm: name, of `NORMS`.

  Attributes:
    norms: its layers of that kind, which a run can freeze by that name.

  Source: Agustsson et al., ICCV 2019, arXiv:1804.02958, after pix2pixHD: Wang et al.,
    CVPR 2018, arXiv:1711.11585.
  Departs: zeros around images, where pix2pixHD reflects them.
  """

  def __init__(self, filters, depth, norm, name="analysis_transform"):
    super().__init__(name=name)
    self.first = _conv(filters, 7, norm, name="first")
    self.down = [
        _conv(filters * 2**level, 3, norm, 2, name=f"down_{level}")
        for level in range(1, 5)]
    self.layers = [tf.keras.layers.Conv2D(depth, 3, padding="same", name="last")]
    self.norms = [layer.norm for layer in (self.first, *self.down)]

  def call(self, x):
    """Returns the code, before it is quantised."""
    x = self.first(2.0 * x - 1.0)
    for layer in (*self.down, *self.layers):
      x = layer(x)
    return x


class Generator(tf.keras.layers.Layer):
  """(B, H / 16, W / 16, depth) to (B, H, W, 3).

  c3s1-16n, blocks R16n, u8n, u4n, u2n, un, c7s1-3 and tanh.

  Args:
    filters, norm: as of `Encoder`.
    blocks: how many residual ones, 9 in the paper.

  Attributes, source, departs: as there.
  """

  def __init__(self, filters, blocks, norm, name="synthesis_transform"):
    super().__init__(name=name)
    self.first = _conv(16 * filters, 3, norm, name="first")
    self.blocks = [
        _Block(16 * filters, norm, name=f"block_{number}") for number in range(blocks)]
    self.up = [
        _Normed(tf.keras.layers.Conv2DTranspose(
            filters * 2**level, 3, 2, padding="same", use_bias=False,
            name="convolution"), norm, name=f"up_{level}") for level in (3, 2, 1, 0)]
    self.last = tf.keras.layers.Conv2D(
        3, 7, padding="same", activation="tanh", name="last")
    self.norms = [layer.norm for layer in (
        self.first, *(layer for block in self.blocks for layer in block.branch),
        *self.up)]

  def call(self, y_hat):
    """Returns x_hat."""
    x = self.first(y_hat)
    for layer in (*self.blocks, *self.up):
      x = layer(x)
    return 0.5 + 0.5 * self.last(x)


def _conv(filters, size, norm, strides=1, relu=True, name=None):
  # What a norm follows needs no bias, which it would take away.
  return _Normed(tf.keras.layers.Conv2D(
      filters, size, strides, padding="same", use_bias=False, name="convolution"),
                 norm, relu, name=name)
