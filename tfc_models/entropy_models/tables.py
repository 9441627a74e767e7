"""Stored integer tables, and the range coder that runs on them."""

import math
import zlib

import numpy as np
import tensorflow as tf

from tfc_models.errors import BitstreamError, UsageError
from tfc_models.upstream import require_whole, tfc

# 16 bits instead of tfc's default 12: at a scale of 0.11 a symbol is worth
# 0.0002 bits, which a 12-bit table rounds up to several times that.
PRECISION = 16
# No codec codes larger symbols; room for the tables' offsets in int32.
LIMIT = 2**20

# See `RangeTables.create_decoder`.
_BITS_PER_SYMBOL = 82
_BLOCK = 4096  # Symbols.
_ZEROS = b"\0" * 64  # Of 512 symbols.
_ONES = b"\xff" * ((_BITS_PER_SYMBOL + 1) * _BLOCK // 8)

# Zero all but for sure: a table of one symbol would have nothing to decode.
_CERTAIN = (PRECISION, 0, 2**PRECISION - 1, 2**PRECISION)


class RangeTables(tf.Module):
  """A list of probability tables over the integers, coded by index.

  Symbols outside a table's range take an escape code, whose length grows with
  the logarithm of the distance.

  Args:
    limit: largest absolute value of a symbol.
  """

  def __init__(self, limit=LIMIT):
    super().__init__()
    self.limit = int(limit)
    # The length is known once the prior has been trained.
    self.cdf = tf.Variable(
        tf.zeros([0], tf.int32), shape=[None], trainable=False, name="cdf")
    self.cdf_offset = tf.Variable(
        tf.zeros([0], tf.int32), shape=[None], trainable=False,
        name="cdf_offset")
    self._compute = None
    self._checked = self._least = None

  def build(self, make_entropy_model, certain=False):
    """Sets the tables to those that `tfc` computes.

    Args:
      make_entropy_model: function of no arguments to a `tfc` entropy model
        with `stateless=True` and the precision `PRECISION`; the same each time.
      certain: whether one more table follows, of a symbol zero that is sure.

    Raises:
      UsageError: where there is no `tfc` but its operations.
    """
    require_whole()
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
      UsageError: if a symbol is beyond the limit, as what damaged weights make
        of a latent that is not finite.
    """
    handle = self.create_encoder(tf.shape(symbols)[:1])
    return self.finish(self.encode_more(handle, symbols, indexes))

  def decode(self, strings, indexes):
    """Returns the symbols, (B, ...) int32, that `encode` turned to `strings`.

    The coder cannot notice a damaged string; the container's checksum does.

    Raises:
      BitstreamError: if a symbol is beyond the limit.
    """
    count = tf.reduce_prod(tf.shape(indexes)[1:])
    return self.decode_more(self.create_decoder(strings, count), indexes)[1]

  # Piece by piece, for codecs that must know some symbols to price the next.

  def create_encoder(self, shape):
    """Returns the handle of an encoder of `shape`, (1,) int32, strings."""
    self.check()
    return tfc.create_range_encoder(shape, self.cdf)

  def encode_more(self, handle, symbols, indexes):
    """Returns the handle after further symbols, (B, ...), as of `encode`.

    In graphs, which raise nothing, symbols beyond the limit become the limit.
    """
    if tf.executing_eagerly() and self._beyond(symbols):
      raise UsageError(
          f"a latent is not finite, or beyond {self.limit}: the weights are "
          "damaged; load or train others")
    return tfc.entropy_encode_index(
        handle, indexes, self._clip(symbols) - self._offsets(indexes))

  def finish(self, handle):
    """Returns the (B,) strings of an encoder."""
    return tfc.entropy_encode_finalize(handle)

  def create_decoder(self, strings, count):
    """Returns the handle of a decoder of (B,) strings, which always ends.

    An escape code begins with zero bits that count themselves, and a decoder at
    the end of its string goes on to read zeros: a string that ends within such a
    code is one without end. So we append ones, as many bytes as `count` symbols
    can take. Among ones a run of zeros is short. Let the decoder's value lie v
    above the lower end of an interval of size s, where 2^16 <= s <= 2^32; a zero
    is read while v + 1 <= s / 2, which halves s and leaves v. After 16 of them at
    most s <= 2^16, and 16 bits are shifted in, ones: now v + 1 >= 2^16, so that 16
    more leave nothing but v + 1 = s = 2^16, and after further ones v + 1 = s is no
    zero. So a run has at most 32 zeros, a one ends it, as many bits follow as it had
    zeros, and a sign; the symbol itself took at most 16 bits: 82 in all.

    Zeros go between the string and the ones, as the encoder leaves out zeros at
    the end. That is up to 4 bytes, and more while the last symbols hold a short
    binary fraction within their interval, as those of the most probable symbol
    of a symmetric table do: a bit for each symbol, unless its probability is
    below one half. A run of zeros in these, or within the string, can be as long
    as they are: as many ones come on top.

    Args:
      strings: (B,) bytes.
      count: int or scalar int32, how many symbols each will give; None for strings
        that `ended` has made.
    """
    self.check()
    if count is not None:
      strings = self.ended(strings, count)
    return tfc.create_range_decoder(strings, self.cdf)

  @staticmethod
  def ended(strings, count):
    """Returns strings, (B,) bytes, with all that `create_decoder` puts behind them.

    Tens of megabytes for large latents: one copy of them where `count` is known, three
    otherwise, as within graphs. Those of a tile, 1024x1024 pixels with 192 channels of
    y, are just below 32 MiB, from where on glibc takes fresh pages each time: 7 ms, not
    40.

    Args:
      strings, count: as there.
    """
    longest = tf.reduce_max(tf.strings.length(strings))
    zeros = tf.fill([count // (8 * len(_ZEROS)) + 1], _ZEROS)
    blocks = count // _BLOCK + longest // len(_ONES) + 3
    known = tf.get_static_value(blocks)
    ones = [tf.strings.reduce_join(tf.fill([blocks], _ONES))] if (
        known is None) else [tf.constant(_ONES)] * int(known)
    return tf.strings.join([strings, tf.strings.reduce_join(zeros), *ones])

  def decode_more(self, handle, indexes):
    """Returns the handle and the next symbols, shaped like `indexes`.

    In graphs, which raise nothing, symbols beyond the limit become the limit:
    networks of integers never see more than what was proven for them.

    Raises:
      BitstreamError: if a symbol is beyond the limit.
    """
    handle, symbols = tfc.entropy_decode_index(
        handle, indexes, tf.shape(indexes)[1:], tf.int32)
    symbols += self._offsets(indexes)
    if tf.executing_eagerly() and self._beyond(symbols):
      raise BitstreamError(
          f"a string holds a symbol beyond {self.limit}, which no encoder wrote")
    return handle, self._clip(symbols)

  def check(self):
    """Raises unless there are tables that can be coded with; in graphs it cannot.

    Raises:
      RuntimeError: if there are none yet.
      UsageError: if they are damaged: a coder would never come to an end.
    """
    if not tf.executing_eagerly():
      return
    cdf, offset = self.cdf.numpy(), self.cdf_offset.numpy()
    if not offset.size:
      raise RuntimeError(
          "This model has no range coding tables yet: call `fix_tables()` "
          "after training, or load a saved model.")
    checksum = zlib.crc32(offset.tobytes(), zlib.crc32(cdf.tobytes()))
    if checksum != self._checked:
      widths = _widths(cdf)
      if len(widths) != offset.size or np.any(np.abs(offset) > LIMIT):
        raise UsageError("the tables of the range coder are damaged")
      # Bits of the most probable symbol of each table.
      self._least = np.float32(
          [PRECISION - math.log2(width.max()) for width in widths])
      self._checked = checksum

  def check_lengths(self, strings, each, groups=1):
    """Checks that strings are long enough for their symbols; in graphs it cannot.

    A symbol takes at least the bits of the most probable one of its table. An encoder
    leaves zeros out at the end (see `create_decoder`), so we ask for a quarter of
    that, and nothing of short strings.

    Args:
      strings: (B,) bytes.
      each: how many symbols of each table these hold.
      groups: in so many of equal size the tables come, and only one is used.

    Raises:
      BitstreamError: if one is too short.
    """
    if not tf.executing_eagerly():
      return
    self.check()
    least = self._least.reshape(groups, -1).sum(axis=1).min()
    needed = float(each) * float(least) / 32.0
    for string in strings.numpy():
      if len(string) + 1024 < needed:
        raise BitstreamError(
            f"a string of {len(string)} bytes is too short for the image")

  def _offsets(self, indexes):
    # Read as a whole: graphs with constants for variables know no ResourceGather.
    return tf.gather(tf.convert_to_tensor(self.cdf_offset), indexes)

  def _beyond(self, symbols):
    return bool(tf.reduce_any(self._clip(symbols) != symbols))

  def _clip(self, symbols):
    return tf.clip_by_value(symbols, -self.limit, self.limit)


class ConstantTables(RangeTables):
  """Tables that are the same for all weights, so that no file holds them.

  Args:
    cdf, cdf_offset: see `RangeTables.assign`.
  """

  def __init__(self, cdf, cdf_offset):
    tf.Module.__init__(self)
    self.limit = LIMIT
    self.cdf, self.cdf_offset = (
        np.asarray(value, np.int32) for value in (cdf, cdf_offset))

  def check(self):
    """Does nothing: whoever wrote them here has checked them."""


def _widths(cdf):
  """Returns the widths of the symbols of each table; none where all are damaged."""
  ends = np.flatnonzero(cdf == 2**PRECISION) + 1
  if not ends.size or ends[-1] != cdf.size:
    return []
  tables = np.split(cdf, ends[:-1])
  if any(abs(table[0]) != PRECISION or table[1] != 0 for table in tables):
    return []
  widths = [np.diff(table[1:].astype(np.int64)) for table in tables]
  # A symbol of all the probability takes no bits, one of none cannot be coded.
  return widths if all(
      width.size > 1 and width.min() > 0 for width in widths) else []
