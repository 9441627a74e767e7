"""Fully factorized prior: one learned density per channel."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.symbol_codec import SymbolCodec
from tfc_models.entropy_models.tables import PRECISION
from tfc_models.ops import quantize
from tfc_models.upstream import tfc

# How much wider or narrower than at first a density may start, and its sites to see.
_WIDTHS = 2.0 ** np.arange(-6.0, 6.5, 0.5)
_SITES = 4096

# Escape codes beyond the tables are long; a trained density ends well inside.
SYMBOL_LIMIT = 127.0


class FactorizedCodec(SymbolCodec):
  """Codes a latent under a density per channel that training shapes freely.

  Symbols are round(y), clipped. Tables depend on the channel alone,
  so a stream decodes on any machine.

  Args:
    num_channels: channels of the latent.
    name, reconstruction: see `LatentCodec`.
    init_scale: half of the width that the initial density covers.
    certain: whether there is a table for what a `MaskedCodec` leaves out.
    widths: of the hidden layers of the densities.
    limit: largest absolute value of a symbol; `SYMBOL_LIMIT` where a network of
      integers follows, which takes no more.

  Source: Balle, Minnen, Singh, Hwang, Johnston, ICLR 2018, arXiv:1802.01436,
    appendix 6.1, by `tfc.NoisyDeepFactorized`.
  Departs: no learned quantiles or medians; the bias before the latent centres
    it, and the tails are found when the tables are built.
  """

  # The evidence is the channel.
  digested = False

  def __init__(self, num_channels, name="z", reconstruction="noise",
               init_scale=10.0, certain=False, widths=(3, 3), limit=SYMBOL_LIMIT):
    self.symbol_limit = limit  # The tables take it over.
    super().__init__(name, reconstruction)
    self.certain = num_channels if certain else None
    self.num_channels = num_channels
    self.prior = tfc.NoisyDeepFactorized(
        batch_shape=(num_channels,), num_filters=widths, init_scale=init_scale)

  def price(self, y, params=None, noise=None):
    if noise is None:
      y_tilde = y_hat = self.quantize(y)[0]
    else:
      y_tilde = self.noisy(y, noise)
      y_hat = (y_tilde if self.reconstruction == "noise"
               else quantize.round_straight_through(y))
    return y_hat, self.prior.log_prob(y_tilde) / -math.log(2.0)

  def quantize(self, y, params=None):
    y_hat = tf.clip_by_value(tf.round(y), -self.symbol_limit, self.symbol_limit)
    return y_hat, y_hat

  def evidence(self, params, shape):
    return tf.broadcast_to(tf.range(self.num_channels), shape)

  def create_decoder(self, strings, count):
    if self.certain is None:
      self.tables.check_lengths(strings, count // self.num_channels)
    return super().create_decoder(strings, count)

  def reconstruct(self, symbols, params=None):
    return tf.cast(symbols, tf.float32)

  def prepare(self, y):
    """Starts each density as wide as takes the least bits for its channel."""
    rows = y.reshape(-1, self.num_channels)
    rows = tf.constant(rows[::-(-len(rows) // _SITES)].astype(np.float32))
    narrow = self._narrowness()
    bits = []
    for width in _WIDTHS:
      self._set_narrowness(narrow / width)
      bits.append(-tf.reduce_mean(self.prior.log_prob(rows), axis=0).numpy())
    width = _WIDTHS[np.argmin(bits, axis=0)]
    self._set_narrowness(narrow / width[:, None, None])

  def rescale(self, factor):
    self._set_narrowness(self._narrowness() / factor)

  @property
  def _first_matrix(self):
    """The variable that multiplies y, below a softplus."""
    (matrix,) = [v for v in self.prior.base.trainable_variables
                 if v.name.endswith("matrix_0:0")]
    return matrix

  def _narrowness(self):
    return tf.nn.softplus(self._first_matrix).numpy().astype(np.float64)

  def _set_narrowness(self, value):
    # The inverse of softplus.
    self._first_matrix.assign(value + np.log(-np.expm1(-value)))

  def fix_tables(self):
    self.tables.build(lambda: tfc.ContinuousBatchedEntropyModel(
        self.prior, coding_rank=3, compression=True, stateless=True,
        tail_mass=2**-12, range_coder_precision=PRECISION,
        offset_heuristic=False), certain=self.certain is not None)
