"""The contract of a codec whose params choose a table for each symbol."""

import abc

import tensorflow as tf

from tfc_models.entropy_models import digest
from tfc_models.entropy_models.base import LatentCodec
from tfc_models.entropy_models.tables import RangeTables


class IndexedCodec(LatentCodec):
  """Codes each symbol with the table that params say, all sites at once.

  A subclass writes the methods below, `__call__` and `fix_tables`. They work on any
  part of a latent, (B, ..., C), so that an `AutoregressiveCodec` can code it front by
  front.

  Attributes:
    fixed_grid: whether y_hat depends on no params: it is then `on_grid(y)`.
    tables: `RangeTables`.
  """

  fixed_grid = False

  def __init__(self, name, reconstruction="noise"):
    super().__init__(name, reconstruction)
    self.tables = RangeTables()

  @abc.abstractmethod
  def noisy(self, y, noise):
    """Returns what contexts see of y in training."""

  @abc.abstractmethod
  def quantize(self, y, params):
    """Returns y_hat and the symbols, integers carried by floats."""

  @abc.abstractmethod
  def table_indexes(self, params):
    """Returns the number of the table of each symbol, int32."""

  @abc.abstractmethod
  def reconstruct(self, symbols, params):
    """Returns the y_hat of int32 symbols."""

  def compress(self, y, params):
    y_hat, symbols = self.quantize(y, params)
    indexes = self.table_indexes(params)
    strings = self.tables.encode(tf.cast(symbols, tf.int32), indexes)
    return digest.append(strings, indexes), y_hat

  def decompress(self, strings, shape, params):
    strings, digests = digest.split(strings)
    indexes = tf.ensure_shape(self.table_indexes(params), [None, *shape])
    symbols = self.tables.decode(strings, indexes)
    digest.check(digests, indexes)
    return self.reconstruct(symbols, params)
