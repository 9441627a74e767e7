"""The only conversions between uint8 sRGB outside and float32 in [0, 1] inside."""

import numpy as np
import tensorflow as tf

# Of each byte: a graph would multiply by the reciprocal, which rounds differently.
_FLOATS = np.arange(256, dtype=np.float32) / np.float32(255.0)


def to_float(image):
  """Returns uint8 `image` of any shape as float32 in [0, 1]."""
  return tf.gather(_FLOATS, tf.cast(image, tf.int32))


def rgb_batch(image):
  """Returns a uint8 image (H, W, 1 or 3) as (1, H, W, 3) float32 in [0, 1]."""
  x = to_float(image[None])
  return rgb_from_gray(x) if x.shape[-1] == 1 else x


def to_uint8(image):
  """Returns float `image` clipped to [0, 1], rounded to uint8 in [0, 255]."""
  return tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8)


def rgb_from_gray(image):
  """Repeats the single channel of (..., H, W, 1) three times."""
  return tf.repeat(image, 3, axis=-1)


def gray_from_rgb(image):
  """Averages (..., H, W, 3) into (..., H, W, 1).

  The plain mean, not a luma: the three channels are three noisy copies of the
  same grey image, and the mean is their best estimate.
  """
  return tf.reduce_mean(image, axis=-1, keepdims=True)
