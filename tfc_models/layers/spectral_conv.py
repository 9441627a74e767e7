"""Convolutions that lengthen nothing."""

import tensorflow as tf


class SpectralConv2D(tf.keras.layers.Conv2D):
  """A convolution whose kernel is divided by its largest singular value.

  The kernel counts as a matrix, (height * width * channels, filters). One step of the
  power method a training step follows the value; gradients pass through the division.
  (Keras' wrapper of this name divides the variable itself, behind the optimizer's back.)

  Args: as of Keras' layer, padding "same".

  Source: Miyato, Kataoka, Koyama, Yoshida, "Spectral normalization for generative
    adversarial networks", ICLR 2018, arXiv:1802.05957, algorithm 1.
  """

  def __init__(self, filters, kernel_size, strides=1, **kwargs):
    super().__init__(filters, kernel_size, strides, padding="same", **kwargs)

  def build(self, input_shape):
    super().build(input_shape)
    self.left = self.add_weight(
        "left", (1, self.filters), trainable=False,
        initializer=tf.keras.initializers.RandomNormal())

  def call(self, x, training=None):
    matrix = tf.reshape(self.kernel, [-1, self.filters])
    right = tf.math.l2_normalize(tf.matmul(self.left, matrix, transpose_b=True))
    left = tf.math.l2_normalize(tf.matmul(right, matrix))
    if training:
      self.left.assign(left)
    left, right = tf.stop_gradient(left), tf.stop_gradient(right)
    norm = tf.squeeze(tf.matmul(tf.matmul(right, matrix), left, transpose_b=True))
    x = tf.nn.conv2d(x, self.kernel / norm, self.strides, "SAME")
    return self.activation(tf.nn.bias_add(x, self.bias))
