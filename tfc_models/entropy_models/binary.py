"""Binary codes, one bit a symbol: the signs of a recurrent codec."""

import tensorflow as tf
import tensorflow_compression as tfc

from tfc_models.entropy_models.base import LatentCodec
from tfc_models.ops import quantize

# Zero and one, half of a range of two each.
_EVEN = (1, 0, 1, 2)


class SignCodec(LatentCodec):
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

  def __init__(self, name, stochastic=True):
    super().__init__(name)
    self.stochastic = stochastic

  def __call__(self, y, params=None, noise=None):
    """As of `LatentCodec`; y_hat holds -1 and 1."""
    threshold = tf.zeros_like(y)
    if noise is not None and self.stochastic:
      threshold = 2.0 * noise.uniform(y, self.name)
    size = tf.cast(tf.reduce_prod(tf.shape(y)[1:]), tf.float32)
    signs = quantize.signs_straight_through(y, threshold)
    return signs, tf.fill(tf.shape(y)[:1], size)

  def compress(self, y, params=None):
    bits = tf.cast(y >= 0.0, tf.int32)
    handle = tfc.create_range_encoder(tf.shape(y)[:1], tf.constant(_EVEN))
    handle = tfc.entropy_encode_index(handle, tf.zeros_like(bits), bits)
    return tfc.entropy_encode_finalize(handle), _signs(bits)

  def decompress(self, strings, shape, params=None):
    indexes = tf.zeros([tf.size(strings), *shape], tf.int32)
    handle = tfc.create_range_decoder(strings, tf.constant(_EVEN))
    _, bits = tfc.entropy_decode_index(handle, indexes, shape, tf.int32)
    return _signs(bits)

  def fix_tables(self):
    """Does nothing: the table is the same for all."""


def _signs(bits):
  """0 and 1 to -1.0 and 1.0."""
  return 2.0 * tf.cast(bits, tf.float32) - 1.0
