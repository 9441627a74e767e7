"""Gaussian with a scale, and possibly a mean, per element."""

import math
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.base import STILL
from tfc_models.entropy_models.symbol_codec import SymbolCodec
from tfc_models.entropy_models.tables import PRECISION
from tfc_models.ops import quantize
from tfc_models.upstream import tfc

NUM_SCALES = 64
SCALE_MIN = 0.11
SCALE_MAX = 256.0

LOG_STEP = math.log(SCALE_MAX / SCALE_MIN) / (NUM_SCALES - 1)
# Less likely residuals are priced by their logarithm, see `_tail_bits`; they lie
# at least so many standard deviations from the nearest end of their box.
_LIKELIHOOD_FLOOR = 1e-9
_TAIL = 5.0
# Terms of the continued fraction: seven digits from `_TAIL` on.
_TERMS = 8
# Within tables `box_bits` says less than so much at so many deviations.
_EDGE_BITS, _EDGE = 21.0, 4.0
# int32 symbols with room for the tables' offsets, whatever a network outputs.
_SYMBOL_LIMIT = 2.0**20
# Symbols beyond are rounded like this one when rate counts; they are rare.
_LAST_THRESHOLD = 8
# The largest in the tables of bits.
_LAST_PRICED = 31


class GaussianParams(NamedTuple):
  """What the Gaussian is conditioned on.

  Attributes:
    indexes: (B, H, W, C) float, position on the scale table, see
      `scale_from_index`; any real number, clipped to 0..63.
    loc: (B, H, W, C) float mean, or None for zero.
  """

  indexes: tf.Tensor
  loc: Optional[tf.Tensor] = None


def scale_from_index(index):
  """Returns the standard deviation at `index`: 64 steps, 0.11 to 256, log."""
  return SCALE_MIN * tf.exp(LOG_STEP * index)


def index_from_scale(scale):
  """Returns the real-valued index of a standard deviation, an array."""
  return tf.math.log(scale / SCALE_MIN) / LOG_STEP


# Means of a fixed grid count in so many parts of a step, each with tables.
_FRACTIONS = 8


class GaussianCodec(SymbolCodec):
  """Codes round(y - loc) under N(0, scale) convolved with a unit box.

  The network outputs the table index itself. Training sees it as a real
  number, the coder and the estimate without noise as a rounded int32, since
  the coder would truncate what the estimate interpolates.

  Args:
    name, reconstruction: see `LatentCodec`.
    distortion_weight: what a squared error of 1 in the latent is worth in bits.
      The encoder then takes the nearest integer or the next one towards zero,
      whichever has the smaller bits + distortion_weight * error. 0 takes the
      nearest. Decoders do not depend on it.
    fixed_grid: y_hat is round(y), whatever the mean, coded under N(loc, scale)
      with loc rounded to eighths and tables for each of them. An encoder then
      knows y_hat before any mean, at the price of more bits where the scale is
      small.
    certain: whether there is a table for what a `MaskedCodec` leaves out.
    fit_symbols: whether training fits scales to the symbols that the coder writes,
      and means and y to the noisy latent; otherwise all to that. With a
      `distortion_weight` the two differ.

  Source: Balle et al., ICLR 2018, arXiv:1802.01436, appendix 6.2; with a mean:
    Minnen, Balle, Toderici, NeurIPS 2018, arXiv:1809.02736, equation 3.
  Departs: the index is predicted on a log scale instead of the scale, so no
    table look-up depends on a comparison of floats.
  """

  def __init__(self, name="y", reconstruction="noise", distortion_weight=0.0,
               fixed_grid=False, certain=False, fit_symbols=False):
    super().__init__(name, reconstruction)
    tables = NUM_SCALES * (_FRACTIONS if fixed_grid else 1)
    self.certain = tables if certain else None
    if fixed_grid and distortion_weight:
      raise ValueError("A fixed grid takes no `distortion_weight`.")
    self.distortion_weight = distortion_weight
    self.fixed_grid = fixed_grid
    self.fit_symbols = fit_symbols

  def price(self, y, params=None, noise=None, rounding=None):
    indexes, loc = params
    if noise is None:
      y_hat, symbols = self.quantize(y, params, rounding)
      indexes = self._scale_indexes(params)
      if not self.fixed_grid:
        return y_hat, _symbol_bits(symbols, indexes)
      return y_hat, _coder_bits(
          symbols - self._fractions(loc) / _FRACTIONS,
          scale_from_index(tf.cast(indexes, tf.float32)))
    if noise is STILL:
      residual = y if loc is None else y - loc
      return y, _sloped_bits(
          residual, quantize.clip_towards(indexes, 0.0, NUM_SCALES - 1.0))
    y_tilde = self.noisy(y, noise)
    rounded, symbols = self.quantize(y, params)
    y_hat = y_tilde if self.reconstruction == "noise" else (
        y + tf.stop_gradient(rounded - y))
    residual = y_tilde if loc is None else y_tilde - loc
    scale = scale_from_index(
        quantize.clip_towards(indexes, 0.0, NUM_SCALES - 1.0))
    if not self.fit_symbols:
      return y_hat, box_bits(residual, scale)
    coded = box_bits(tf.stop_gradient(symbols), scale)
    noisy = box_bits(residual, tf.stop_gradient(scale))
    return y_hat, coded + noisy - tf.stop_gradient(noisy)

  def fix_tables(self):
    self.tables.build(lambda: tfc.ContinuousIndexedEntropyModel(
        tfc.NoisyNormal,
        (NUM_SCALES, _FRACTIONS if self.fixed_grid else 1),
        {"loc": lambda index: tf.cast(index[..., 1], tf.float32) / _FRACTIONS,
         "scale": lambda index: scale_from_index(
             tf.cast(index[..., 0], tf.float32))},
        coding_rank=3, compression=True, stateless=True, tail_mass=2**-12,
        range_coder_precision=PRECISION), certain=self.certain is not None)

  @property
  def weighs(self):
    return not self.fixed_grid

  def quantize(self, y, params=None, rounding=None):
    """As of `SymbolCodec`; `rounding` as of `LatentCodec`."""
    loc = params.loc
    if self.fixed_grid:
      y_hat = self.on_grid(y)
      return y_hat, y_hat - self._whole(loc)
    residual = y if loc is None else y - loc
    symbols = tf.round(residual)
    weight = self.distortion_weight if rounding is None else rounding
    if rounding is not None or weight:
      symbols = self._spare_bits(
          residual, symbols, self._scale_indexes(params), weight)
    symbols = tf.clip_by_value(symbols, -_SYMBOL_LIMIT, _SYMBOL_LIMIT)
    return (symbols if loc is None else symbols + loc), symbols

  def _spare_bits(self, residual, symbols, indexes, weight):
    """Moves symbols towards zero where the bits outweigh the error."""
    distance, nearest = tf.abs(residual), tf.abs(symbols)
    row = indexes * (_LAST_THRESHOLD + 1)
    column = tf.cast(tf.minimum(nearest, float(_LAST_THRESHOLD)), tf.int32)
    saved = tf.gather(tf.constant(_SAVED_BITS), row + column)
    # n - 1 is better than n if (d - n + 1)^2 - (d - n)^2 is worth less than it
    # saves.
    worse = 2.0 * (distance - nearest) + 1.0
    move = tf.logical_and(
        nearest > 0.0, weight * worse < saved)
    return tf.where(move, symbols - tf.sign(symbols), symbols)

  def evidence(self, params, shape):
    del shape
    indexes = self._scale_indexes(params)
    if self.fixed_grid:
      fractions = self._fractions(params.loc)
      indexes = indexes * _FRACTIONS + tf.cast(fractions, tf.int32)
    return indexes

  def reconstruct(self, symbols, params=None):
    symbols = tf.cast(symbols, tf.float32)
    if self.fixed_grid:
      return symbols + self._whole(params.loc)
    return symbols if params.loc is None else symbols + params.loc

  def on_grid(self, y):
    """Returns the y_hat of a fixed grid, which depends on no params."""
    return tf.clip_by_value(tf.round(y), -_SYMBOL_LIMIT, _SYMBOL_LIMIT)

  def _scale_indexes(self, params):
    indexes = tf.clip_by_value(
        tf.round(params.indexes), 0.0, NUM_SCALES - 1.0)
    return tf.cast(indexes, tf.int32)

  # The mean of a fixed grid is _whole(loc) + _fractions(loc) / _FRACTIONS.

  def _whole(self, loc):
    return tf.floor(tf.round(loc * _FRACTIONS) / _FRACTIONS)

  def _fractions(self, loc):
    return tf.round(loc * _FRACTIONS) - self._whole(loc) * _FRACTIONS


def box_bits(residual, scale):
  """Returns -log2 of the mass of [residual - 1/2, residual + 1/2].

  By symmetry evaluated on the negative side, where the difference of two
  normal distribution functions keeps its digits, until these run out.
  """
  distance = tf.abs(residual)
  factor = -math.sqrt(0.5) / scale
  upper = tf.math.erfc((0.5 - distance) * factor)
  lower = tf.math.erfc((-0.5 - distance) * factor)
  likelihood = 0.5 * (upper - lower)
  near = tf.math.log(
      tf.maximum(likelihood, _LIKELIHOOD_FLOOR)) / -math.log(2.0)
  return tf.where(
      likelihood < _LIKELIHOOD_FLOOR, _tail_bits(distance, scale), near)


def _tail_bits(distance, scale):
  """Returns the same where it is beyond what a likelihood in float32 can say.

  With the density f and Mills' ratio m, the mass beyond u is f(u) m(u). Without a
  slope here, what starts far from its scale would never come near it.

  Args:
    distance, scale: as tensors; less than `_TAIL` counts as that.
  """
  low = tf.maximum((distance - 0.5) / scale, _TAIL)
  high = low + 1.0 / scale
  # f(high) / f(low).
  fall = tf.exp((low - high) * (0.5 * (low + high)))
  mass = _mills(low) - fall * _mills(high)
  nats = 0.5 * (tf.square(low) + math.log(2.0 * math.pi)) - tf.math.log(mass)
  return nats / math.log(2.0)


def _mills(u):
  """Returns the normal mass beyond u over the density at u, for large u.

  Source: Laplace's continued fraction, Abramowitz and Stegun, 26.2.14.
  """
  value = u
  for term in range(_TERMS, 0, -1):
    value = u + term / value
  return 1.0 / value


def _escape_bits(residual, scale):
  """Returns about what a symbol takes that its table does not hold.

  Two bits for each doubling of the distance from the table's end, like the coder, and
  some more than the coder there: within tables it is `box_bits` that counts.
  """
  beyond = tf.nn.relu(tf.abs(residual) - _EDGE * scale)
  return _EDGE_BITS + 2.0 / math.log(2.0) * tf.math.log1p(beyond)


def _coder_bits(residual, scale):
  """Returns what the coder takes for residuals, within its tables or not."""
  return tf.minimum(box_bits(residual, scale), _escape_bits(residual, scale))


def _symbol_bits(symbols, indexes):
  """Returns the same of integers, at rounded indexes, in a fifth of the time.

  A table holds those that are not large, which hardly any is.
  """
  bits = tf.gather(tf.constant(_TABLE_BITS), _place(symbols, indexes))
  beyond = tf.where(tf.abs(symbols) > _LAST_PRICED)
  scale = scale_from_index(tf.cast(tf.gather_nd(indexes, beyond), tf.float32))
  return tf.tensor_scatter_nd_update(
      bits, beyond, _coder_bits(tf.gather_nd(symbols, beyond), scale))


@tf.custom_gradient
def _sloped_bits(residual, indexes):
  """Returns the bits of rounded residuals; gradients are differences in the table."""
  symbols = tf.round(residual)
  place = _place(symbols, tf.cast(tf.round(indexes), tf.int32))

  def gradient(grad):
    by_symbol, by_index = (tf.gather(tf.constant(slopes), place) for slopes in _SLOPES)
    return grad * tf.sign(symbols) * by_symbol, grad * by_index

  return tf.gather(tf.constant(_TABLE_BITS), place), gradient


def _place(symbols, indexes):
  """Returns where in the flat tables symbols stand; large ones like the last."""
  column = tf.minimum(tf.abs(symbols), float(_LAST_PRICED))
  return indexes * (_LAST_PRICED + 1) + tf.cast(column, tf.int32)


def _table(last, floor):
  """Returns the bits of n in 0..last at each of 64 scales, (64, last + 1).

  Args:
    last: int.
    floor: less likely symbols count as that.
  """
  scale = SCALE_MIN * np.exp(LOG_STEP * np.arange(NUM_SCALES))
  return np.asarray([[
      -math.log2(max(floor, 0.5 * (
          math.erfc((n - 0.5) / one * math.sqrt(0.5))
          - math.erfc((n + 0.5) / one * math.sqrt(0.5)))))
      for n in range(last + 1)] for one in scale])


def _saved_bits():
  """Returns what n - 1 saves against n, for n in 0..8 at each of 64 scales, flat."""
  saved = np.diff(_table(_LAST_THRESHOLD, _LIKELIHOOD_FLOOR), axis=1, prepend=0.0)
  saved[:, 0] = 0.0
  return np.float32(saved).ravel()


def _table_bits():
  """Returns what the coder takes for n in 0..31, (64, 32)."""
  scale = SCALE_MIN * np.exp(LOG_STEP * np.arange(NUM_SCALES))[:, None]
  beyond = np.maximum(np.arange(_LAST_PRICED + 1) - _EDGE * scale, 0.0)
  escape = _EDGE_BITS + 2.0 * np.log2(1.0 + beyond)
  return np.minimum(_table(_LAST_PRICED, np.finfo(float).tiny), escape)


def _slopes(bits):
  """Returns how bits grow with n, and with the index of the scale, flat each."""
  by_symbol = np.gradient(bits, axis=1)
  by_symbol[:, 0] = 0.0  # Either sign is as far from zero.
  return tuple(np.float32(slopes).ravel()
               for slopes in (by_symbol, np.gradient(bits, axis=0)))


_SAVED_BITS = _saved_bits()
_TABLE_BITS = np.float32(_table_bits()).ravel()
_SLOPES = _slopes(_table_bits())
