"""Binary codes, one bit a symbol: the signs of a recurrent codec."""

import tensorflow as tf
import tensorflow_compression as tfc

from tfc_models.entropy_models.base import LatentCodec

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

  Source: Toderici et al., "Variable rate image compression with recurrent neural
    networks", ICLR 2016, arXiv:1511.06085, section 3.
  """

  def __call__(self, y, params=None, noise=None):
    """As of `LatentCodec`; y_hat holds -1 and 1."""
    threshold = 0.0 if noise is None else 2.0 * noise.uniform(y, self.name)
    signs = tf.where(y >= threshold, 1.0, -1.0)
    size = tf.cast(tf.reduce_prod(tf.shape(y)[1:]), tf.float32)
    return y + tf.stop_gradient(signs - y), tf.fill(tf.shape(y)[:1], size)

  def compress(self, y, params=None):
    signs = tf.where(y >= 0.0, 1.0, -1.0)
    bits = tf.cast(y >= 0.0, tf.int32)
    handle = tfc.create_range_encoder(tf.shape(y)[:1], tf.constant(_EVEN))
    handle = tfc.entropy_encode_index(handle, tf.zeros_like(bits), bits)
    return tfc.entropy_encode_finalize(handle), signs

  def decompress(self, strings, shape, params=None):
    indexes = tf.zeros([tf.size(strings), *shape], tf.int32)
    handle = tfc.create_range_decoder(strings, tf.constant(_EVEN))
    _, bits = tfc.entropy_decode_index(handle, indexes, shape, tf.int32)
    return 2.0 * tf.cast(bits, tf.float32) - 1.0

  def fix_tables(self):
    """Does nothing: the table is the same for all."""
