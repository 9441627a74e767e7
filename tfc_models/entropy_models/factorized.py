"""Fully factorized prior: one learned density per channel."""

import math

import tensorflow as tf
import tensorflow_compression as tfc

from tfc_models.entropy_models.base import LatentCodec
from tfc_models.entropy_models.tables import PRECISION, RangeTables
from tfc_models.ops import quantize

# Escape codes beyond the tables are long; a trained density ends well inside.
SYMBOL_LIMIT = 127.0


class FactorizedCodec(LatentCodec):
  """Codes a latent under a density per channel that training shapes freely.

  Symbols are round(y), clipped to +-127. Tables depend on the channel alone,
  so a stream decodes on any machine.

  Args:
    num_channels: channels of the latent.
    name, reconstruction: see `LatentCodec`.
    init_scale: half of the width that the initial density covers.

  Source: Balle, Minnen, Singh, Hwang, Johnston, ICLR 2018, arXiv:1802.01436,
    appendix 6.1, by `tfc.NoisyDeepFactorized`.
  Departs: no learned quantiles or medians; the bias before the latent centres
    it, and the tails are found when the tables are built.
  """

  def __init__(self, num_channels, name="z", reconstruction="noise",
               init_scale=10.0):
    super().__init__(name, reconstruction)
    self.num_channels = num_channels
    self.prior = tfc.NoisyDeepFactorized(
        batch_shape=(num_channels,), init_scale=init_scale)
    self.tables = RangeTables()

  def __call__(self, y, params=None, noise=None):
    if noise is None:
      y_tilde = y_hat = self._quantize(y)
    else:
      y_tilde = y + noise.uniform(y, self.name)
      y_hat = (y_tilde if self.reconstruction == "noise"
               else quantize.round_straight_through(y))
    bits = self.prior.log_prob(y_tilde) / -math.log(2.0)
    return y_hat, tf.reduce_sum(bits, axis=(1, 2, 3))

  def compress(self, y, params=None):
    y_hat = self._quantize(y)
    strings = self.tables.encode(
        tf.cast(y_hat, tf.int32), self._indexes(tf.shape(y)))
    return strings, y_hat

  def decompress(self, strings, shape, params=None):
    shape = tf.concat([tf.shape(strings)[:1], shape], axis=0)
    symbols = self.tables.decode(strings, self._indexes(shape))
    return tf.cast(symbols, tf.float32)

  def fix_tables(self):
    self.tables.build(lambda: tfc.ContinuousBatchedEntropyModel(
        self.prior, coding_rank=3, compression=True, stateless=True,
        tail_mass=2**-12, range_coder_precision=PRECISION,
        offset_heuristic=False))

  def _quantize(self, y):
    return tf.clip_by_value(tf.round(y), -SYMBOL_LIMIT, SYMBOL_LIMIT)

  def _indexes(self, shape):
    return tf.broadcast_to(tf.range(self.num_channels), shape)
