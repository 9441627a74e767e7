"""Stored integer tables, and the range coder that runs on them."""

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

# 16 bits instead of tfc's default 12: at a scale of 0.11 a symbol is worth
# 0.0002 bits, which a 12-bit table rounds up to several times that.
PRECISION = 16

# Zero all but for sure: a table of one symbol would have nothing to decode.
_CERTAIN = (PRECISION, 0, 2**PRECISION - 1, 2**PRECISION)


class RangeTables(tf.Module):
  """A list of probability tables over the integers, coded by index.

  Symbols outside a table's range take an escape code, whose length grows with
  the logarithm of the distance; any int32 can be coded.
  """

  def __init__(self):
    super().__init__()
    # The length is known once the prior has been trained.
    self.cdf = tf.Variable(
        tf.zeros([0], tf.int32), shape=[None], trainable=False, name="cdf")
    self.cdf_offset = tf.Variable(
        tf.zeros([0], tf.int32), shape=[None], trainable=False,
        name="cdf_offset")
    self._compute = None

  def build(self, make_entropy_model, certain=False):
    """Sets the tables to those that `tfc` computes.

    Args:
      make_entropy_model: function of no arguments to a `tfc` entropy model
        with `stateless=True` and the precision `PRECISION`; the same each time.
      certain: whether one more table follows, of a symbol zero that is sure.
    """

    if self._compute is None:
      # As a graph: the search for the tails of a learned density takes some
      # thousand tiny steps, 20 seconds eagerly. Traced once: it reads the
      # variables of the prior anew each time.
      @tf.function
      def tables():
        entropy_model = make_entropy_model()
        return entropy_model.cdf, entropy_model.cdf_offset

      self._compute = tables.get_concrete_function()
    cdf, offset = self._compute()
    if certain:
      cdf = tf.concat([cdf, _CERTAIN], axis=0)
      offset = tf.concat([offset, [0]], axis=0)
    self.assign(cdf, offset)

  def assign(self, cdf, cdf_offset):
    """Sets the tables.

    Args:
      cdf: int32, one table after the other as `tfc.create_range_encoder` takes them.
      cdf_offset: (N,) int32, the symbol that each begins with.
    """
    self.cdf.assign(cdf)
    self.cdf_offset.assign(cdf_offset)

  def encode(self, symbols, indexes):
    """Returns (B,) strings.

    Args:
      symbols: (B, ...) int32.
      indexes: (B, ...) int32, number of the table of each symbol.

    Raises:
      RuntimeError: if the tables have not been built: save the model first,
        or call `fix_tables`.
    """
    handle = self.create_encoder(tf.shape(symbols)[:1])
    return self.finish(self.encode_more(handle, symbols, indexes))

  def decode(self, strings, indexes):
    """Returns the symbols, (B, ...) int32, that `encode` turned to `strings`.

    The coder cannot notice a damaged string; the container's checksum does.
    """
    return self.decode_more(self.create_decoder(strings), indexes)[1]

  # Piece by piece, for codecs that must know some symbols to price the next.

  def create_encoder(self, shape):
    """Returns the handle of an encoder of `shape`, (1,) int32, strings."""
    self.check()
    return tfc.create_range_encoder(shape, self.cdf)

  def encode_more(self, handle, symbols, indexes):
    """Returns the handle after further symbols, (B, ...), as of `encode`."""
    return tfc.entropy_encode_index(
        handle, indexes, symbols - tf.gather(self.cdf_offset, indexes))

  def finish(self, handle):
    """Returns the (B,) strings of an encoder."""
    return tfc.entropy_encode_finalize(handle)

  def create_decoder(self, strings):
    """Returns the handle of a decoder of (B,) strings."""
    self.check()
    return tfc.create_range_decoder(strings, self.cdf)

  def decode_more(self, handle, indexes):
    """Returns the handle and the next symbols, shaped like `indexes`."""
    handle, symbols = tfc.entropy_decode_index(
        handle, indexes, tf.shape(indexes)[1:], tf.int32)
    return handle, symbols + tf.gather(self.cdf_offset, indexes)

  def check(self):
    """Raises RuntimeError if there are no tables yet; in graphs it cannot."""
    if tf.executing_eagerly() and not tf.size(self.cdf_offset):
      raise RuntimeError(
          "This model has no range coding tables yet: call `fix_tables()` "
          "after training, or load a saved model.")


class ConstantTables(RangeTables):
  """Tables that are the same for all weights, so that no file holds them.

  Args:
    cdf, cdf_offset: see `RangeTables.assign`.
  """

  def __init__(self, cdf, cdf_offset):
    tf.Module.__init__(self)
    self.cdf, self.cdf_offset = (
        np.asarray(value, np.int32) for value in (cdf, cdf_offset))
