"""A distance that lets textures differ in where, and not in how much."""

import numpy as np
import tensorflow as tf

# Scales, each half the size of the one before.
_SCALES = 4
# Statistics are those of squares of so many samples, at every other half of one.
_WINDOW, _HOP = 8, 4
# Standard deviations on [0, 1] below which contrast is not seen: of what an edge
# filter gives, and of colours.
_THRESHOLD, _COLOUR_THRESHOLD = 1.5 / 255.0, 4.0 / 255.0
# Least variance that a root is taken of.
_TINY = 1e-8
# Below it the coarsest scale has no two samples.
WASSERSTEIN_MIN_SIZE = 16
_BLUR = np.float32([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
# Taps that respond to a slope and to a bend, of unit response to their own kind.
_SLOPE = np.float32([-1.0, 0.0, 1.0]) / 2.0
_BEND = np.float32([-1.0, 2.0, -1.0]) / 2.0
_ACROSS = np.float32([1.0, 2.0, 1.0]) / 4.0
# JFIF's Y, Cb, Cr of R, G, B; no offsets, which no difference sees.
_COLOURS = np.float32([
    [0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def _kernel():
  """Returns (3, 3, 3, K), from Y, Cb, Cr to features, and which of them are colours."""
  vertical, horizontal = np.outer(_SLOPE, _ACROSS), np.outer(_ACROSS, _SLOPE)
  edges = [vertical, horizontal]
  bends = [np.outer(_BEND, _ACROSS), np.outer(_ACROSS, _BEND), np.outer(_SLOPE, _SLOPE)]
  features = [(0, kernel) for kernel in edges + bends] + [
      (channel, kernel) for channel in (1, 2) for kernel in edges] + [
      (channel, np.outer(_ACROSS, _ACROSS)) for channel in range(3)]
  kernels = np.zeros((3, 3, 3, len(features)), np.float32)
  for number, (channel, kernel) in enumerate(features):
    kernels[:, :, channel, number] = kernel
  return kernels, np.arange(len(features)) >= len(features) - 3


_KERNEL, _IS_COLOUR = _kernel()
_FLOOR = np.where(_IS_COLOUR, _COLOUR_THRESHOLD, _THRESHOLD).astype(np.float32) ** 2


def wasserstein(x, x_hat):
  """Returns the distances of local statistics of images, 0 (equal) to about 1.

  Features of Y, Cb and Cr at four scales: responses to edges and bends of all
  orientations (steerable, so two and three filters do), and colours. Of each feature the
  Wasserstein distance of its distributions in windows of 8x8, taken as Gaussian: (m -
  m_hat)^2 + (s - s_hat)^2, over s^2 + s_hat^2 and a threshold, so that an error counts
  against the contrast that hides it. A texture in place of another one of the same
  statistics costs little, and blur much.

  Args:
    x: (B, H, W, 3) float in [0, 1], sides of at least `WASSERSTEIN_MIN_SIZE`.
    x_hat: likewise.

  Returns:
    (B,) float. Scales that are smaller than a window count with what they are.

  Source: Qiu, Wagner, Balle, Theis, "Wasserstein distortion: unifying fidelity and
    realism", CISS 2024, arXiv:2310.03629, equations 8 and 9, of features of a steerable
    pyramid: Simoncelli and Freeman, ICIP 1995.
  Departs: the paper's features are VGG's, for which nobody here need have weights; its
    windows are a map; it does not divide by contrast.
  """
  pair = tf.linalg.matvec(_COLOURS, tf.concat([x, x_hat], axis=0))
  distance, weight = 0.0, 1.0 / (_SCALES * len(_FLOOR))
  for scale in range(_SCALES):
    if scale:
      pair = _halved(pair)
    means, variances = _statistics(tf.nn.conv2d(_padded(pair, 1), _KERNEL, 1, "VALID"))
    mean, mean_hat = tf.split(means, 2)
    variance, variance_hat = tf.split(variances, 2)
    off = tf.square(mean - mean_hat) + tf.square(
        tf.sqrt(variance + _TINY) - tf.sqrt(variance_hat + _TINY))
    distance += weight * tf.reduce_sum(tf.reduce_mean(
        off / (variance + variance_hat + _FLOOR), axis=(1, 2)), axis=-1)
  return distance


def _statistics(x):
  """Returns the means and variances in windows of features."""
  size = [1, min(_WINDOW, x.shape[1] or _WINDOW), min(_WINDOW, x.shape[2] or _WINDOW), 1]
  mean = tf.nn.avg_pool2d(x, size, _HOP, "VALID")
  square = tf.nn.avg_pool2d(tf.square(x), size, _HOP, "VALID")
  return mean, tf.nn.relu(square - tf.square(mean))


def _halved(x):
  kernel = np.einsum("i,j,cd->ijcd", _BLUR, _BLUR, np.eye(3, dtype=np.float32))
  return tf.nn.conv2d(_padded(x, 2), kernel, 2, "VALID")


def _padded(x, size):
  return tf.pad(x, [[0, 0], [size] * 2, [size] * 2, [0, 0]], "SYMMETRIC")
