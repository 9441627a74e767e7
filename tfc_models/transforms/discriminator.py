"""Networks that tell decoded images from originals, in training alone."""

import functools

import tensorflow as tf

from tfc_models.layers import InstanceNorm, SpectralConv2D

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


class MultiScalePatches(tf.keras.layers.Layer):
  """Judges patches of an image at several scales, each half the size of the one before.

  Args:
    widths: of the convolutions but the last one, of each scale.
    scales: how many there are, each with a network of its own.

  Source: Wang et al., "High-resolution image synthesis and semantic manipulation with
    conditional GANs", CVPR 2018, arXiv:1711.11585, section 3.2.
  """

  def __init__(self, widths=(64, 128, 256, 512), scales=3, name="discriminator"):
    super().__init__(name=name)
    self.scales = [_Patches(widths, f"scale_{number}") for number in range(scales)]

  def call(self, x, training=None):
    """Returns what each scale gives: a list of the features of its layers, and the verdict.

    Args:
      x: (B, H, W, 3) in [0, 1].
      training: as in Keras.

    Returns:
      list, the finest scale first, of lists of (B, H, W, C), of which the last one, of
      one channel, strives for 1 where patches are of an original, and 0 elsewhere.
    """
    del training
    found = []
    for number, network in enumerate(self.scales):
      if number:
        x = tf.nn.avg_pool2d(x, 3, 2, "SAME")
      found.append(network(x))
    return found


class _Patches(tf.keras.layers.Layer):
  """One scale: convolutions of 4x4, the first three of which halve, under norms."""

  def __init__(self, widths, name):
    super().__init__(name=name)
    self.stack = [
        tf.keras.layers.Conv2D(
            width, 4, 2 if number < 3 else 1, padding="same", use_bias=not number,
            name=f"conv_{number}") for number, width in enumerate(widths)]
    # None behind the first, as in the authors' code.
    self.norms = [InstanceNorm(name=f"norm_{number}") for number in range(1, len(widths))]
    self.last = tf.keras.layers.Conv2D(1, 4, padding="same", name="last")

  def call(self, x):
    """Returns the list of all features, the verdict last."""
    found = []
    for number, layer in enumerate(self.stack):
      x = layer(x)
      x = _leaky(self.norms[number - 1](x) if number else x)
      found.append(x)
    return [*found, self.last(x)]


def matching(judged, judged_hat):
  """Returns the mean distance of features, a scalar, of lists of `MultiScalePatches`.

  Means of absolute differences, added up over layers but the verdict, and averaged over
  scales. Only what decoded images give has gradients.

  Source: Wang et al., as above, equation 4, with the weights of the authors' code.
  """
  return tf.add_n([
      tf.reduce_mean(tf.abs(tf.stop_gradient(one) - other))
      for features, others in zip(judged, judged_hat)
      for one, other in zip(features[:-1], others[:-1])]) / len(judged)
