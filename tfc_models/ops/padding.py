"""Padding of images to multiples of a model's downsampling factor, and back."""

import tensorflow as tf


def padded_size(size, factor):
  """Returns `size` (an int, in pixels) rounded up to a multiple of `factor`."""
  return -(-size // factor) * factor


def pad_to_multiple(image, factor):
  """Repeats the bottom row and the right column up to multiples of `factor`.

  Edge values cost fewer bits than zeros, and unlike a reflection they exist
  for images that are smaller than the padding.

  Args:
    image: (B, H, W, C), any dtype, H and W at least 1.
    factor: int, the multiple.

  Returns:
    (B, H', W', C) with the least H' >= H, W' >= W that are multiples.
  """
  for axis in (1, 2):
    size = tf.shape(image)[axis]
    padded = -(-size // factor) * factor
    image = tf.gather(
        image, tf.minimum(tf.range(padded), size - 1), axis=axis)
  return image


def crop(image, height, width):
  """Returns the top left (B, height, width, C) of `image`."""
  return image[:, :height, :width, :]
