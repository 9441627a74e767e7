"""Squared and absolute error on the 0..255 scale, and PSNR."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.strips import strips


def mse(x, x_hat):
  """Returns the mean squared error of each image on the 0..255 scale.

  Args:
    x: (B, H, W, C) float in [0, 1].
    x_hat: likewise.

  Returns:
    (B,) float.
  """
  return tf.reduce_mean(tf.square((x - x_hat) * 255.0), axis=(1, 2, 3))


def mae(x, x_hat):
  """Returns the mean absolute error of each image on the 0..255 scale, as `mse`."""
  return tf.reduce_mean(tf.abs((x - x_hat) * 255.0), axis=(1, 2, 3))


def log_mse(x, x_hat):
  """Returns the natural logarithm of `mse` and a tenth, (B,).

  Of several stages each then counts by the share of its error that goes, not by the
  error: the mean of `mse` is mostly that of the first ones.
  """
  return tf.math.log(mse(x, x_hat) + 0.1)


def psnr_from_mse(error):
  """Returns the PSNR in dB of mean squared errors on the 0..255 scale, a tensor.

  For training: an error of zero counts as 1e-6, about 108 dB.
  """
  decibel = 10.0 / math.log(10.0)
  return decibel * (
      2.0 * math.log(255.0) - tf.math.log(tf.maximum(error, 1e-6)))


def psnr(image, decoded, of=None):
  """Returns the PSNR in dB of two images, over all samples.

  Args:
    image, decoded, of: as of `squared_error`; equal images give infinity.
  """
  with np.errstate(divide="ignore"):
    return 10.0 * np.log10(255.0**2 / squared_error(image, decoded, of))


def squared_error(image, decoded, of=None):
  """Returns the mean squared error of two images, over all samples, in float64.

  It is computed in strips, so that it takes little memory beside the images.

  Args:
    image: array (H, ...) of values in 0..255.
    decoded: likewise, of the same shape.
    of: function of a strip to what is compared, such as `luma`; None for itself.
  """
  total, count = 0.0, 0
  for rows in strips(image):
    x, x_hat = image[rows], decoded[rows]
    if of:
      x, x_hat = of(x), of(x_hat)
    error = x.astype(np.float64) - x_hat
    total += np.sum(np.square(error, out=error))
    count += error.size
  return total / count


def luma(image):
  """Returns Y of JFIF, (H, W, 1) float in 0..255, not rounded.

  Args:
    image: uint8 array (H, W, 3), or (H, W, 1), which is Y itself.

  Source: ITU-T T.871, section 7: the weights of ITU-R BT.601, full range.
  """
  image = image.astype(np.float64)
  return image if image.shape[-1] == 1 else image @ [[0.299], [0.587], [0.114]]
