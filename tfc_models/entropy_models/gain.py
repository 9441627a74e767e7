"""A latent codec around one: finer or coarser quantisation of the same latent."""

import tensorflow as tf

from tfc_models.entropy_models.base import LatentCodec


class GainCodec(LatentCodec):
  """Codes gain * y, and divides what is decoded by it.

  Params, and what selects tables, belong to gain * y.

  Args:
    codec: `LatentCodec`.
    gain: function of no arguments to a factor, which broadcasts to y: larger ones
      take more bits.

  Source: Cui et al., "Asymmetric gained deep image compression with continuous rate
    adaptation", CVPR 2021, arXiv:2003.02012; bin sizes: Choi, El-Khamy, Lee, ICCV
    2019, arXiv:1909.04802.
  """

  def __init__(self, codec: LatentCodec, gain):
    super().__init__(f"{codec.name}_gain", codec.reconstruction)
    self.codec = codec
    self.gain = gain

  def leaves(self):
    return self.codec.leaves()

  def __call__(self, y, params=None, noise=None, **more):
    y_hat, bits = self.codec(self.gain() * y, params, noise, **self._within(more))
    return y_hat / self.gain(), bits

  def symbols(self, y, params=None, **more):
    coded, y_hat = self.codec.symbols(
        self.gain() * y, params, **self._within(more))
    return coded, y_hat / self.gain()

  def decode(self, reader, shape, params=None):
    return self.codec.decode(reader, shape, params) / self.gain()

  def _within(self, more):
    """Returns keyword arguments as they are of gain * y."""
    if more.get("rounding") is None:
      return more
    return {**more, "rounding": more["rounding"] / tf.square(self.gain())}

  def fix_tables(self):
    """Does nothing: the codec inside has the tables."""
