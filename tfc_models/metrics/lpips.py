"""Learned perceptual image patch similarity, with weights that the user has."""

import numpy as np
import tensorflow as tf

# Filters, taps, stride and padding of AlexNet's convolutions; a pooling of 3x3 with stride
# 2 comes in front of those that say so. The numbers are torchvision's names.
_LAYERS = (("features.0", 4, 2, False), ("features.3", 1, 2, True),
           ("features.6", 1, 1, True), ("features.8", 1, 1, False),
           ("features.10", 1, 1, False))
# From [-1, 1] to what AlexNet was trained with, as in the authors' code.
_SHIFT = np.float32([-0.030, -0.088, -0.188])
_SCALE = np.float32([0.458, 0.448, 0.450])
_TINY = 1e-10
# Below it the last layer has no sample.
LPIPS_MIN_SIZE = 31


class Lpips:
  """The distance of the features of AlexNet, weighed as people judge.

  Images have sides of at least `LPIPS_MIN_SIZE`; equal ones have the distance 0.

  Args:
    alexnet: dict of torchvision's arrays, "features.0.weight" ...
    linear: dict of the authors' arrays of version 0.1, "lin0.model.1.weight" ...

  Raises:
    ValueError: if arrays are missing, or of other shapes.

  Source: Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep
    features as a perceptual metric", CVPR 2018, arXiv:1801.03924, equation 1.
  """

  def __init__(self, alexnet, linear):
    self._convolutions, self._weights = [], []
    depth = 3
    for number, (name, *_) in enumerate(_LAYERS):
      kernel = _array(alexnet, f"{name}.weight", 4)
      filters = len(kernel)
      bias = _array(alexnet, f"{name}.bias", 1)
      weights = _array(linear, f"lin{number}.model.1.weight", 4)
      if kernel.shape[1] != depth or len(bias) != filters or (
          weights.shape != (1, filters, 1, 1)):
        raise ValueError(f"{name} is not AlexNet's, or not of the same one")
      depth = filters
      # Ours have height, width, inputs, outputs.
      self._convolutions.append((kernel.transpose(2, 3, 1, 0), bias))
      self._weights.append(weights[0, :, 0, 0])

  def __call__(self, x, x_hat):
    """Returns the distances, (B,), of (B, H, W, 3) in [0, 1]."""
    distance = 0.0
    features = self._features(tf.concat([x, x_hat], axis=0))
    for found, weights in zip(features, self._weights):
      found /= tf.sqrt(tf.reduce_sum(
          tf.square(found), axis=-1, keepdims=True) + _TINY) + _TINY
      a, b = tf.split(found, 2)
      distance += tf.reduce_mean(
          tf.reduce_sum(weights * tf.square(a - b), axis=-1), axis=(1, 2))
    return distance

  def _features(self, x):
    """Returns the outputs of each layer."""
    x = (2.0 * x - 1.0 - _SHIFT) / _SCALE
    outputs = []
    for (_, stride, padding, pooled), (kernel, bias) in zip(
        _LAYERS, self._convolutions):
      if pooled:
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
      x = tf.pad(x, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
      x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, "VALID"), bias))
      outputs.append(x)
    return outputs


def _array(arrays, name, rank):
  if name not in arrays:
    raise ValueError(f"no array {name}")
  array = np.float32(arrays[name])
  if array.ndim != rank:
    raise ValueError(f"{name} has {array.ndim} axes, not {rank}")
  return array
