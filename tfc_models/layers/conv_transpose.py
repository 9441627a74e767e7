"""Transposed convolution of Keras, faster where it ends in an image."""

import tensorflow as tf

from tfc_models.ops import conv


class Conv2DTranspose(tf.keras.layers.Conv2DTranspose):
  """As in Keras with padding "same"; to few filters about twice as fast."""

  def call(self, inputs):
    if self.filters > conv.FEW_FILTERS:
      return super().call(inputs)
    y = conv.subpixel_conv_transpose(inputs, self.kernel, self.strides[0])
    return self.activation(tf.nn.bias_add(y, self.bias))
