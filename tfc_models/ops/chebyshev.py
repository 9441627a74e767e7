"""Polynomials of what varies continuously, such as the logarithm of a rate."""

import numpy as np
import tensorflow as tf


def polynomials(value, limits, count):
  """Returns the first `count` Chebyshev polynomials, (N, count) float32.

  Args:
    value: (N,) array or tensor, within the limits for values of -1 to 1.
    limits: (low, high).
    count: 2 or more.
  """
  low, high = limits
  x = (2.0 * value - low - high) / (high - low)
  found = [x**0, x]
  while len(found) < count:
    found.append(2.0 * x * found[-1] - found[-2])
  if isinstance(x, np.ndarray):
    return np.stack(found, axis=1).astype(np.float32)
  return tf.stack(found, axis=1)


def line(slope, intercept, limits, count):
  """Returns the weights of these polynomials that add up to a line in the value."""
  low, high = limits
  found = np.zeros(count)
  found[:2] = slope * (low + high) / 2.0 + intercept, slope * (high - low) / 2.0
  return found
