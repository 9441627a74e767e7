"""Convolutions whose variables have entries near 1, whatever their fan-in."""

import numpy as np
import tensorflow as tf

from tfc_models.ops import conv


class _ScaledConv(tf.keras.layers.Layer):
  """Common part: variables, scale and activation.

  The kernel in use is `kernel * scale` with a constant scale of
  rate / sqrt(fan-in), and starts with entries of standard deviation 1 / rate.
  One learning rate of Adam, which moves every entry by about that much a step,
  then means the same relative change in layers of every width: small in
  kernels that start as a classical transform (`rate` of 1), which larger steps
  would destroy, and `rate` times as much in kernels that start at random.

  Args:
    filters: output channels.
    kernel_size: int, height and width of the kernel.
    strides: int, down or up.
    activation: as in Keras.
    zeros: start as the zero function, for the last layer of a residual branch.
    use_bias: add a bias per output channel.
    rate: factor on the learning rate of the kernel. The default of 8 took the
      loss of `tfcm-base` after 250 steps from 2.03 to 1.86.
    name: as in Keras; a key of checkpoints.

  Source: the equalized learning rate of Karras et al., "Progressive growing of
    GANs", ICLR 2018, section 4.1.
  """

  def __init__(self, filters, kernel_size, strides=1, activation=None,
               zeros=False, use_bias=True, rate=8.0,
               name=None):
    super().__init__(name=name)
    self.filters = filters
    self.kernel_size = kernel_size
    self.strides = strides
    self.activation = tf.keras.activations.get(activation)
    self.zeros = zeros
    self.rate = rate
    self.use_bias = use_bias

  def build(self, input_shape):
    inputs = input_shape[-1]
    self.scale = self.rate * self._fan_in(inputs) ** -0.5
    initializer = "zeros" if self.zeros else tf.keras.initializers.RandomNormal(
        stddev=1.0 / self.rate)
    self.kernel = self.add_weight(
        name="kernel", shape=self._kernel_shape(inputs),
        initializer=initializer)
    if self.use_bias:
      self.bias = self.add_weight(
          name="bias", shape=(self.filters,), initializer="zeros")
    super().build(input_shape)

  def real_kernel(self):
    """Returns the kernel in use, an array."""
    return self.kernel.numpy() * self.scale

  def assign_real(self, kernel, bias=0.0):
    """Sets the kernel in use, and the bias of all outputs or each; None keeps that."""
    self.kernel.assign(kernel / self.scale)
    if bias is not None:
      self.bias.assign(np.broadcast_to(bias, [self.filters]))

  def call(self, x):
    x = self._convolve(x, self.kernel * self.scale)
    if self.use_bias:
      x = tf.nn.bias_add(x, self.bias)
    return self.activation(x)


class ScaledConv2D(_ScaledConv):
  """(B, H, W, C) to (B, H / strides, W / strides, filters), zero padded.

  Attributes:
    padding: "VALID" leaves the zeros to the caller.
  """

  padding = "SAME"

  def _fan_in(self, inputs):
    return self.kernel_size**2 * inputs

  def _kernel_shape(self, inputs):
    return (self.kernel_size, self.kernel_size, inputs, self.filters)

  def _convolve(self, x, kernel):
    return tf.nn.conv2d(x, kernel, self.strides, self.padding)


class ScaledConv2DTranspose(_ScaledConv):
  """(B, H, W, C) to (B, H * strides, W * strides, filters)."""

  def _fan_in(self, inputs):
    # Each output sample sees one in `strides` taps of the kernel a side.
    return self.kernel_size**2 * inputs / self.strides**2

  def _kernel_shape(self, inputs):
    return (self.kernel_size, self.kernel_size, self.filters, inputs)

  def _convolve(self, x, kernel):
    if self.filters <= conv.FEW_FILTERS:
      return conv.subpixel_conv_transpose(x, kernel, self.strides)
    shape = tf.shape(x)
    output_shape = tf.stack([
        shape[0], shape[1] * self.strides, shape[2] * self.strides,
        self.filters])
    y = tf.nn.conv2d_transpose(x, kernel, output_shape, self.strides, "SAME")
    static = [None if n is None else n * self.strides for n in x.shape[1:3]]
    return tf.ensure_shape(y, [x.shape[0], *static, self.filters])
