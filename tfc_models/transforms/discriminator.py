"""Networks that tell decoded images from originals, in training alone."""

import functools

import tensorflow as tf

from tfc_models.layers import SpectralConv2D

_leaky = functools.partial(tf.nn.leaky_relu, alpha=0.2)


class ConditionalPatches(tf.keras.layers.Layer):
  """Judges patches of an image, told the latent that it was decoded from.

  Args:
    widths: of the convolutions but the last one, the first three of which halve.
    factor: how much smaller the latent is a side.
    condition: channels that the latent becomes.

  Source: Mentzer et al., NeurIPS 2020, arXiv:2006.09965, section 3.1 and the authors'
    code.
  """

  def __init__(self, widths=(64, 128, 256, 512), factor=16, condition=12,
               name="discriminator"):
    super().__init__(name=name)
    self.factor = factor
    self.condition = SpectralConv2D(condition, 3, activation=_leaky, name="condition")
    self.stack = [
        SpectralConv2D(width, 4, 2 if number < 3 else 1, activation=_leaky,
                       name=f"conv_{number}")
        for number, width in enumerate(widths)]
    self.last = SpectralConv2D(1, 1, name="last")

  def call(self, x, y_hat, training=None):
    """Returns the log odds that patches are of an original.

    Args:
      x: (B, H, W, 3) in [0, 1].
      y_hat: (B, H / factor, W / factor, C), the latent.
      training: as in Keras.

    Returns:
      (B, H / 8, W / 8, 1).
    """
    condition = self.condition(y_hat, training=training)
    for axis in (1, 2):
      condition = tf.repeat(condition, self.factor, axis=axis)
    x = tf.concat([x, condition], axis=-1)
    for layer in self.stack:
      x = layer(x, training=training)
    return self.last(x, training=training)
