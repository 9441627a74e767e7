"""A latent codec that hands on, beside the latent, what side information shows."""

from typing import NamedTuple

import tensorflow as tf

from tfc_models.entropy_models.base import LatentCodec


class ShownParams(NamedTuple):
  """What side information says of a latent.

  Attributes:
    params: of the codec of the latent.
    shown: (B, H, W, D) float, for the networks that follow.
  """

  params: object
  shown: tf.Tensor


class ShownCodec(LatentCodec):
  """Codes y, and returns as y_hat both y_hat and what is shown, in further channels.

  Its params are `ShownParams`. The further channels are not coded: a receiver has them
  from side information, and need not have them to the last bit.

  Args:
    codec: `LatentCodec` of y.
  """

  def __init__(self, codec: LatentCodec):
    super().__init__(f"{codec.name}_shown", codec.reconstruction)
    self.codec = codec

  def leaves(self):
    return self.codec.leaves()

  def __call__(self, y, params=None, noise=None, **more):
    y_hat, bits = self.codec(y, params.params, noise, **more)
    return _joined(y_hat, params), bits

  def symbols(self, y, params=None, **more):
    coded, y_hat = self.codec.symbols(y, params.params, **more)
    return coded, _joined(y_hat, params)

  def decode(self, reader, shape, params=None):
    return _joined(self.codec.decode(reader, shape, params.params), params)

  def prepare(self, y):
    self.codec.prepare(y)

  def rescale(self, factor):
    self.codec.rescale(factor)

  def fix_tables(self):
    """Does nothing: the codec inside has the tables."""


def _joined(y_hat, params):
  return tf.concat([y_hat, params.shown], axis=-1)
