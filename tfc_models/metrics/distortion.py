"""Squared error on the 0..255 scale, and PSNR."""

import numpy as np
import tensorflow as tf


def mse(x, x_hat):
  """Returns the mean squared error of each image on the 0..255 scale.

  Args:
    x: (B, H, W, C) float in [0, 1].
    x_hat: likewise.

  Returns:
    (B,) float.
  """
  return tf.reduce_mean(tf.square((x - x_hat) * 255.0), axis=(1, 2, 3))


def squared_error_to_psnr(error):
  """Returns the PSNR in dB of a mean squared error on the 0..255 scale."""
  with np.errstate(divide="ignore"):
    return 10.0 * np.log10(255.0**2 / np.float64(error))


def psnr(image, decoded):
  """Returns the PSNR in dB of two uint8 images, over all samples.

  Args:
    image: uint8 array (H, W, C).
    decoded: uint8 array of the same shape; equal images give infinity.
  """
  error = image.astype(np.float64) - decoded.astype(np.float64)
  return squared_error_to_psnr(np.mean(np.square(error)))
