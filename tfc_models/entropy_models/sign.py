"""Binary codes, the signs of a recurrent codec: as they are, or by probability."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.symbol_codec import SymbolCodec
from tfc_models.entropy_models.tables import PRECISION, ConstantTables
from tfc_models.ops import quantize


class SignCodec(SymbolCodec):
  """Codes the signs of activations in -1..1, as they are, a bit each.

  In training an activation v becomes 1 with probability (1 + v) / 2 and otherwise
  -1, so that v is its mean; the gradient is that of the identity. The coder and
  the estimate take the sign, 1 for zero. A string of n bits has at most n / 8
  bytes, rounded up; zero bytes at its end are left out.

  Args:
    name: see `LatentCodec`.
    stochastic: False takes the sign in training as well.

  Source: Toderici et al., "Variable rate image compression with recurrent neural
    networks", ICLR 2016, arXiv:1511.06085, section 3.
  """

  digested = False

  def __init__(self, name, stochastic=True):
    super().__init__(name)
    self.stochastic = stochastic
    # Zero and one, half of a range of two each.
    self.tables = ConstantTables([1, 0, 1, 2], [0])

  def price(self, y, params=None, noise=None):
    """As of `SymbolCodec`; y_hat holds -1 and 1."""
    threshold = tf.zeros_like(y)
    if noise is not None and self.stochastic:
      threshold = 2.0 * noise.uniform(y, self.name)
    return quantize.signs_straight_through(y, threshold), tf.ones_like(y)

  def quantize(self, y, params=None):
    return _sign(y), tf.cast(y >= 0.0, tf.float32)

  def evidence(self, params, shape):
    return tf.zeros(shape, tf.int32)

  def reconstruct(self, symbols, params=None):
    return _signs(symbols)

  def fix_tables(self):
    """Does nothing: the table is the same for all."""


# Log odds count in 1/16, up to 8; one step further means certain.
LOGIT_BITS = 4
_LOGIT_LIMIT = 8.0 * 2**LOGIT_BITS - 1.0
_CERTAIN = int(_LOGIT_LIMIT) + 1


class SignParams(NamedTuple):
  """What predicted signs are conditioned on.

  Attributes:
    logits: (B, H, W, C) float, log odds of 1 against -1 in units of 1/16; without
      noise integers, equal for sender and receiver.
    certain: (B, H, W, 1) bool or None: where true, the sign is that of the logit
      (1 for zero), whatever y says, and takes no bits.
  """

  logits: tf.Tensor
  certain: object = None


class BernoulliCodec(SymbolCodec):
  """Codes signs, each with a probability that was predicted.

  Training, like the coder, takes the sign of y; what makes y a sign, with noise or
  not, is for another codec.
  """

  def price(self, y, params=None, noise=None):
    if noise is not None:
      y_hat = _sign(y)
      return y_hat, bits_of_logit(y_hat, params.logits)
    y_hat, symbols = self.quantize(y, params)
    return y_hat, bits_of_table(symbols, self.evidence(params, tf.shape(y)))

  def fix_tables(self):
    self.tables.assign(*binary_tables())

  def noisy(self, y, noise):
    del noise
    return _sign(y)

  def quantize(self, y, params=None):
    y_hat = _sign(y)
    if params.certain is not None:
      y_hat = tf.where(params.certain, _sign(params.logits), y_hat)
    return y_hat, 0.5 + 0.5 * y_hat

  def evidence(self, params, shape):
    del shape
    tables = table_of_logit(params.logits)
    if params.certain is not None:
      tables = tf.where(
          params.certain, tf.where(tables >= _CERTAIN, 2 * _CERTAIN, 0), tables)
    return tables

  def reconstruct(self, symbols, params=None):
    return _signs(symbols)


def table_of_logit(logits):
  """Returns the number of the table, int32, of log odds in units of 1/16."""
  return tf.cast(tf.clip_by_value(
      tf.round(logits), -_LOGIT_LIMIT, _LOGIT_LIMIT), tf.int32) + _CERTAIN


def bits_of_logit(bit, logits):
  """Returns the bits of a 0 or 1, carried by floats, whose log odds are real."""
  logits = quantize.clip_towards(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT)
  signed = tf.where(bit > 0.5, logits, -logits) * 2.0**-LOGIT_BITS
  return tf.nn.softplus(-signed) / np.log(2.0)


def bits_of_table(bit, tables):
  """Returns the bits of a 0 or 1, as they are coded."""
  odds = tf.gather(_probabilities(), tables)
  return tf.math.log(tf.where(bit > 0, odds, 1.0 - odds)) / -np.log(2.0)


def binary_tables():
  """Returns cdf and offsets, see `RangeTables.assign`, of a 0 or 1 by its log odds.

  The first says 0 for sure, the last 1; see `table_of_logit` for those between.
  """
  ones = np.int32(np.round(_probabilities() * 2**PRECISION))
  cdf = np.stack([
      np.full_like(ones, PRECISION), np.zeros_like(ones), 2**PRECISION - ones,
      np.full_like(ones, 2**PRECISION)], axis=-1)
  return cdf.reshape(-1), np.zeros_like(ones)


def _sign(y):
  return tf.where(y >= 0.0, 1.0, -1.0)


def _probabilities():
  """Returns the probability of 1 by number of table, float32, as coded."""
  logits = np.arange(-_CERTAIN, _CERTAIN + 1) / 2.0**LOGIT_BITS
  odds = np.round(2**PRECISION / (1.0 + np.exp(-logits)))
  # Certain means all but one part in 2**16.
  odds[0], odds[-1] = 1, 2**PRECISION - 1
  return np.float32(odds / 2**PRECISION)


def _signs(bits):
  """0 and 1 to -1.0 and 1.0."""
  return 2.0 * tf.cast(bits, tf.float32) - 1.0
