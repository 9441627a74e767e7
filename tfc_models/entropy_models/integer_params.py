"""From the outputs of a network of integers to what a Gaussian is conditioned on."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.gaussian import (
    LOG_STEP,
    NUM_SCALES,
    SCALE_MIN,
    GaussianParams,
)

# What one unit of the real network is, in bits of its integers (`layers.exact`). On
# a log axis it is 8 steps of the scale table, about a factor of e; scales themselves
# count in 1/256, means in 1/64.
_INDEX_BITS = 3
_SCALE_BITS = 8
_MEAN_BITS = 6
# Indexes that a unit of the real network stands for.
INDEX_UNIT = 2.0**_INDEX_BITS

# From one table to the next, in units of scales: the geometric middle of their
# scales. CompressAI takes the next larger table, which costs 0.2 to 0.4 % of the rate.
EDGES = np.floor([
    SCALE_MIN * math.exp(LOG_STEP * (number + 0.5)) * 2**_SCALE_BITS
    for number in range(NUM_SCALES - 1)]).astype(np.float32)


def integer_bits(channels, means, linear=False):
  """Returns the bits of each output of an integer network that predicts params.

  Args:
    channels: of the latent.
    means: whether means follow what says the scales.
    linear: whether that is the scales themselves, not their indexes.
  """
  scales = _SCALE_BITS if linear else _INDEX_BITS
  return [scales] * channels + [_MEAN_BITS] * (channels if means else 0)


def params_from_integers(outputs, means, linear=False):
  """Returns the `GaussianParams`, equal on every machine, of such outputs."""
  scales, loc = tf.split(outputs, 2, axis=-1) if means else (outputs, None)
  return GaussianParams(
      _index_of_scale(scales) if linear else scales,
      None if loc is None else loc * 2.0**-_MEAN_BITS)


@tf.custom_gradient
def _index_of_scale(scales):
  """Returns the index of the table of each scale, with the gradient of its log."""
  flat = tf.searchsorted(tf.constant(EDGES), tf.reshape(scales, [-1]))
  least = SCALE_MIN * 2**_SCALE_BITS

  def gradient(grad):
    # Smaller scales than the least have its table; descent may lead back.
    return tf.where((scales > least) | (grad < 0.0), grad, 0.0) / (
        LOG_STEP * tf.maximum(scales, least))

  return tf.cast(tf.reshape(flat, tf.shape(scales)), tf.float32), gradient
