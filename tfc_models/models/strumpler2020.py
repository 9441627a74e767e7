"""A better JPEG without another decoder (Strumpler, Yang, Timofte, ECCVW 2020)."""

import math

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.bitstream import trellis
from tfc_models.entropy_models.jpeg_rate import JpegRate
from tfc_models.layers import Condition, Modulation
from tfc_models.modeling.editor import Edited, EditorModel
from tfc_models.modeling.model import ModelOutput
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.ops import chebyshev, jpeg, quantize
from tfc_models.ops import image as image_ops

# Quality by itself, and the weights of the mean squared error that the least and the
# highest stand for.
QUALITY = 50
_LMBDAS = (0.0004, 4.0)
_RANGE = tuple(map(math.log, _LMBDAS))
# The loss grows with about this power of lmbda.
_GROWTH = 0.37
# Polynomials in the logarithm of lmbda.
_ROWS = 3
# What an error in Y, Cb, Cr is worth as a mean over R, G, B.
_PLANES = np.float32([
    1.0, (0.344136**2 + 1.772**2) / 3.0, (1.402**2 + 0.714136**2) / 3.0])
_LARGEST_STEP = 255.0
# Attention starts with a share of 0.98.
_OPEN = 4.0
# How often an encoder looks for integers that suit the code, by effort.
_PASSES = {1: 0, 2: 0, 3: 1, 4: 1, 5: 2, 6: 2, 7: 3, 8: 3, 9: 5}


@registry.register("strumpler2020", kind="editor")
class BetterJpeg(EditorModel):
  """Learned tables, and coefficients that attention makes smaller, in a plain JPEG.

      x -> 8x8 cosines -> / steps -> * attention -> round -> JPEG -> any decoder
                             |            ^
                             +-> blocks --+

  Args:
    width: of the network for attention.

  Source: Strumpler, Yang, Timofte, "Learning to improve image compression without
    changing the standard decoder", ECCV Workshops 2020, arXiv:2009.12927, and the
    authors' code.
  Departs: one set of weights for all qualities: tables and attention depend on lmbda
    (the paper trains six). Attention comes from the coefficients themselves, by three
    layers at an eighth of the image's size, not from VGG19; it leaves the first
    coefficient of a block alone. The rate is an estimate in bits (`JpegRate`), the
    paper's the means of attention and of 1 / steps. In training coefficients are
    rounded with the gradient of the identity and their bits are those of noise.
    Huffman codes are the best of each file. From effort 3 on integers are those of a
    shortest path by the code itself (`bitstream.trellis`), of coefficients without
    attention, which is what the path does better; effort 1 is the paper's.
  """

  capabilities = frozenset(["quality"])

  def __init__(self, *, width=64):
    super().__init__()
    self.log_steps = tf.Variable(np.stack([np.outer(
        chebyshev.line(-0.5, 0.5 * math.log(6.0 / math.log(2.0)), _RANGE, _ROWS),
        np.ones(64)) - np.eye(_ROWS)[:, :1] * 0.5 * math.log(worth)
        for worth in (_PLANES[0], _PLANES[1:].mean())], axis=1).astype(np.float32),
        name="log_steps")  # (_ROWS, 2, 64).
    self.attention = _Attention(width)
    self.rate = JpegRate()

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    condition = self._told(tf.shape(x)[0], settings.quality, context.lmbda)
    steps = self._steps(condition)
    if context.noise is None:
      steps = _whole(steps)
    steps = tf.gather(steps, jpeg.TABLES, axis=1)[:, None, None]
    c = jpeg.coefficients_of(x) / steps
    c *= self.attention(c, condition)
    if context.noise is None:
      rounded = tf.round(c)
      bits = self.rate(rounded)
    else:
      rounded = quantize.round_straight_through(c)
      bits = self.rate(c, context.noise)
    return ModelOutput(jpeg.image_of(rounded * steps), {"jpeg": bits})

  def prepare(self, images, lmbda):
    """Starts the estimate of the rate with what fits the steps of the start."""
    self.build_variables()
    steps = tf.gather(_whole(self._steps(self._told(1))), jpeg.TABLES, axis=1)
    x = image_ops.to_float(next(iter(images)))
    self.rate.start(jpeg.coefficients_of(x) / steps[:, None, None])

  def edit(self, x, settings):
    condition = self._told(1, settings.quality)
    tables = _whole(self._steps(condition))[0]
    c = jpeg.coefficients_of(x) / tf.gather(tables, jpeg.TABLES)
    passes = _PASSES[settings.effort or 1]
    if not passes:
      return Edited(tf.round(c * self.attention(c, condition)), tables)
    worth = settings.rounding * self.lmbda_at(settings.quality) * _PLANES
    best = trellis.optimize(
        c[0].numpy(), tables.numpy().astype(np.int64), worth, passes)
    return Edited(tf.constant(best[None], tf.float32), tables)

  def lmbda_at(self, quality=None):
    """Returns the weight of the mean squared error that a quality stands for."""
    return lmbda_of(quality or QUALITY)

  def draw_lmbda(self, noise):
    drawn = noise.uniform(tf.zeros_like(noise.samples, tf.float32), "lmbda")
    low, high = _RANGE
    return self.controls.lmbda / lmbda_of(QUALITY) * tf.exp(
        low + (high - low) * (0.5 + drawn))

  def balance(self, lmbda):
    return (lmbda / self.controls.lmbda) ** -_GROWTH

  def _told(self, batch, quality=None, lmbda=None):
    """Returns the `Condition` of a batch."""
    if lmbda is None:
      logarithm = tf.fill([batch], tf.math.log(lmbda_of(quality or QUALITY)))
    else:
      logarithm = tf.broadcast_to(tf.math.log(
          lmbda * (lmbda_of(QUALITY) / self.controls.lmbda)), [batch])
    return Condition(chebyshev.polynomials(logarithm, _RANGE, _ROWS))

  def _steps(self, condition):
    """Returns steps, (B, 2, 8, 8), not rounded."""
    steps = tf.exp(tf.einsum("bk,ktf->btf", condition.weights, self.log_steps))
    return tf.reshape(tf.clip_by_value(steps, 1.0, _LARGEST_STEP), [-1, 2, 8, 8])


def lmbda_of(quality):
  """Returns the weight of the mean squared error that a quality, 1..100, stands for."""
  low, high = _RANGE
  return math.exp(low + (high - low) * (quality - 1) / 99.0)


def _whole(steps):
  return tf.clip_by_value(tf.round(steps), 1.0, _LARGEST_STEP)


class _Attention(tf.Module):
  """Coefficients to the share that is left of each, by block.

  Args:
    width: of the hidden layers.
  """

  def __init__(self, width):
    super().__init__(name="attention")
    self.first = tf.keras.layers.Conv2D(width, 1, name="first")
    self.told = Modulation(width, _ROWS, name="told")
    self.near = tf.keras.layers.Conv2D(
        width, 3, padding="same", activation=tf.nn.relu, name="near")
    self.last = tf.keras.layers.Conv2D(128, 1, name="last", bias_initializer=(
        tf.keras.initializers.Constant(_OPEN)))

  def __call__(self, c, condition):
    """Returns shares, (B, H / 8, W / 8, 3, 8, 8), of coefficients in steps."""
    shape = tf.shape(c)
    features = tf.reshape(tf.math.log1p(tf.abs(c)), [*tf.unstack(shape[:3]), 192])
    hidden = tf.nn.relu(self.told(self.first(features), condition))
    share = tf.sigmoid(self.last(self.near(hidden)))
    share = tf.reshape(share, [*tf.unstack(shape[:3]), 2, 64])
    share = tf.concat([tf.ones_like(share[..., :1]), share[..., 1:]], axis=-1)
    return tf.reshape(tf.gather(share, jpeg.TABLES, axis=3), shape)
