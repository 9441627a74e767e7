"""A latent codec around two: a map of how many channels count, then these."""

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.base import LatentCodec


class ImportanceCodec(LatentCodec):
  """Codes for each site a level 0..L, and as large a part of the channels.

  Channels that are not kept are zero and take no bits. In training a level learns from
  the bits that it saves and the errors that it makes. It lies beside t = L
  sigmoid(network(y)), by chance, so that on average the mask is

      m_k = clip(t - floor(k L / C), 0, 1)

  which is also what gradients take it for. (Those at a mask of the nearest levels would
  mislead: what keeps a channel never learns what the channel is good for.)

  Args:
    network: function of y, (B, H, W, C), to the logits of importance, (B, H, W, 1).
    map_codec: `LatentCodec` of levels beside t, (B, H, W, 1), such as `LevelCodec`.
    codec: `MaskedCodec` of the channels.
    levels: L, of which `depth` is a multiple.
    depth: C.

  Source: Li, Zuo, Gu, Zhao, Zhang, "Learning convolutional networks for content-weighted
    image compression", CVPR 2018, arXiv:1703.10553; the ramp: Mentzer et al., CVPR 2018,
    arXiv:1801.04260, section 3.3.
  """

  def __init__(self, network, map_codec: LatentCodec, codec, levels, depth):
    if levels < 1 or depth % levels:
      raise ValueError(f"`depth` must be a multiple of {levels} levels, got {depth}.")
    super().__init__(f"{codec.name}_importance", codec.reconstruction)
    self.network = network
    self.map_codec = map_codec
    self.codec = codec
    self.levels = levels
    self._starts = np.float32(np.arange(depth) * levels // depth)

  def leaves(self):
    return [*self.map_codec.leaves(), *self.codec.leaves()]

  def parts(self):
    return {
        "importance_transform": self.network, "map_codec": self.map_codec,
        "y_codec": self.codec}

  def importance(self, y):
    """Returns t, (B, H, W, 1), of a latent."""
    return self.levels * tf.sigmoid(self.network(y))

  def __call__(self, y, params=None, noise=None):
    importance = self.importance(y)
    level, map_bits = self.map_codec(importance, noise=noise)
    mask = tf.clip_by_value(importance - self._starts, 0.0, 1.0)
    mask += tf.stop_gradient(self._mask(level) - mask)
    y_hat, bits = self.codec(y, (params, mask), noise)
    return y_hat, {**map_bits, **bits}

  def symbols(self, y, params=None):
    coded, level = self.map_codec.symbols(self.importance(y))
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
