"""A latent codec around two: a map of how many channels count, then these."""

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.base import LatentCodec
from tfc_models.ops import probe


class ImportanceCodec(LatentCodec):
  """Codes for each site a level 0..L, and as large a part of the channels.

  Channels that are not kept are zero and take no bits. There are two ways to a level.

  A network says it: t = L sigmoid(network(y)). It learns from the bits that a level saves
  and the errors that it makes. In training the level lies beside t by chance, so that on
  average the mask is

      m_k = clip(t - floor(k L / C), 0, 1)

  which is also what gradients take it for. (Those at a mask of the nearest levels would
  mislead: what keeps a channel never learns what the channel is good for.)

  Or the sender looks for it: the level whose bits and errors together cost least, which
  needs no gradient, as no level beside it costs less.

  Args:
    network: function of y, (B, H, W, C), to the logits of importance, (B, H, W, 1); None
      where the sender looks.
    map_codec: `LatentCodec` of levels beside t, (B, H, W, 1), such as `LevelCodec`.
    codec: `MaskedCodec` of the channels.
    levels: L, of which `depth` is a multiple.
    depth: C.
    worth: of a sender that looks, the bits that a squared error of 1 in y is worth.

  Source: Li, Zuo, Gu, Zhao, Zhang, "Learning convolutional networks for content-weighted
    image compression", CVPR 2018, arXiv:1703.10553; the ramp: Mentzer et al., CVPR 2018,
    arXiv:1801.04260, section 3.3. Looking for it is ours.
  """

  def __init__(self, network, map_codec: LatentCodec, codec, levels, depth, worth=0.0):
    if levels < 1 or depth % levels:
      raise ValueError(f"`depth` must be a multiple of {levels} levels, got {depth}.")
    super().__init__(f"{codec.name}_importance", codec.reconstruction)
    self.network = network
    self.map_codec = map_codec
    self.codec = codec
    self.levels = levels
    self._worth = worth
    self._starts = np.float32(np.arange(depth) * levels // depth)

  def leaves(self):
    return [*self.map_codec.leaves(), *self.codec.leaves()]

  def parts(self):
    network = {"importance_transform": self.network} if self.network else {}
    return {**network, "map_codec": self.map_codec, "y_codec": self.codec}

  def importance(self, y, params=None):
    """Returns t, (B, H, W, 1), of a latent."""
    if self.network:
      return self.levels * tf.sigmoid(self.network(y))
    y_hat, bits = self.codec.price(y, (params, 1.0))
    saved = self._worth * (tf.square(y) - tf.square(y - y_hat)) - bits
    saved = tf.reduce_sum(tf.reshape(saved, tf.concat(
        [tf.shape(y)[:3], [self.levels, len(self._starts) // self.levels]], axis=0)), axis=-1)
    # Level 0 saves nothing.
    best = tf.argmax(tf.pad(tf.cumsum(saved, axis=-1), [[0, 0]] * 3 + [[1, 0]]), axis=-1)
    return tf.cast(best, tf.float32)[..., None]

  def __call__(self, y, params=None, noise=None):
    importance = self.importance(y, params)
    level, map_bits = self.map_codec(importance, noise=noise)
    mask = tf.clip_by_value(importance - self._starts, 0.0, 1.0)
    mask += tf.stop_gradient(self._mask(level) - mask)
    y_hat, bits = self.codec(y, (params, mask), noise)
    return y_hat, {**map_bits, **bits}

  def symbols(self, y, params=None):
    coded, level = self.map_codec.symbols(self.importance(y, params))
    probe.note("importance", level / self.levels)
    more, y_hat = self.codec.symbols(y, (params, self._mask(level)))
    return [*coded, *more], y_hat

  def decode(self, reader, shape, params=None):
    height, width, _ = shape
    level = self.map_codec.decode(reader, (height, width, 1))
    return self.codec.decode(reader, shape, (params, self._mask(level)))

  def prepare(self, y):
    self.codec.prepare(y)

  def rescale(self, factor):
    self.codec.rescale(factor)

  def fix_tables(self):
    """Does nothing: the codecs inside have the tables."""

  def _mask(self, level):
    return tf.cast(level > self._starts, tf.float32)
