"""Rounding and clipping with gradients that let training go on."""

import tensorflow as tf


@tf.custom_gradient
def round_straight_through(x):
  """Rounds to the nearest integer; the gradient is that of the identity."""
  return tf.round(x), lambda grad: grad


@tf.custom_gradient
def signs_straight_through(x, threshold):
  """Returns 1 where x >= threshold, else -1; the gradient of x is the identity's."""
  return tf.where(x >= threshold, 1.0, -1.0), lambda grad: (grad, None)


def clip_towards(x, low, high):
  """Clips to [low, high]; beyond a bound only gradients that lead back pass.

  Args:
    x: float tensor.
    low: float, lower bound.
    high: float, upper bound, or None for no upper bound.

  Source: the bound of "Density Modeling of Images using a Generalized
    Normalization Transformation", Balle, Laparra, Simoncelli, ICLR 2016.
  """

  @tf.custom_gradient
  def clip(x):
    clipped = tf.maximum(x, low)
    if high is not None:
      clipped = tf.minimum(clipped, high)

    def gradient(grad):
      # Descent moves x against the gradient: a negative one raises x.
      keep = (x >= low) | (grad < 0)
      if high is not None:
        keep &= (x <= high) | (grad > 0)
      return tf.where(keep, grad, tf.zeros_like(grad))

    return clipped, gradient

  return clip(x)
