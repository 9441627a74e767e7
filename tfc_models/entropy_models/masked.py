"""A latent codec around one: elements that a mask leaves out take no bits."""

import tensorflow as tf

from tfc_models.entropy_models.symbol_codec import SymbolCodec


class MaskedCodec(SymbolCodec):
  """Codes the elements where a mask is 1; the others are zero, and cost nothing.

  Its params are a pair: those of the codec inside, and the mask, shaped like y or
  broadcast to it, 0 or 1, known to the receiver beforehand.

  Args:
    codec: `SymbolCodec` that was made with `certain=True`, which gives it a table
      of a symbol that is sure (2e-5 bits each).

  Source: importance maps: Li, Zuo, Gu, Zhao, Zhang, CVPR 2018, arXiv:1703.10553;
    Mentzer et al., CVPR 2018, arXiv:1801.04260.
  """

  def __init__(self, codec: SymbolCodec):
    if codec.certain is None:
      raise ValueError("`codec` must be made with `certain=True`.")
    super().__init__(f"{codec.name}_masked", codec.reconstruction)
    self.codec = codec
    self.tables = codec.tables

  @property
  def weighs(self):
    return self.codec.weighs

  def price(self, y, params=None, noise=None, **more):
    inner, mask = params
    y_hat, bits = self.codec.price(y, inner, noise, **more)
    return mask * y_hat, mask * bits

  def quantize(self, y, params=None, **more):
    inner, mask = params
    y_hat, symbols = self.codec.quantize(y, inner, **more)
    return mask * y_hat, mask * symbols

  def evidence(self, params, shape):
    inner, mask = params
    return tf.where(
        mask > 0.5, self.codec.evidence(inner, shape), self.codec.certain)

  def reconstruct(self, symbols, params=None):
    inner, mask = params
    return mask * self.codec.reconstruct(symbols, inner)

  def noisy(self, y, noise):
    return self.codec.noisy(y, noise)

  def prepare(self, y):
    self.codec.prepare(y)

  def rescale(self, factor):
    self.codec.rescale(factor)

  def fix_tables(self):
    """Does nothing: the codec inside has the tables."""
