"""Structural similarity at one scale and at five."""

import numpy as np
import tensorflow as tf

from tfc_models.ops.image import to_float

# Five scales halve the image four times, and the 11-tap window must still fit.
MS_SSIM_MIN_SIZE = 11 * 2**4 - 15

# The window must fit.
SSIM_MIN_SIZE = 11

# Table 1 of the paper's section 3.2, from the finest scale to the coarsest.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_TAPS = 11
_DEVIATION = 1.5
# Side of the blocks of `dissimilar_mae`.
_BLOCK = 8
# Below this mean of a scale the gradient of MS-SSIM is that at this mean.
_SLOPE_FLOOR = 1e-4
# Of larger images `similarity` looks at so many pixels at a time. Strips begin where
# windows of all scales do, and go on until the last of these has ended.
_PIXELS = 2**20
_STEP = 2**4
_OVERLAP = (_TAPS - 1) * _STEP
# (K L)^2 of the paper's equations 1 to 3, with L = 1.
_C1, _C2 = 0.01**2, 0.03**2


def ssim(x, x_hat, window=None):
  """Returns the SSIM of each image.

  Args:
    x: (B, H, W, C) float in [0, 1], sides of at least `SSIM_MIN_SIZE`, or `window`.
    x_hat: likewise.
    window: side of a uniform window, for small images; None for the usual one.

  Returns:
    (B,) float, 1 for equal images: 11-tap Gaussian window of standard deviation
    1.5 where it fits, mean over pixels and channels.

  Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error
    visibility to structural similarity", IEEE TIP 2004, equation 13.
  """
  blur = _blur if window is None else (
      lambda value: tf.nn.avg_pool2d(value, window, 1, "VALID"))
  luminance, structure = _compare(x, x_hat, blur)
  return tf.reduce_mean(luminance * structure, axis=(1, 2, 3))


def ms_ssim(x, x_hat):
  """Returns the MS-SSIM of each image.

  In place of `tf.image.ssim_multiscale`, to which it is equal up to rounding:
  that one decides about padding within the graph, which XLA does not compile
  with the images as inputs, and its window is not separated.

  Args:
    x: (B, H, W, C) float in [0, 1], sides of at least `MS_SSIM_MIN_SIZE`.
    x_hat: likewise.

  Returns:
    (B,) float, 1 for equal images: five scales, 11-tap Gaussian window of
    standard deviation 1.5, mean over channels. The gradient is finite, and leads
    upwards, wherever a scale's mean is zero or less, see `_product`.

  Raises:
    ValueError: if a statically known side is too small.
  Source: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image
    quality assessment", Asilomar 2003, weights of its section 3.2.
  """
  sides = [side for side in x.shape[1:3] if side is not None]
  if sides and min(sides) < MS_SSIM_MIN_SIZE:
    raise ValueError(
        f"MS-SSIM needs images of at least {MS_SSIM_MIN_SIZE} pixels a side, "
        f"got {x.shape[1]}x{x.shape[2]}.")
  means = []
  for _ in _WEIGHTS:
    if means:
      x, x_hat = _halve(x), _halve(x_hat)
    luminance, structure = _compare(x, x_hat)
    means.append(tf.reduce_mean(structure, axis=(1, 2)))
  means[-1] = tf.reduce_mean(luminance * structure, axis=(1, 2))
  return tf.reduce_mean(_product(tf.stack(means)), axis=-1)


def similarity(image, decoded):
  """Returns MS-SSIM and SSIM of two images, None for what they are too small for.

  Of large ones in strips, whose means are added up in float64: within 1e-6 of what
  float64 finds throughout, in memory that does not depend on the height. Of others by
  the functions above, as published figures are. Means of float32, added up one by one
  on a CPU, make the MS-SSIM of 768x512 pixels 5e-5 too large, and would that of 6
  megapixels 3e-3.

  Args:
    image: uint8 (H, W, C).
    decoded: likewise, of the same shape.
  """
  height, width = image.shape[:2]
  if min(height, width) < SSIM_MIN_SIZE:
    return None, None
  has_scales = min(height, width) >= MS_SSIM_MIN_SIZE
  if height * width <= _PIXELS:
    x, x_hat = to_float(image[None]), to_float(decoded[None])
    return float(ms_ssim(x, x_hat)[0]) if has_scales else None, float(ssim(x, x_hat)[0])
  scales = len(_WEIGHTS) if has_scales else 1
  rows = max(_PIXELS // width // _STEP * _STEP, _OVERLAP)
  least = MS_SSIM_MIN_SIZE if has_scales else SSIM_MIN_SIZE
  tops = range(0, height - least + 1, rows)
  structures, products = (np.zeros((scales, image.shape[-1])) for _ in range(2))
  counts = np.zeros((scales, 1))
  for top in tops:
    is_last = top == tops[-1]
    part = slice(top, None if is_last else top + rows + _OVERLAP)
    x, x_hat = to_float(image[None, part]), to_float(decoded[None, part])
    for scale in range(scales):
      if scale:
        x, x_hat = _halve(x), _halve(x_hat)
      # Further windows are those of the next strip.
      luminance, structure = (
          term[0, :None if is_last else rows >> scale].numpy()
          for term in _compare(x, x_hat))
      for sums, terms in (
          (structures, structure), (products, luminance * structure)):
        sums[scale] += np.sum(terms, axis=(0, 1), dtype=np.float64)
      counts[scale] += structure.shape[0] * structure.shape[1]
  means, last = structures / counts, products / counts
  found = float(last[0].mean())
  if not has_scales:
    return None, found
  means[-1] = last[-1]
  weights = np.array(_WEIGHTS)[:, None]
  return float(np.prod(np.maximum(means, 0.0) ** weights, axis=0).mean()), found


def dissimilar_mae(x, x_hat):
  """Returns the mean absolute error of each image where structure was lost.

  Blocks of 8x8 weigh as much as their (1 - SSIM) / 2 exceeds its mean over the
  image, within 0.1 to 10; no gradient goes through the weights.

  Args:
    x: (B, H, W, C) float in [0, 1], sides multiples of 8.
    x_hat: likewise.

  Returns:
    (B,) float on the 0..255 scale.

  Source: Johnston et al., CVPR 2018, arXiv:1703.10114, section 3.3. Window and
    bounds are ours.
  """
  def block_means(value):
    return tf.nn.avg_pool2d(value, _BLOCK, _BLOCK, "VALID")

  luminance, structure = _compare(x, x_hat, block_means)
  lost = tf.reduce_mean(
      0.5 * (1.0 - luminance * structure), axis=-1, keepdims=True)
  mean = tf.reduce_mean(lost, axis=(1, 2, 3), keepdims=True)
  weights = tf.clip_by_value(lost / tf.maximum(mean, 1e-6), 0.1, 10.0)
  error = block_means(tf.abs(x - x_hat) * 255.0)
  return tf.reduce_mean(tf.stop_gradient(weights) * error, axis=(1, 2, 3))


@tf.custom_gradient
def _product(means):
  """Returns the product over scales of their means to the power of their weights.

  A mean below zero counts as zero. There the power has no slope, or an endless one,
  and the product none in the other scales, though that is where training starts:
  a picture of random weights has nothing in common with the original. So the
  gradient is that of means of at least `_SLOPE_FLOOR`; above it, the true one.

  Args:
    means: (5, B, C) float.

  Returns:
    (B, C) float.
  """
  weights = tf.reshape(tf.constant(_WEIGHTS, means.dtype), [-1, 1, 1])

  def product(values):
    return tf.reduce_prod(values ** weights, axis=0)

  def gradient(grad):
    raised = tf.maximum(means, _SLOPE_FLOOR)
    return grad * product(raised) * weights / raised

  return product(tf.nn.relu(means)), gradient


def _blur(x):
  """Returns the local Gaussian mean where the window fits."""
  window = np.exp(-0.5 * np.square(
      (np.arange(_TAPS) - _TAPS // 2) / _DEVIATION))
  window = tf.constant(window / window.sum(), x.dtype)
  channels = x.shape[-1]
  for shape in ([_TAPS, 1, 1, 1], [1, _TAPS, 1, 1]):
    kernel = tf.tile(tf.reshape(window, shape), [1, 1, channels, 1])
    x = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID")
  return x


def _compare(x, x_hat, blur=_blur):
  """Returns luminance and contrast-structure terms of local means by `blur`."""
  mean, mean_hat = blur(x), blur(x_hat)
  product = 2.0 * mean * mean_hat
  squares = tf.square(mean) + tf.square(mean_hat)
  luminance = (product + _C1) / (squares + _C1)
  covariance = 2.0 * blur(x * x_hat) - product
  variances = blur(tf.square(x) + tf.square(x_hat)) - squares
  return luminance, (covariance + _C2) / (variances + _C2)


def _halve(x):
  """Returns means of 2x2 pixels; an odd last row or column counts twice."""
  dynamic = tf.shape(x)
  odd = [(dynamic[n] if x.shape[n] is None else x.shape[n]) % 2 for n in (1, 2)]
  x = tf.pad(x, [[0, 0], [0, odd[0]], [0, odd[1]], [0, 0]], "SYMMETRIC")
  return tf.nn.avg_pool2d(x, 2, 2, "VALID")
