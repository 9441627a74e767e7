"""Fully factorized prior whose densities are as wide as a condition says."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.factorized import FactorizedCodec
from tfc_models.layers import Modulation
from tfc_models.ops import quantize
from tfc_models.ops.graph import Graph


class ConditionalFactorizedCodec(FactorizedCodec):
  """Codes a latent under a density a channel that a `layers.Condition` makes wider.

      p(y) = s f(s y), with the f of `FactorizedCodec` and s > 0 of condition and channel

  There are tables for every band of neighbouring cases; the estimate without noise uses
  the widths of a band, as the coder does.

  Args:
    num_channels, **kwargs: as of `FactorizedCodec`.
    cases: (N, K) array, as of `layers.ExactModulation`.
    bands: how many there are; N is a multiple of it.

  Source: Choi, El-Khamy, Lee, ICCV 2019, arXiv:1909.04802, section 3: all likelihoods
    are conditioned on the rate.
  Departs: one shape of the density for all conditions.
  """

  def __init__(self, num_channels, cases, bands, **kwargs):
    super().__init__(num_channels, **kwargs)
    self._band_size = len(cases) // bands
    # The middle case of each.
    self._bands = np.asarray(cases, np.float32)[self._band_size // 2::self._band_size]
    self.narrowing = Modulation(
        num_channels, self._bands.shape[1], use_bias=False, name="narrowing")
    self._bits_graph = Graph(self._bits)

  def price(self, y, params=None, noise=None):
    if noise is None:
      y_tilde = y_hat = self.quantize(y)[0]
      weights = tf.gather(tf.constant(self._bands), params.case // self._band_size)
    else:
      y_tilde = self.noisy(y, noise)
      y_hat = (y_tilde if self.reconstruction == "noise"
               else quantize.round_straight_through(y))
      weights = params.weights
    scale, _ = self.narrowing.factors(weights)
    return y_hat, self._bits_graph(y_tilde, scale[:, None, None])

  def evidence(self, params, shape):
    band = (params.case // self._band_size)[:, None, None, None]
    return band * self.num_channels + tf.broadcast_to(
        tf.range(self.num_channels), shape)

  def create_decoder(self, strings, count):
    self.tables.check_lengths(
        strings, count // self.num_channels, groups=len(self._bands))
    return self.tables.create_decoder(strings, count)

  def fix_tables(self):
    scales, _ = self.narrowing.factors(self._bands)
    narrow = self._narrowness()
    found = []
    try:
      for scale in scales.numpy().astype(np.float64):
        self._set_narrowness(narrow * scale[:, None, None])
        super().fix_tables()
        found.append((self.tables.cdf.numpy(), self.tables.cdf_offset.numpy()))
    finally:
      self._set_narrowness(narrow)
    self.tables.assign(*(np.concatenate(each) for each in zip(*found)))

  def _bits(self, y, scale):
    """Returns -log2 of the mass of [y - 1/2, y + 1/2], on the side where it is small."""
    base = self.prior.base
    upper, lower = scale * (y + 0.5), scale * (y - 0.5)
    below, above = base.log_cdf(upper), base.log_survival_function(lower)
    right = base.log_survival_function(upper) < below
    larger = tf.where(right, above, below)
    smaller = tf.where(
        right, base.log_survival_function(upper), base.log_cdf(lower))
    return (larger + tf.math.log(-tf.math.expm1(
        tf.minimum(smaller - larger, -1e-7)))) / -math.log(2.0)
