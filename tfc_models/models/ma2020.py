"""Lossless coding of wavelet subbands: iWave++ (Ma et al., TPAMI 2020)."""

import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
  LOGISTIC_SCALES,
  LogisticCodec,
  SubbandCodec,
)
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.models.families.transform_model import first_patches
from tfc_models.ops import image as image_ops
from tfc_models.ops import reversible
from tfc_models.transforms.lifting import LiftingTransform
from tfc_models.transforms.subband_context import SubbandNetwork

# Of the samples of training, as grey images.
_GREY = 1.0 / 24.0
# Patches whose subbands training starts from.
_FIRST = 64


@registry.register("ma2020")
class IWave(base.CompressionModel):
  """Subbands of a learned integer wavelet, coded from coarse to fine; x_hat is x.

      x -> YCoCg-R -> lifting -> LL4 | HL4 LH4 HH4 | ... | HL1 LH1 HH1 -> [y string]
                                  +--> context --^ ... --^
                                  what is decoded, means and scales of the next

  Args:
    levels: of the transform.
    width: of the hidden layers of the context networks.
    features: of their trunks, which see LL.
    lifting_width: of the predict and update networks; 0 for the 5/3 alone.
    networks: for so many levels, from the finest on, there are context networks; the
      last of them are those of all coarser levels too.

  Source: Ma, Liu, Yan, Li, Wu, "End-to-end optimized versatile image compression with
    wavelet-like transform", IEEE TPAMI 2020, its lossless mode.
  Departs: see `transforms.lifting` and `transforms.subband_context`: two passes over the
    halves of a checkerboard inside of subbands, where the paper's PixelCNN has one a
    coefficient; LL, which the inverse lifting has made by then, in place of a recurrent
    summary of the subbands before; two logistic densities by tables, not a network of a
    distribution function for each coefficient; planes are coded given those before.
  """

  downsampling_factor = 32
  capabilities = frozenset(["lossless", "exact_pixels"])
  latents = ("y",)

  def __init__(self, *, levels=4, width=32, features=32, lifting_width=8, networks=2):
    super().__init__()
    if not 1 <= levels <= 4:  # Halves of the last LL have even sides.
      raise ValueError(f"`levels` must lie in 1..4, got {levels}.")
    scales = LOGISTIC_SCALES
    self.lifting_transform = LiftingTransform(lifting_width)
    self.coarsest_context = SubbandNetwork(width, 0, scales, "coarsest_context")
    self.contexts = [
        SubbandNetwork(width, features, scales, f"context_{number}")
        for number in range(min(networks, levels))]
    self.y_codec = LogisticCodec(random=False)
    self.latent_codec = SubbandCodec(
        self.y_codec, self.lifting_transform, self.coarsest_context, self.contexts,
        levels)

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    planes = _planes(x)
    if context.noise is not None:
      samples = tf.zeros_like(context.noise.samples, tf.float32)
      is_grey = context.noise.uniform(samples, "grey") < _GREY - 0.5
      planes *= tf.where(is_grey[:, None, None, None], [1.0, 0.0, 0.0], 1.0)
    y_hat, bits = self.latent_codec(planes, noise=context.noise)
    return base.ModelOutput(x if context.noise is not None else _pixels(y_hat), bits)

  def encode(self, x, settings):
    strings, _ = self.latent_codec.compress(_planes(x))
    return [base.latent_chunk(strings)]

  def decode(self, chunks, header):
    strings = base.latent_strings(chunks, 1)
    shape = self.latent_shape(header, 1, 3)
    return _pixels(self.latent_codec.decompress(strings, shape))

  def prepare(self, images, lmbda):
    """Starts as the 5/3 with the scales of its subbands."""
    self.build_variables()
    self.latent_codec.prepare(_planes(image_ops.to_float(first_patches(images)[:_FIRST])))


def _planes(x):
  """Returns Y, Cg, Co, integers, Y about zero, of x in [0, 1]."""
  planes = reversible.planes_from_rgb(tf.round(255.0 * x))
  return planes - [128.0, 0.0, 0.0]


def _pixels(planes):
  """Returns x of them; a damaged stream may say what is none."""
  rgb = reversible.rgb_from_planes(planes + [128.0, 0.0, 0.0])
  return image_ops.to_float(tf.clip_by_value(rgb, 0.0, 255.0))
