"""An estimate of the bits of a JPEG file that has a gradient."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.base import STILL
from tfc_models.ops import jpeg

# No symbol is thought to be less likely.
_FLOOR = 1e-6
_SITES = 64
# What a file takes of the estimate, and bits of each block of a component beside it: by
# least squares over 24 photographs at five qualities, with trained weights; four files in
# five are then within 6 % of it.
_SHARE, _PER_BLOCK = 1.02, 0.7


class JpegRate(tf.Module):
  """Bits of coefficients under logistic distributions, with what codes cost more.

  The scale of a frequency grows with a power of the mean magnitude in its block, which
  an end of block tells a decoder of in effect. Of the first coefficient the difference
  to the block before is coded.

  Source: Strumpler, Yang, Timofte, ECCV Workshops 2020, arXiv:2009.12927 have no model of
    the rate; a Laplacian or logistic for each frequency is that of Balle et al. and of
    rate control in video encoders.
  """

  def __init__(self, name="rate"):
    super().__init__(name=name)
    self.log_scale = tf.Variable(tf.zeros([2, _SITES]), name="log_scale")
    self.growth = tf.Variable(tf.ones([2, _SITES]), name="growth")

  def __call__(self, coefficients, noise=STILL):
    """Returns bits, (B,), of a file without its header.

    Args:
      coefficients: (B, H / 8, W / 8, 3, 8, 8) in steps, not rounded if there is noise.
      noise: as of `ops.noise.Noise`.
    """
    c, activity = _coded(coefficients)
    scale = tf.exp(tf.clip_by_value(
        tf.gather(self.log_scale, jpeg.TABLES)
        + tf.gather(self.growth, jpeg.TABLES) * activity, math.log(0.03), math.log(300.0)))
    c += noise.uniform(c, "jpeg")
    # By the symmetry of the distribution, where the difference is accurate.
    c = -tf.abs(c)
    likelihood = tf.sigmoid((c + 0.5) / scale) - tf.sigmoid((c - 0.5) / scale)
    bits = -tf.math.log(tf.maximum(likelihood, _FLOOR)) / math.log(2.0)
    blocks = tf.cast(3 * tf.shape(c)[1], tf.float32)
    return _SHARE * tf.reduce_sum(bits, [1, 2, 3]) + _PER_BLOCK * blocks

  def start(self, coefficients):
    """Sets the scales to what fits coefficients, shaped as in a call."""
    c, activity = _coded(coefficients)
    ratio = tf.reduce_mean(tf.abs(c) * tf.exp(-activity), axis=[0, 1]).numpy()
    ratio = np.stack([ratio[0], ratio[1:].mean(axis=0)])
    # Of a logistic distribution the mean magnitude is 2 ln 2 scales.
    self.log_scale.assign(np.log(ratio / (2.0 * math.log(2.0)) + 0.01))


def _coded(coefficients):
  """Returns what is coded, (B, blocks, 3, 64), and the activity of each block."""
  c = tf.reshape(coefficients, [tf.shape(coefficients)[0], -1, 3, _SITES])
  first = c[..., :1]
  first -= tf.concat([tf.zeros_like(first[:, :1]), first[:, :-1]], axis=1)
  mean = tf.reduce_mean(tf.abs(c[..., 1:]), axis=-1, keepdims=True)
  # The magnitude of one block says nothing of the difference between two.
  activity = tf.concat([
      tf.zeros_like(first), tf.repeat(tf.math.log(mean + 0.01), _SITES - 1, -1)], -1)
  return tf.concat([first, c[..., 1:]], axis=-1), activity
