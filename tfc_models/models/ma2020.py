"""Lossless and lossy coding of wavelet subbands: iWave++ (Ma et al., TPAMI 2020)."""

import math

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    LOGISTIC_SCALES,
    QUALITIES,
    LogisticCodec,
    SubbandCodec,
    SubbandSteps,
    quality_of,
    step_of,
)
from tfc_models.layers import ResidualBlock, ScaledConv2D
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.models.families.transform_model import first_patches
from tfc_models.ops import image as image_ops
from tfc_models.ops import reversible
from tfc_models.ops.graph import Graph
from tfc_models.transforms.lifting import LiftingTransform
from tfc_models.transforms.subband_context import SubbandNetwork

# Of the samples of training, as grey images.
_GREY = 1.0 / 24.0
# Patches whose subbands training starts from.
_FIRST = 64
# Of the lossy mode where nothing else is said.
_QUALITY = 50
# Losses grow about as lmbda to this power: all rates count alike.
_GROWTH = 0.5


@registry.register("ma2020")
class IWave(base.CompressionModel):
  """Subbands of a learned integer wavelet, coded from coarse to fine.

      x -> YCoCg-R -> lifting -> LL4 | HL4 LH4 HH4 | ... | HL1 LH1 HH1 -> [y string]
                                  +--> context --^ ... --^
                                  what is decoded, means and scales of the next

  Without loss, or with one step for all subbands, which is the quality of the file; the
  same inverse lifting of integers then gives a picture for a post filter.

  Args:
    lossless: which of both.
    levels: of the transform.
    width: of the hidden layers of the context networks.
    features: of their trunks, which see LL.
    lifting_width: of the predict and update networks; 0 for the 5/3 alone.
    networks: for so many levels, from the finest on, there are context networks; the
      last of them are those of all coarser levels too.
    filter_width: of the post filter, which is there where there is loss.

  Source: Ma, Liu, Yan, Li, Wu, "End-to-end optimized versatile image compression with
    wavelet-like transform", IEEE TPAMI 2020.
  Departs: see `transforms.lifting` and `transforms.subband_context`: two passes over the
    halves of a checkerboard inside of subbands, where the paper's PixelCNN has one a
    coefficient; LL, which the inverse lifting has made by then, in place of a recurrent
    summary of the subbands before; two logistic densities by tables, not a network of a
    distribution function for each coefficient; planes are coded given those before. With
    loss too lifting is of integers, so that what contexts see is equal on every machine;
    steps of subbands are by the norms of their basis functions; the post filter sees all
    planes at once and the quality.
  """

  downsampling_factor = 32
  latents = ("y",)

  def __init__(self, *, lossless=True, levels=4, width=32, features=32, lifting_width=8,
               networks=2, filter_width=48):
    super().__init__()
    if not 1 <= levels <= 4:  # Halves of the last LL have even sides.
      raise ValueError(f"`levels` must lie in 1..4, got {levels}.")
    self.capabilities = frozenset(
        ["lossless", "exact_pixels"] if lossless else ["quality"])
    self.lifting_transform = LiftingTransform(lifting_width)
    self.coarsest_context, *self.contexts = (
        SubbandNetwork(width, number and features, LOGISTIC_SCALES, not lossless,
                       f"context_{number}")
        for number in range(min(networks, levels) + 1))
    self.y_codec = LogisticCodec(random=not lossless)
    self.latent_codec = SubbandCodec(
        self.y_codec, self.lifting_transform, self.coarsest_context, self.contexts,
        levels, None if lossless else SubbandSteps())
    self.post_filter = None if lossless else _PostFilter(filter_width)
    self._filter_graph = Graph(lambda *tensors: self.post_filter(*tensors))

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    told = self._told(tf.shape(x)[0], settings.quality, context.lmbda)
    planes = _planes(x)
    if context.noise is not None and told is None:
      samples = tf.zeros_like(context.noise.samples, tf.float32)
      is_grey = context.noise.uniform(samples, "grey") < _GREY - 0.5
      planes *= tf.where(is_grey[:, None, None, None], [1.0, 0.0, 0.0], 1.0)
    y_hat, bits = self.latent_codec(planes, told, noise=context.noise)
    if context.noise is not None and told is None:
      return base.ModelOutput(x, bits)
    return base.ModelOutput(self._shown(y_hat, told), bits)

  def encode(self, x, settings):
    strings, _ = self.latent_codec.compress(
        _planes(x), self._told(1, settings.quality))
    return [base.latent_chunk(strings)]

  def decode(self, chunks, header):
    strings = base.latent_strings(chunks, 1)
    told = self._told(1, header.settings.get("quality"))
    shape = self.latent_shape(header, 1, 3)
    return self._shown(self.latent_codec.decompress(strings, shape, told), told)

  def prepare(self, images, lmbda):
    """Starts as the 5/3 with the scales of its subbands."""
    self.build_variables()
    x = image_ops.to_float(first_patches(images)[:_FIRST])
    self.latent_codec.prepare(_planes(x), self._told(len(x)))

  def draw_lmbda(self, noise):
    """Returns lmbda of each sample, about `controls.lmbda` as that of quality 50."""
    if self.post_filter is None:
      return super().draw_lmbda(noise)
    drawn = 0.5 + noise.uniform(tf.zeros_like(noise.samples, tf.float32), "lmbda")
    quality = 1.0 + tf.floor(drawn * QUALITIES)
    # Steps fall by equal factors, and lmbda is as one over their square.
    ratio = step_of(1) / step_of(2)
    return self.controls.lmbda * tf.exp(2.0 * math.log(ratio) * (quality - _QUALITY))

  def balance(self, lmbda):
    return (lmbda / self.controls.lmbda) ** -_GROWTH

  def _told(self, batch, quality=None, lmbda=None):
    """Returns the qualities of a batch, (B,) int32; None without loss."""
    if self.post_filter is None:
      return None
    if lmbda is None:
      return tf.fill([batch], tf.cast(quality or _QUALITY, tf.int32))
    step = step_of(_QUALITY) * tf.sqrt(self.controls.lmbda / lmbda)
    found = tf.clip_by_value(tf.round(quality_of(step)), 1.0, QUALITIES)
    return tf.broadcast_to(tf.cast(found, tf.int32), [batch])

  def _shown(self, planes, told):
    """Returns x_hat of planes; a damaged stream may say what no picture has."""
    rgb = reversible.rgb_from_planes(planes + [128.0, 0.0, 0.0])
    if told is None:
      return image_ops.to_float(tf.clip_by_value(rgb, 0.0, 255.0))
    return self._filter_graph(rgb / 255.0, told)


class _PostFilter(tf.keras.layers.Layer):
  """A residual network on pictures, (B, H, W, 3); what it adds grows with the step.

  Source: Ma et al., section 3.4.
  Departs: one 1x1, 3x3, 1x1 branch a block; all three planes at once; a quality.
  """

  def __init__(self, width):
    super().__init__(name="post_filter")
    self.first = ScaledConv2D(width, 3, name="first")
    self.blocks = [ResidualBlock(width, width, f"block_{i}") for i in range(4)]
    self.last = ScaledConv2D(3, 3, zeros=True, name="last")
    self._steps = np.float32([step_of(q) / 255.0 for q in range(1, QUALITIES + 1)])

  def call(self, x, quality):
    step = tf.gather(self._steps, quality - 1)[:, None, None, None]
    level = tf.cast(quality, tf.float32)[:, None, None, None] / QUALITIES
    seen = tf.concat([x - 0.5, level * tf.ones_like(x[..., :1])], axis=-1)
    y = self.first(seen)
    for block in self.blocks:
      y += block(y)
    return x + 0.25 * step * self.last(y)


def _planes(x):
  """Returns Y, Cg, Co, integers, Y about zero, of x in [0, 1]."""
  planes = reversible.planes_from_rgb(tf.round(255.0 * x))
  return planes - [128.0, 0.0, 0.0]
