"""Mixture of Gaussians, coded by halvings of a window; all its numbers are integers."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models import digest
from tfc_models.entropy_models.gaussian import (
    NUM_SCALES,
    SCALE_MIN,
    box_bits,
    scale_from_index,
)
from tfc_models.entropy_models.symbol_codec import SymbolCodec
from tfc_models.entropy_models.tables import LIMIT, PRECISION, ConstantTables
from tfc_models.ops import quantize

# Means count in 1/16, and lie in so many of these; log odds of weights count in 1/16;
# weights in 1/256; of indexes 8 are a unit of the real network, as of a single Gaussian.
_MEAN_BITS, _LOGIT_BITS, _WEIGHT_BITS, _INDEX_BITS = 4, 4, 8, 3
_MEAN_LIMIT = 2**15 - 1
_ONE = 2**_WEIGHT_BITS
# Symbols in the window, a power of two; the first and the last stand for what is beyond.
_WINDOW = 256
_HALVINGS = int(math.log2(_WINDOW))
DECISIONS = _HALVINGS + 1  # One says how far beyond.

# All constants come of sums, products and quotients, one after the other, which every
# machine rounds alike; exponentials and roots are written down.
_EXP = 0.9394130628134758  # exp(-1 / 16).
_SCALE_STEP = 1.1309463943519327  # (256 / 0.11)**(1 / 63).
_GAUSS_STEP = 0.999999940395357  # exp(-2**-24).
_GAUSS_HALF_STEP = 0.9999999701976781  # exp(-2**-25).
_ODDS_STEP = 1.0905076026656215  # 65535**(1 / 128).
_ODDS_HALF_STEP = 1.044273720183373  # Its root.

# The normal distribution function: so many entries a standard deviation, as far as six
# of these, in 2**-22.
_FINENESS, _FAR = 4096, 6
_CDF_BITS = 22
# Of products that find an entry.
_RATE_BITS = 14
# What each symbol of the window has beside its share of the mixture, of 2**30.
_LEAST = 64
_TOTAL = _ONE * 2**_CDF_BITS + _WINDOW * _LEAST

# Tables of a 0 or 1 on either side of even odds, spaced evenly in log odds.
_SIDE = 128
_CERTAIN, _EXCESS = 2 * _SIDE + 1, 2 * _SIDE + 2


class MixtureParams(NamedTuple):
  """What a mixture of K Gaussians is conditioned on.

  Each is (B, ..., K C), the channels of a component together.

  Attributes:
    indexes: as of `GaussianParams`.
    loc: means.
    logits: of the weights, in units of 1/16.
  """

  indexes: tf.Tensor
  loc: tf.Tensor
  logits: tf.Tensor


def mixture_bits(channels, components):
  """Returns the bits of each output of an integer network that predicts params."""
  count = channels * components
  return [_INDEX_BITS] * count + [_MEAN_BITS] * count + [_LOGIT_BITS] * count


def mixture_from_integers(outputs):
  """Returns the `MixtureParams` of such outputs."""
  indexes, means, logits = tf.split(outputs, 3, axis=-1)
  return MixtureParams(indexes, means * 2.0**-_MEAN_BITS, logits)


class MixtureCodec(SymbolCodec):
  """Codes round(y) under sum_k w_k N(mu_k, sigma_k), convolved with a unit box.

  A window of 256 integers about the mixture's mean is halved eight times. Each halving
  is a decision, whose probability is a quotient of differences of

      C(n) = sum_k w_k Phi((n - 1/2 - mu_k) / sigma_k)

  so that C is computed where the search comes by, and nowhere else. w counts in 1/256,
  mu in 1/16, sigma is of the 64 scales of `GaussianCodec`, Phi a constant table; C and
  quotients are integers, equal on every machine, and choose one of 257 constant tables
  spaced evenly in log odds. The first and the last symbol of the window have the tails;
  how far beyond they are follows, in two bits for each doubling.

  Args:
    components: K.
    name, reconstruction: see `LatentCodec`.

  Source: Cheng, Sun, Takeuchi, Katto, CVPR 2020, arXiv:2001.01568, section 3.2.
  Departs: indexes of scales on a log axis, not scales; integers; the window lies about
    the mixture's mean, the authors' about zero.
  """

  fixed_grid = True
  several_decisions = True
  # An excess still fits the tables' limit.
  symbol_limit = LIMIT // 2

  def __init__(self, components=3, name="y", reconstruction="noise"):
    super().__init__(name, reconstruction)
    self.components = components
    self.evidence_size = 2 * components
    self.tables = ConstantTables(*_tables())

  def price(self, y, params=None, noise=None):
    if noise is None:
      y_hat, symbols = self.quantize(y)
      return y_hat, self._coded_bits(
          tf.cast(symbols, tf.int32), self.evidence(params, tf.shape(y)))
    y_tilde = self.noisy(y, noise)
    y_hat = y_tilde if self.reconstruction == "noise" else (
        quantize.round_straight_through(y))
    indexes, loc, logits = (self._by_component(each) for each in params)
    scale = scale_from_index(quantize.clip_towards(indexes, 0.0, NUM_SCALES - 1.0))
    logits = logits * 2.0**-_LOGIT_BITS
    logits -= tf.reduce_logsumexp(logits, axis=0)
    # By logarithms: what lies far from all components has a slope too.
    nats = logits - math.log(2.0) * box_bits(y_tilde - loc, scale)
    return y_hat, tf.reduce_logsumexp(nats, axis=0) / -math.log(2.0)

  def quantize(self, y, params=None):
    y_hat = self.on_grid(y)
    return y_hat, y_hat

  def on_grid(self, y):
    """Returns y_hat, which depends on no params."""
    return tf.clip_by_value(
        tf.round(y), -float(self.symbol_limit), float(self.symbol_limit))

  def reconstruct(self, symbols, params=None):
    return tf.cast(symbols, tf.float32)

  def evidence(self, params, shape):
    """As of `SymbolCodec`: means, then 64 w + index, each the components in turn."""
    del shape
    indexes, loc, logits = (self._by_component(each) for each in params)
    means = _integers(loc * 2.0**_MEAN_BITS, -_MEAN_LIMIT, _MEAN_LIMIT)
    indexes = _integers(indexes, 0, NUM_SCALES - 1)
    # exp(logits - the largest), and a share of 256 each, which add up to that.
    logits = _integers(logits, -LIMIT, LIMIT)
    below = tf.reduce_max(logits, axis=0) - logits
    odds = tf.gather(_EXPONENTIALS, tf.minimum(below, len(_EXPONENTIALS) - 1))
    until = tf.cumsum(odds, axis=0)
    until = (_ONE * until + until[-1:] // 2) // until[-1:]
    weights = tf.concat([until[:1], until[1:] - until[:-1]], axis=0)
    parts = tf.concat(
        [means + _MEAN_LIMIT, NUM_SCALES * weights + indexes], axis=0)
    return tf.concat(tf.unstack(parts, self.evidence_size), axis=-1)

  def write(self, symbols, evidence, splits=None):
    handle = self.tables.create_encoder(tf.shape(symbols)[:1])
    strings = self.tables.finish(self._encode(handle, symbols, evidence, splits))
    return digest.append(strings, evidence)

  def encode_more(self, handle, symbols, evidence):
    return self._encode(handle, symbols, evidence)

  def create_decoder(self, strings, count):
    return self.tables.create_decoder(strings, DECISIONS * count)

  def decode_more(self, handle, evidence):
    search = _Search(evidence, self.components)
    for step in _steps():
      handle, bit = self.tables.decode_more(handle, search.table(step))
      search.go(step, bit)
    handle, excess = self.tables.decode_more(handle, search.excess_table())
    symbols = search.symbols(tf.maximum(excess, 0))
    return handle, tf.clip_by_value(symbols, -self.symbol_limit, self.symbol_limit)

  def fix_tables(self):
    """Does nothing: the tables are the same for all weights."""

  def _by_component(self, x):
    """(..., K C) to (K, ..., C)."""
    return tf.stack(tf.split(x, self.components, axis=-1))

  def _decisions(self, symbols, evidence):
    """Returns decisions and tables, both (D, B, ..., C) int32, in their order."""
    search = _Search(evidence, self.components)
    place = search.place_of(symbols)
    bits, tables = [], []
    for step in _steps():
      tables.append(search.table(step))
      bits.append(tf.cast(place >= search.place + step, tf.int32))
      search.go(step, bits[-1])
    bits.append(search.excess_of(symbols))
    tables.append(search.excess_table())
    return tf.stack(bits), tf.stack(tables)

  def _encode(self, handle, symbols, evidence, splits=None):
    """Returns the handle after all pieces, each decision by decision."""
    decisions = self._decisions(symbols, evidence)
    count = tf.shape(symbols)[1]
    rows = tf.range(count)
    first, size = tf.zeros_like(rows), tf.fill([count], count)
    if splits is not None:
      piece = tf.searchsorted(splits, rows, side="right") - 1
      first = tf.gather(splits, piece)
      size = tf.gather(splits, piece + 1) - first
    # Where row i of decision d stands: behind all of the pieces before.
    places = DECISIONS * first + rows - first + tf.range(DECISIONS)[:, None] * size
    order = tf.math.invert_permutation(tf.reshape(places, [-1]))
    shape = [tf.shape(symbols)[0], DECISIONS * count, -1]
    bits, tables = (
        tf.gather(tf.reshape(tf.transpose(
            tf.reshape(x, [DECISIONS, shape[0], count, -1]), [1, 0, 2, 3]), shape),
            order, axis=1) for x in decisions)
    return self.tables.encode_more(handle, bits, tables)

  def _coded_bits(self, symbols, evidence):
    bits, tables = self._decisions(symbols, evidence)
    excess = tf.cast(bits[-1], tf.float32)
    beyond = tf.where(tables[-1] == _EXCESS, _excess_bits(excess), _BITS[2 * _CERTAIN])
    place = 2 * tables[:-1] + bits[:-1]
    return tf.reduce_sum(tf.gather(_BITS, place), axis=0) + beyond


class _Search:
  """Where the halving of the windows of all elements has come.

  Args:
    evidence: (B, ..., 2 K C).
    components: K.

  Attributes:
    place: (B, ..., C) int32, the first symbol left, counted within the window.
  """

  def __init__(self, evidence, components):
    parts = tf.stack(tf.split(evidence, 2 * components, axis=-1))
    means = parts[:components] - _MEAN_LIMIT
    weights, indexes = parts[components:] // NUM_SCALES, parts[components:] % NUM_SCALES
    unit = _ONE * 2**_MEAN_BITS
    centre = (tf.reduce_sum(weights * means, axis=0) + unit // 2) // unit
    self._first = centre - _WINDOW // 2
    self._weights = weights
    self._reach = tf.gather(_REACHES, indexes)
    self._rate = tf.gather(_RATES, indexes)
    # From the mean to the lower end of the first symbol.
    self._begin = 2**_MEAN_BITS * self._first - 2**_MEAN_BITS // 2 - means
    self._cdf = tf.constant(_CDF)
    self._table_of_share = tf.constant(_TABLE_OF_SHARE)
    self.place = tf.zeros_like(centre)
    self._low = tf.zeros_like(centre)
    self._high = tf.fill(tf.shape(centre), _TOTAL)
    self._middle = None

  def table(self, step):
    """Returns the tables of the decision for what is `step` or more above `place`."""
    place = self.place + step
    distance = tf.minimum(tf.maximum(
        2**_MEAN_BITS * place + self._begin, -self._reach), self._reach)
    entry = tf.bitwise.right_shift(distance * self._rate + _ORIGIN, _RATE_BITS)
    self._middle = _LEAST * place + tf.reduce_sum(
        self._weights * tf.gather(self._cdf, entry), axis=0)
    part, whole = self._high - self._middle, self._high - self._low
    share = tf.cast(part, tf.int64) * 2**PRECISION // tf.cast(whole, tf.int64)
    return tf.gather(self._table_of_share, tf.cast(share, tf.int32))

  def go(self, step, bit):
    """Goes where the decision after `table` says."""
    up = bit > 0
    self.place = tf.where(up, self.place + step, self.place)
    self._low = tf.where(up, self._middle, self._low)
    self._high = tf.where(up, self._high, self._middle)

  def place_of(self, symbols):
    """Returns where symbols are in the window."""
    return tf.clip_by_value(symbols - self._first, 0, _WINDOW - 1)

  def excess_of(self, symbols):
    """Returns how far beyond the window symbols are, when their place is reached."""
    return tf.abs(symbols - self._first - self.place)

  def excess_table(self):
    """Returns the table of that."""
    inside = (self.place > 0) & (self.place < _WINDOW - 1)
    return tf.where(inside, _CERTAIN, _EXCESS)

  def symbols(self, excess):
    """Returns the symbols at the place reached, and so far beyond."""
    inside = (self.place > 0) & (self.place < _WINDOW - 1)
    excess = tf.where(inside, 0, excess)
    return self._first + self.place + tf.where(self.place > 0, excess, -excess)


def _steps():
  """Returns the sizes of the upper halves."""
  return [_WINDOW >> halving for halving in range(1, _HALVINGS + 1)]


def _integers(x, low, high):
  """Returns int32 of floats that are integers, but for those of damaged weights."""
  return tf.cast(tf.clip_by_value(tf.round(x), float(low), float(high)), tf.int32)


def _excess_bits(excess):
  """Returns what the table `_EXCESS` takes: one, or one and a Golomb code of 2 n - 1."""
  doublings = tf.floor(tf.math.log(tf.maximum(2.0 * excess - 1.0, 1.0)) / math.log(2.0))
  return tf.where(excess > 0.0, 2.0 + 2.0 * doublings, 1.0)


# Constants.

def _powers(base, count):
  """Returns base**0 .. base**(count - 1), by products."""
  return np.cumprod(np.concatenate([[1.0], np.full(count - 1, base)]))


def _rounded(x):
  return np.floor(x + 0.5).astype(np.int32)


def _cdf():
  """Returns the normal distribution function at -6, -6 + 1/4096 ... 6."""
  count = _FAR * _FINENESS
  # exp(-x^2 / 2), from each entry to the next.
  steps = _GAUSS_HALF_STEP * _powers(_GAUSS_STEP, count)
  density = np.cumprod(np.concatenate([[1.0], steps]))
  half = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
  upper = _rounded(2.0 ** (_CDF_BITS - 1) * half / half[-1])
  middle = 2 ** (_CDF_BITS - 1)
  return np.concatenate([middle - upper[:0:-1], middle + upper]).astype(np.int32)


def _odds():
  """Returns the probability of a 1 in tables from even odds on, of 2**16."""
  odds = _powers(_ODDS_STEP, _SIDE + 1)
  return np.minimum(_rounded(2**PRECISION * (odds / (1.0 + odds))), 2**PRECISION - 1)


def _ones():
  """Returns the same of all tables."""
  upper = _odds()
  return np.concatenate([2**PRECISION - upper[:0:-1], upper, [1]])


def _table_of_share():
  """Returns the table for each probability of a 1, of 2**16."""
  odds = _ODDS_HALF_STEP * _powers(_ODDS_STEP, _SIDE)
  edges = odds / (1.0 + odds)
  edges = np.concatenate([1.0 - edges[::-1], edges])
  shares = (np.arange(2**PRECISION) + 0.5) / 2**PRECISION
  return np.searchsorted(edges, shares).astype(np.int32)


def _tables():
  """Returns cdf and offsets, see `RangeTables.assign`."""
  ones = _ones()
  binary = np.stack([
      np.full_like(ones, PRECISION), np.zeros_like(ones), 2**PRECISION - ones,
      np.full_like(ones, 2**PRECISION)], axis=-1)
  # Zero by a bit, all else by an escape code.
  excess = [-PRECISION, 0, 2 ** (PRECISION - 1), 2**PRECISION]
  return np.concatenate([binary.reshape(-1), excess]), np.zeros(len(ones) + 1, int)


def _bits():
  """Returns the bits of 0 and 1, in turn, by table, as they are coded."""
  ones = _ones() / 2**PRECISION
  return np.float32(-np.log2(np.stack([1.0 - ones, ones], axis=-1))).ravel()


_CDF = _cdf()
_SCALES = SCALE_MIN * _powers(_SCALE_STEP, NUM_SCALES) * 2**_MEAN_BITS
_REACHES = np.floor(_FAR * _SCALES).astype(np.int32)
# Rounded down, no product leads beyond the table.
_RATES = np.floor(_FINENESS * 2**_RATE_BITS / _SCALES).astype(np.int32)
# Of products, before the shift: the middle, and half a unit.
_ORIGIN = (_FAR * _FINENESS << _RATE_BITS) + 2 ** (_RATE_BITS - 1)
_EXPONENTIALS = _rounded(2.0**16 * _powers(_EXP, 16 * 12))
_TABLE_OF_SHARE = _table_of_share()
_BITS = _bits()
