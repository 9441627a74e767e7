"""How loud groups of channels of a latent are, and what that says of their scales."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models import (
  INDEX_UNIT,
  GaussianCodec,
  GaussianParams,
  index_from_scale,
)
from tfc_models.ops.noise import Noise

# Most groups of channels whose loudness side information tells.
_GROUPS = 8
# Where the piecewise linear logarithm of a loudness bends, as quantiles of it.
_KNOTS = (0.0, 0.2, 0.5, 0.85)
NUM_KNOTS = len(_KNOTS)
# The first taps of a block of 2, of kernels of 5 with stride 2.
BLOCK = slice(1, 3)
# Bilinear interpolation from 2x2 sites to 4x4, as such a kernel.
BETWEEN = np.outer(*2 * [[0.25, 0.75, 0.75, 0.25, 0.0]])
# Loudness is about 1; what is much less does not matter.
_SILENCE = 0.03
# Standard deviation of a logarithm in steps of a side latent is about twice its own.
_STEPS = 2.0
# Of the fit of indexes.
_FIT_STEPS, _FIT_SITES, _FIT_RATE = 200, 3000, 0.03
# Least deviation of a channel, and least scale at the start.
_LEAST_DEVIATION, _LEAST_SCALE = 1e-3, 0.12


def deviations(y):
  """Returns the root mean square of each channel of y, (B, H, W, M), at least 1e-3."""
  found = np.sqrt(np.mean(np.square(y, dtype=np.float64), axis=(0, 1, 2)))
  return np.maximum(found, _LEAST_DEVIATION)


def octaves(sigmas, room):
  """Returns lists of channels, by rank, each twice the last; so many as there is room for.

  At least one, and at most eight.
  """
  count = max(1, min(_GROUPS, room))
  order, depth = np.argsort(-sigmas, kind="stable"), len(sigmas)
  edges = sorted({-(-depth // 2**octave) for octave in range(count)})
  return [order[first:last] for first, last in zip([0, *edges[:-1]], edges)]


def taps():
  """Returns the taps of a block of 2x2, row by row."""
  side = range(BLOCK.start, BLOCK.stop)
  return [(row, column) for row in side for column in side]


def projections(sigmas, count):
  """Returns random projections, (M, count), of M channels, each about 1 loud."""
  signs = np.random.choice([-1.0, 1.0], (len(sigmas), count))
  return signs / sigmas[:, None] / math.sqrt(len(sigmas))


def logarithm(values, activation):
  """Makes the logarithm of a loudness, in steps of a side latent, of rectifiers.

  Args:
    values: (N,) loudness of many places.
    activation: the rectifier.

  Returns:
    bends, weights, offset: the sum of weights times activation(value - bends), with the
    offset, is the logarithm less its mean.
  """
  bends = np.quantile(values, _KNOTS)
  pieces = [activation(tf.constant(values - bend)).numpy() for bend in bends]
  wanted = np.log(values + _SILENCE)
  weights, *_ = np.linalg.lstsq(
      np.stack([*pieces, np.ones_like(values)], axis=1),
      _STEPS * (wanted - wanted.mean()), rcond=None)
  return bends, weights[:-1], weights[-1]


def fit_indexes(features, y, sigmas):
  """Returns the weights, (1 + G, M), that predict the indexes of y, in units.

  Args:
    features: (B, H, W, G) or (N, G), what side information says at each site; a 1 goes
      before it.
    y: (B, H, W, M) float32.
    sigmas: (M,), what the fit starts from.
  """
  features = features.reshape(-1, features.shape[-1]).astype(np.float32)
  rows = np.concatenate([np.ones_like(features[:, :1]), features], axis=1)
  indexes = index_from_scale(np.maximum(sigmas, _LEAST_SCALE)) / INDEX_UNIT
  weights = tf.Variable(np.concatenate(
      [indexes[None], np.zeros((features.shape[1], len(sigmas)))]).astype(np.float32))
  _least_bits(weights, rows, y.reshape(-1, y.shape[-1]))
  return weights.numpy()


def _least_bits(weights, features, y):
  """Fits weights, (G, M), so that features @ weights are the indexes of y, in units."""
  optimizer = tf.keras.optimizers.Adam(_FIT_RATE)
  codec = GaussianCodec("y")

  @tf.function(autograph=False, reduce_retracing=True)
  def step(features, y, number):
    with tf.GradientTape() as tape:
      params = GaussianParams(INDEX_UNIT * tf.matmul(features, weights)[None, None])
      noise = Noise(tf.constant(0), number, tf.range(1))
      _, bits = codec.price(y[None, None], params, noise)
      loss = tf.reduce_sum(tf.reduce_mean(bits, axis=2))
    optimizer.apply_gradients([(tape.gradient(loss, weights), weights)])
    return loss

  optimizer.build([weights])
  for number in range(_FIT_STEPS):
    sites = np.random.randint(0, len(y), min(_FIT_SITES, len(y)))
    step(tf.constant(features[sites]), tf.constant(y[sites]), tf.constant(number))
