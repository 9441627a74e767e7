"""Integers under two logistic densities about one mean, a narrow and a wide one."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.symbol_codec import SymbolCodec
from tfc_models.entropy_models.tables import PRECISION
from tfc_models.ops import quantize

_COUNT = 64
_SCALE_MIN, _SCALE_MAX = 0.025, 80.0
_LOG_STEP = math.log(_SCALE_MAX / _SCALE_MIN) / (_COUNT - 1)
# Means count in so many parts of a step, each with tables.
_FRACTIONS = 8
# A table holds what is likelier than that, and so many symbols on either side at most.
_TAIL = 2.0**-12
_MOST = 400
_LIMIT = 2.0**20

# Of the narrow density, by index.
LOGISTIC_SCALES = _SCALE_MIN * np.exp(_LOG_STEP * np.arange(_COUNT))


class LogisticCodec(SymbolCodec):
  """Codes integers y, by (1 - w) L(loc, s) + w L(loc, k s) convolved with a unit box.

  L is a logistic density of which the network predicts mean and index of s, as of
  `GaussianCodec`; w and k are learned, for all symbols the same. Means are rounded to
  eighths, with tables for each of them.

  Args:
    name: see `LatentCodec`.
    random: whether training adds noise; otherwise y is taken for integers.
  """

  fixed_grid = True

  def __init__(self, name="y", random=True):
    super().__init__(name, "round")
    self.random = random
    self.tail = tf.Variable([-2.0, math.log(3.0)], name="tail")

  def price(self, y, params=None, noise=None):
    indexes, loc = params
    if noise is None:
      y_hat, _ = self.quantize(y, params)
      indexes = tf.cast(self._scale_indexes(indexes), tf.float32)
      return y_hat, self._bits(y_hat - self._eighths(loc) / _FRACTIONS, indexes)
    bits = self._bits(
        self.noisy(y, noise) - loc,
        quantize.clip_towards(indexes, 0.0, _COUNT - 1.0))
    return quantize.round_straight_through(y), bits

  def noisy(self, y, noise):
    return super().noisy(y, noise) if self.random else y

  def on_grid(self, y):
    """Returns the y_hat, which depends on no params."""
    return tf.clip_by_value(tf.round(y), -_LIMIT, _LIMIT)

  def quantize(self, y, params=None):
    y_hat = self.on_grid(y)
    return y_hat, y_hat - self._whole(params.loc)

  def evidence(self, params, shape):
    del shape
    fractions = self._eighths(params.loc) - _FRACTIONS * self._whole(params.loc)
    return _FRACTIONS * self._scale_indexes(params.indexes) + tf.cast(
        fractions, tf.int32)

  def reconstruct(self, symbols, params=None):
    return tf.cast(symbols, tf.float32) + self._whole(params.loc)

  def fix_tables(self):
    tables, offsets = [], []
    share, ratio = (float(value) for value in self._tail())
    for scale in LOGISTIC_SCALES:
      for fraction in range(_FRACTIONS):
        table, first = _table(scale, share, ratio, fraction / _FRACTIONS)
        tables.append(table)
        offsets.append(first)
    self.tables.assign(np.concatenate(tables), offsets)

  def _tail(self):
    """Returns w and k."""
    return tf.sigmoid(self.tail[0]), tf.exp(self.tail[1])

  def _bits(self, residual, indexes):
    share, ratio = self._tail()
    scale = _SCALE_MIN * tf.exp(_LOG_STEP * indexes)
    narrow = tf.math.log1p(-share) + _log_mass(residual, scale)
    wide = tf.math.log(share) + _log_mass(residual, ratio * scale)
    most = tf.maximum(narrow, wide)
    least = tf.minimum(narrow, wide)
    return (most + tf.math.softplus(least - most)) / -math.log(2.0)

  def _scale_indexes(self, indexes):
    return tf.cast(
        tf.clip_by_value(tf.round(indexes), 0.0, _COUNT - 1.0), tf.int32)

  # A mean is _whole(loc) + part / 8; whatever a network says, symbols stay in int32.

  def _eighths(self, loc):
    return tf.clip_by_value(tf.round(loc * _FRACTIONS), -_LIMIT, _LIMIT)

  def _whole(self, loc):
    return tf.floor(self._eighths(loc) / _FRACTIONS)


def _log_mass(residual, scale):
  """Returns the logarithm of the mass of [residual - 1/2, residual + 1/2].

  With a and b its ends over the scale, F(b) - F(a) = F(b) F(-a) (1 - exp(a - b)), which
  keeps its digits however far the tail.
  """
  width = 1.0 / scale
  low = (residual - 0.5) * width
  high = (residual + 0.5) * width
  # log(1 - exp(-width)): narrow boxes by what is left of 1, wide ones by the exponential.
  box = tf.math.log(-tf.math.expm1(-tf.minimum(width, 30.0)))
  return box - tf.math.softplus(-high) - tf.math.softplus(low)


def _table(scale, share, ratio, mean):
  """Returns a table as of `RangeTables.assign`, the last place for all else, and its
  first symbol."""
  reach = _MOST
  ends = np.arange(-reach, reach + 2) - 0.5 - mean
  cdf = (1.0 - share) * _logistic(ends / scale) + share * _logistic(ends / (ratio * scale))
  mass = np.diff(cdf)
  held = np.flatnonzero(mass > _TAIL * mass.max())
  first, last = held[0], held[-1] + 1
  mass = mass[first:last]
  mass = np.append(mass, max(1.0 - mass.sum(), 0.0))
  parts = 1 + np.floor(mass / mass.sum() * (2**PRECISION - len(mass))).astype(np.int64)
  parts[parts[:-1].argmax()] += 2**PRECISION - parts.sum()
  cdf = np.concatenate([[-PRECISION, 0], np.cumsum(parts)])
  return cdf.astype(np.int32), int(first) - reach


def _logistic(x):
  return 0.5 * (1.0 + np.tanh(0.5 * x))
