"""The contract of a codec that writes one string: integers, and what prices them."""

import abc

import tensorflow as tf

from tfc_models.entropy_models import digest
from tfc_models.entropy_models.base import Coded, LatentCodec
from tfc_models.entropy_models.tables import LIMIT, RangeTables
from tfc_models.ops import probe


class SymbolCodec(LatentCodec):
  """Codes one integer for each element of a latent.

  A subclass writes the abstract methods below and `fix_tables`. They work on any part
  of a latent, (B, ..., C), so that an `AutoregressiveCodec` can code it front by
  front. Where a symbol takes more than the one table whose number the evidence is
  (categories, mixtures: `several_decisions`, one after the other for all of a piece),
  it overrides `encode_more` and `decode_more` too.

  Attributes:
    fixed_grid: whether y_hat depends on no params: it is then `on_grid(y)`.
    digested: whether the evidence is predicted, so that the string ends with its
      digest.
    evidence_size: numbers of evidence that a symbol has.
    several_decisions: whether the order in a stream depends on its pieces.
    random: whether training quantises with noise.
    weighs: see `LatentCodec`; `quantize` and `price` then take `rounding`.
    certain: number of the table for what a `MaskedCodec` leaves out, or None.
    symbol_limit: largest absolute value of a symbol.
    tables: `RangeTables`.
  """

  fixed_grid = False
  digested = True
  evidence_size = 1
  several_decisions = False
  random = True
  weighs = False
  certain = None
  symbol_limit = LIMIT

  def __init__(self, name, reconstruction="noise"):
    super().__init__(name, reconstruction)
    self.tables = RangeTables(self.symbol_limit)

  def leaves(self):
    return [self]

  def __call__(self, y, params=None, noise=None, **more):
    y_hat, bits = self.price(y, params, noise, **more)
    return y_hat, {self.name: total(bits)}

  @abc.abstractmethod
  def price(self, y, params=None, noise=None):
    """Returns y_hat and the bits of each element, shaped like `y`."""

  @abc.abstractmethod
  def quantize(self, y, params=None):
    """Returns y_hat and the symbols, integers carried by floats."""

  @abc.abstractmethod
  def evidence(self, params, shape):
    """Returns what selects the tables: here the number of one for each symbol.

    Args:
      params: as of `LatentCodec`.
      shape: (B, ..., C), int32 tensor.

    Returns:
      int32, 0..65535, (B, ..., C * evidence_size).
    """

  @abc.abstractmethod
  def reconstruct(self, symbols, params=None):
    """Returns the y_hat of int32 symbols."""

  def noisy(self, y, noise):
    """Returns what contexts see of y in training."""
    return y + noise.uniform(y, self.name)

  def symbols(self, y, params=None, **more):
    with probe.span("entropy coding"):
      y_hat, symbols = self.quantize(y, params, **more)
      evidence = self.evidence(params, tf.shape(y))
      return [Coded(tf.cast(symbols, tf.int32), evidence)], y_hat

  def decode(self, reader, shape, params=None):
    with probe.span("entropy coding"):
      source = reader.take(self)
      shape = tf.stack([tf.shape(source)[0], *shape])
      symbols = self.read(reader, source, shape, self.evidence(params, shape))
      return self.reconstruct(symbols, params)

  def read(self, reader, source, shape, evidence):
    """Returns the symbols of a latent.

    Args:
      reader: as of `decode`.
      source: what it gave for this latent.
      shape: (B, ..., C), int32 tensor.
      evidence: see `evidence`.

    Raises:
      DesyncError: if it is not what the sender had.
    """
    state, more = reader.open(self, source, tf.reduce_prod(shape[1:]))
    _, symbols = more(state, evidence)
    reader.check(self, evidence)
    return symbols

  # The range coder: all at once, or piece by piece.

  def write(self, symbols, evidence, splits=None):
    """Returns the strings, (B,), of the members of a `Coded`."""
    handle = self.tables.create_encoder(tf.shape(symbols)[:1])
    if splits is None or not self.several_decisions:
      handle = self.encode_more(handle, symbols, evidence)
    else:
      def encode_piece(number, handle):
        piece = slice(splits[number], splits[number + 1])
        return number + 1, self.encode_more(
            handle, symbols[:, piece], evidence[:, piece])

      _, handle = tf.while_loop(
          lambda number, _: number < tf.size(splits) - 1, encode_piece,
          [tf.constant(0), handle])
    strings = self.tables.finish(handle)
    return digest.append(strings, evidence) if self.digested else strings

  def encode_more(self, handle, symbols, evidence):
    """Returns the handle of an encoder after further symbols."""
    return self.tables.encode_more(handle, symbols, evidence)

  def create_decoder(self, strings, count):
    """Returns the handle of a decoder of strings, (B,), of `count` symbols each."""
    return self.tables.create_decoder(strings, count)

  def decode_more(self, handle, evidence):
    """Returns the handle and the next symbols."""
    return self.tables.decode_more(handle, evidence)


def total(bits):
  """Returns the bits of each image, (B,), from those of its elements."""
  return tf.reduce_sum(bits, axis=list(range(1, bits.shape.rank)))
