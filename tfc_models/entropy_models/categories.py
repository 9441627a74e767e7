"""Symbols that stand for learned centres, by a tree of binary decisions."""

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models import sign
from tfc_models.entropy_models.centres import CentresCodec
from tfc_models.entropy_models.tables import ConstantTables


class CategoricalCodec(CentresCodec):
  """Codes the nearest of L centres, by the log odds of L - 1 binary decisions.

  The decisions are the nodes of a balanced tree over the centres, in their order, the
  root first: is it in the upper half? Params are their log odds, integers in units of
  1/16 and carried by floats, (B, ..., C (L - 1)), those of an element together. Contexts,
  and so the bits, have no gradients.

  Args:
    centres, sharpness, name: as of `CentresCodec`.

  Source: Mentzer, Agustsson, Tschannen, Timofte, Van Gool, "Conditional probability
    models for deep image compression", CVPR 2018, arXiv:1801.04260, section 3.2.
  Departs: L - 1 log odds instead of L logits, which say the same distributions.
  """

  several_decisions = True

  def __init__(self, centres, sharpness=1.0, name="y"):
    super().__init__(centres, sharpness, name)
    self.evidence_size = len(centres) - 1
    self._nodes, self._leaf, self._depth = _tree(len(centres))
    self.tables = ConstantTables(*sign.binary_tables())

  def price(self, y, params=None, noise=None):
    y_hat, symbols = self.quantize(y, params)
    bits, place = 0.0, tf.zeros_like(symbols, tf.int32)
    tables = self._by_element(self.evidence(params, tf.shape(y)))
    logits = self._by_element(params)
    for _ in range(self._depth):
      bit, known = self._decide(place, symbols)
      if noise is None:
        more = sign.bits_of_table(bit, self._at(tables, place, known))
      else:
        more = tf.where(known, 0.0, sign.bits_of_logit(
            tf.cast(bit, tf.float32), self._at(logits, place)))
      bits += more
      place = self._next(place, bit)
    if noise is not None:
      y_hat = self._with_soft_gradient(y_hat, y)
    return y_hat, bits

  def evidence(self, params, shape):
    return sign.table_of_logit(params)

  def encode_more(self, handle, symbols, evidence):
    tables, place = self._by_element(evidence), tf.zeros_like(symbols)
    for _ in range(self._depth):
      bit, known = self._decide(place, symbols)
      handle = self.tables.encode_more(handle, bit, self._at(tables, place, known))
      place = self._next(place, bit)
    return handle

  def decode_more(self, handle, evidence):
    tables = self._by_element(evidence)
    place = tf.zeros_like(tables[..., 0])
    for _ in range(self._depth):
      known = tf.gather(self._leaf, place) >= 0
      handle, bit = self.tables.decode_more(handle, self._at(tables, place, known))
      place = self._next(place, bit)
    return handle, tf.gather(self._leaf, place)

  def fix_tables(self):
    """Does nothing: the tables are the same for all weights."""

  def _by_element(self, x):
    """(B, ..., C (L - 1)) to (B, ..., C, L - 1)."""
    size = self.evidence_size
    shape = tf.concat([tf.shape(x)[:-1], [x.shape[-1] // size, size]], axis=0)
    return tf.ensure_shape(
        tf.reshape(x, shape), [*x.shape[:-1], x.shape[-1] // size, size])

  def _decide(self, place, symbols):
    """Returns the decision at a place for symbols, int32, and where there is none."""
    middle = tf.gather(self._nodes[:, 0], place)
    known = tf.gather(self._leaf, place) >= 0
    bit = tf.cast(symbols, tf.int32) >= middle
    return tf.where(known, 0, tf.cast(bit, tf.int32)), known

  def _at(self, values, place, known=None):
    """Returns the values of the decisions at a place; zero where nothing is left."""
    # Leaves come after the decisions.
    found = tf.gather(
        values, tf.minimum(place, self.evidence_size - 1),
        batch_dims=place.shape.rank)
    return found if known is None else tf.where(known, 0, found)

  def _next(self, place, bit):
    return tf.gather_nd(self._nodes[:, 1:], tf.stack([place, bit], axis=-1))


def _tree(count):
  """Returns a balanced tree over 0..count - 1.

  Returns:
    (2 count - 1, 3) int32, for each place the least symbol of its upper half, and where
    a 0 and a 1 lead to: decisions first, then leaves, which lead to themselves; (2 count
    - 1,) int32, the symbol of each leaf, -1 at decisions; how many decisions a symbol
    takes at most.
  """
  nodes, leaf = np.zeros([2 * count - 1, 3], np.int32), np.full(2 * count - 1, -1, np.int32)
  level, depth, used = [(0, count, None)], -1, 0
  while level:
    below = []
    for low, high, parent in level:
      if high - low == 1:
        place = count - 1 + low
        nodes[place], leaf[place] = (0, place, place), low
      else:
        place, middle = used, (low + high) // 2
        used += 1
        nodes[place, 0] = middle
        below += [(low, middle, (place, 1)), (middle, high, (place, 2))]
      if parent:
        nodes[parent] = place
    level, depth = below, depth + 1
  return nodes, leaf, depth
