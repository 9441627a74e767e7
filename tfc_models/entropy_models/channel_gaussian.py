"""Gaussian with one learned scale for each channel, and zero mean."""

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.factorized import SYMBOL_LIMIT
from tfc_models.entropy_models.gaussian import (
    SCALE_MIN,
    GaussianCodec,
    GaussianParams,
    index_from_scale,
)
from tfc_models.entropy_models.integer_params import INDEX_UNIT

_FIRST_SCALE = 4.0


class ChannelGaussianCodec(GaussianCodec):
  """Codes round(y), clipped, under N(0, sigma) of its channel.

  Tables depend on the channel alone, so a stream decodes on any machine.

  Args:
    num_channels: channels of the latent.
    name, reconstruction: see `LatentCodec`.

  Attributes:
    log_scales: (C,) variable, indexes of scales in `INDEX_UNIT`: it changes as the
      logarithm of a scale does.

  Source: Lee, Cho, Beack, ICLR 2019, arXiv:1809.10452, the prior of z, in the authors'
    code; Hu, Yang, Liu, AAAI 2020, likewise.
  Departs: the logarithm of a scale is learned, not the scale, whose sign does not count
    there.
  """

  # The evidence is the channel.
  digested = False
  symbol_limit = SYMBOL_LIMIT

  def __init__(self, num_channels, name="z", reconstruction="noise"):
    super().__init__(name, reconstruction)
    self.num_channels = num_channels
    self.log_scales = tf.Variable(
        tf.fill([num_channels], index_from_scale(_FIRST_SCALE) / INDEX_UNIT),
        name="log_scales")

  def price(self, y, params=None, noise=None, rounding=None):
    return super().price(y, self._params(tf.shape(y)), noise, rounding)

  def quantize(self, y, params=None, rounding=None):
    y_hat = tf.clip_by_value(tf.round(y), -self.symbol_limit, self.symbol_limit)
    return y_hat, y_hat

  def evidence(self, params, shape):
    return super().evidence(self._params(shape), shape)

  def reconstruct(self, symbols, params=None):
    return tf.cast(symbols, tf.float32)

  def prepare(self, y):
    """Starts each scale as what its channel has."""
    deviations = np.sqrt(np.mean(np.square(y), axis=(0, 1, 2)))
    self.log_scales.assign(
        index_from_scale(np.maximum(deviations, SCALE_MIN)) / INDEX_UNIT)

  def rescale(self, factor):
    self.log_scales.assign_add(
        tf.fill([self.num_channels],
                (index_from_scale(factor) - index_from_scale(1.0)) / INDEX_UNIT))

  def _params(self, shape):
    # Rounded to half precision, so that weights stored in either are one prior.
    rounded = tf.cast(tf.cast(self.log_scales, tf.float16), tf.float32)
    indexes = self.log_scales + tf.stop_gradient(rounded - self.log_scales)
    return GaussianParams(tf.broadcast_to(INDEX_UNIT * indexes, shape))
