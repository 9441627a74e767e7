"""Few integers in a row, under tables that are learned and that a context chooses."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.symbol_codec import SymbolCodec
from tfc_models.entropy_models.tables import PRECISION


class LevelCodec(SymbolCodec):
  """Codes the level 0..L that is nearest to t, each by one of several tables.

  Its params are the numbers of the tables, integers carried by floats, shaped like t. In
  training y_hat, and what contexts see, is one of the two levels beside t, by chance the
  nearer one more often, so that its mean is t; the gradient is that of the identity, and
  the bits are those of both, weighed likewise.

  Args:
    levels: L.
    likely: (contexts,) level that each table starts around.
    name: see `LatentCodec`.
  """

  fixed_grid = True
  # The number of a table follows from symbols that were read.
  digested = False

  def __init__(self, levels, likely, name="map"):
    super().__init__(name, "round")
    self.levels = levels
    distance = np.abs(np.arange(levels + 1) - np.asarray(likely)[:, None])
    self.logits = tf.Variable(-0.5 * np.float32(distance), name="logits")

  def price(self, y, params=None, noise=None):
    bits = tf.nn.log_softmax(self.logits) / -math.log(2.0)
    bits = tf.gather(bits, tf.cast(params, tf.int32))  # (B, ..., 1, L + 1)
    place = tf.clip_by_value(y, 0.0, self.levels) if noise is not None else self.on_grid(y)
    near = tf.nn.relu(1.0 - tf.abs(place[..., None] - tf.range(self.levels + 1.0)))
    return self.noisy(y, noise), tf.reduce_sum(near * bits, axis=-1)

  def on_grid(self, y):
    """Returns the levels."""
    return tf.clip_by_value(tf.round(y), 0.0, self.levels)

  def noisy(self, y, noise):
    """Returns levels that are t on average, without noise the nearest."""
    level = self.on_grid(y + noise.uniform(y, self.name) if noise is not None else y)
    return y + tf.stop_gradient(level - y)

  def quantize(self, y, params=None):
    y_hat = self.on_grid(y)
    return y_hat, y_hat

  def evidence(self, params, shape):
    return tf.cast(params, tf.int32)

  def reconstruct(self, symbols, params=None):
    return tf.cast(symbols, tf.float32)

  def fix_tables(self):
    odds = tf.nn.softmax(tf.cast(self.logits, tf.float64)).numpy()
    # Each takes one part at least.
    parts = 1 + np.floor(odds * (2**PRECISION - self.levels - 1)).astype(np.int32)
    parts[range(len(parts)), odds.argmax(axis=1)] += 2**PRECISION - parts.sum(axis=1)
    cdf = np.pad(np.cumsum(parts, axis=1), [(0, 0), (1, 0)])
    self.tables.assign(
        np.pad(cdf, [(0, 0), (1, 0)], constant_values=PRECISION).ravel(),
        np.zeros(len(parts), np.int32))
