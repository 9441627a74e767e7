"""Centres under one table a channel, and sites that take no bits."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.centres import CentresCodec
from tfc_models.entropy_models.tables import PRECISION

# What says whether a string's tables are all alike: rarely.
_ALIKE = (PRECISION, 0, 2**PRECISION - 2**8, 2**PRECISION)
_CERTAIN = (PRECISION, 0, 2**PRECISION - 1, 2**PRECISION)


class FrequencyCodec(CentresCodec):
  """Codes the nearest of L fixed centres, each channel under a table that is learned.

  A string begins with a symbol that says whether its tables are those, or all centres
  are taken for equally frequent: the encoder takes what is shorter, so that no string
  takes more than log2 L bits an element, and three bytes.

  Its params are a mask, (B, H, W, 1), of 0 and 1, which the receiver knows beforehand;
  None keeps all. Elements where it is 0 are zero, and take no bits (2e-5 each).

  Args:
    centres, sharpness, name: as of `CentresCodec`.
    depth: C.
    entropy: what gradients of the bits count for with respect to y: 0, as in the paper,
      where they reach the frequencies alone; 1 as in other models. They are those of the
      soft centres.
    boxes: share of samples in training of which a random box is kept and no more, see
      `draw`.

  Source: Agustsson, Tschannen, Mentzer, Timofte, Van Gool, "Generative adversarial
    networks for extreme learned image compression", ICCV 2019, arXiv:1804.02958,
    sections 4 and 5.
  """

  # Whoever knows the mask knows the tables.
  digested = False

  def __init__(self, centres, depth, sharpness=1.0, entropy=0.0, boxes=0.0, name="y"):
    super().__init__(centres, sharpness, name, learned=False)
    self.depth = depth
    self.entropy = entropy
    self.boxes = boxes
    self.random = boxes > 0.0
    self.logits = tf.Variable(tf.zeros([depth, len(self.centres)]), name="logits")
    # Behind those of channels.
    self._even, self.certain, self._which = range(depth, depth + 3)

  def draw(self, y, noise):
    """Returns a random mask of sites, (B, H, W, 1), for training.

    Of `boxes` of the samples a box of any size is kept, of the others all.

    Args:
      y: (B, H, W, C).
      noise: `ops.noise.Noise`.
    """
    shape = tf.shape(y)
    chance = 0.5 + noise.uniform(tf.zeros(tf.stack([shape[0], 5])), self.name)
    rows, columns = (
        _interval(shape[1 + axis], chance[:, 2 * axis], chance[:, 2 * axis + 1])
        for axis in (0, 1))
    is_inside = rows[:, :, None] & columns[:, None, :]
    is_whole = chance[:, 4] >= self.boxes
    return tf.cast(is_inside | is_whole[:, None, None], tf.float32)[..., None]

  def prepare(self, y):
    """Takes the frequencies of centres in y, each at least once."""
    nearest = self._nearest(tf.constant(y)).numpy().reshape(-1, self.depth)
    counts = 1.0 + np.stack([
        (nearest == place).sum(axis=0) for place in range(len(self.centres))], axis=-1)
    self.logits.assign(np.log(counts / counts.sum(axis=-1, keepdims=True)))

  def price(self, y, params=None, noise=None):
    costs = tf.nn.log_softmax(self.logits) / -math.log(2.0)
    count = len(self.centres)
    nearest = tf.one_hot(self._nearest(y), count)
    bits = tf.reduce_sum(nearest * costs, axis=-1)
    y_hat = self.on_grid(y)
    if noise is None:
      bits = self._with_choice(bits, params)
    else:
      y_hat = self._with_soft_gradient(y_hat, y)
      if self.entropy:
        soft = tf.reshape(self._soft(y), tf.shape(nearest))
        soft = self.entropy * tf.reduce_sum(soft * tf.stop_gradient(costs), axis=-1)
        bits += soft - tf.stop_gradient(soft)
    return (y_hat, bits) if params is None else (params * y_hat, params * bits)

  def _with_choice(self, bits, mask):
    """Returns bits of elements where tables that are all alike are taken if shorter."""
    even = math.log2(len(self.centres)) * tf.ones_like(bits)
    excess = bits - even if mask is None else mask * (bits - even)
    is_even = tf.reduce_sum(excess, axis=range(1, bits.shape.rank), keepdims=True) > 0.0
    return tf.where(is_even, even, bits)

  def quantize(self, y, params=None):
    y_hat, symbols = super().quantize(y)
    return (y_hat, symbols) if params is None else (params * y_hat, params * symbols)

  def evidence(self, params, shape):
    channels = tf.broadcast_to(tf.range(self.depth), shape)
    return channels if params is None else tf.where(
        params > 0.5, channels, self.certain)

  def reconstruct(self, symbols, params=None):
    y_hat = super().reconstruct(symbols)
    return y_hat if params is None else params * y_hat

  def write(self, symbols, evidence, splits=None):
    def written(which):
      handle = self.tables.create_encoder(tf.shape(symbols)[:1])
      which = tf.fill([tf.shape(symbols)[0], 1], which)
      handle = self.tables.encode_more(
          handle, which, tf.fill(tf.shape(which), self._which))
      return self.tables.finish(self.tables.encode_more(
          handle, symbols, self._chosen(which, evidence)))

    learned, even = written(0), written(1)
    return tf.where(
        tf.strings.length(learned) <= tf.strings.length(even), learned, even)

  def create_decoder(self, strings, count):
    """As of `SymbolCodec`; the handle has with it which tables are in use."""
    handle = self.tables.create_decoder(strings, count + 1)
    return self.tables.decode_more(
        handle, tf.fill([tf.shape(strings)[0], 1], self._which))

  def decode_more(self, handle, evidence):
    handle, which = handle
    handle, symbols = self.tables.decode_more(handle, self._chosen(which, evidence))
    return (handle, which), symbols

  def _chosen(self, which, evidence):
    """Returns the numbers of the tables, for a choice, (B, 1), 0 or 1."""
    sizes = tf.concat(
        [tf.shape(which)[:1], tf.ones(tf.rank(evidence) - 1, tf.int32)], axis=0)
    is_even = tf.reshape(which, sizes) > 0
    return tf.where(is_even & (evidence < self.depth), self._even, evidence)

  def fix_tables(self):
    odds = tf.nn.softmax(tf.cast(self.logits, tf.float64)).numpy()
    tables = [_table(row) for row in odds]
    tables += [_table(np.full(len(self.centres), 1.0 / len(self.centres))),
               _CERTAIN, _ALIKE]
    self.tables.assign(np.concatenate(tables), np.zeros(len(tables), np.int32))


def _interval(size, length, start):
  """Returns which of `size` places, (B, size) bool, lie in random intervals.

  Args:
    size: scalar int32.
    length, start: (B,) in [0, 1).
  """
  count = 1 + tf.cast(length * tf.cast(size, tf.float32), tf.int32)
  first = tf.cast(start * tf.cast(size - count + 1, tf.float32), tf.int32)
  place = tf.range(size) - first[:, None]
  return (place >= 0) & (place < count[:, None])


def _table(odds):
  """Returns the table of symbols 0..L - 1 as of `RangeTables.assign`."""
  # Each takes one part at least.
  parts = 1 + np.floor(odds * (2**PRECISION - len(odds))).astype(np.int64)
  parts[odds.argmax()] += 2**PRECISION - parts.sum()
  return np.concatenate([[PRECISION, 0], np.cumsum(parts)]).astype(np.int32)
