"""Generative compression at extremely low rates (Agustsson et al., ICCV 2019)."""

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.bitstream import mask
from tfc_models.entropy_models import FrequencyCodec
from tfc_models.errors import BitstreamError
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.models.families.adversarial import Adversarial, least_squares
from tfc_models.models.families.transform_model import (
  TransformModel,
  first_patches,
)
from tfc_models.transforms import normed_conv
from tfc_models.transforms.discriminator import MultiScalePatches, matching

_CENTRES = np.arange(-2.0, 3.0)
# Of coefficients that five values lie best for.
_DEVIATION = 1.2
# What the features of the discriminator count beside its verdict.
_MATCHING = 12.0


@registry.register("agustsson2019")
class ExtremeCompression(Adversarial, TransformModel):
  """Few symbols of five values, and a generator that makes up what they do not say.

      x -> encoder -> nearest of -2..2 -> [y, a table a channel] -> generator -> x_hat
                       * mask of what is kept

  No file takes more than C log2(5) / 256 bits a pixel, but for its header: 0.018, 0.036,
  0.073, 0.145 for C of 2, 4, 8, 16. With a mask (`Settings.keep`) the code is zero
  outside, and takes no bits; the generator fills in what may have been there. Its loss
  against the discriminator, least squares, has in it 12 times the distance of the
  features by which that judges (feature matching).

  Args:
    num_filters: n, channels at full resolution; 16 n at that of the code. At least 6 with
      a norm of channels.
    latent_depth: C.
    num_blocks: residual blocks of the generator.
    norm: "instance", or "channel" as in HiFiC.
    boxes: share of patches in training of which a random box is kept and no more, with
      the distortion of that alone. Weights without such training take no masks.
    entropy: beta of the paper, for the loss of a picture is bpp + lmbda * distortion
      here: 0 has the entropy coder learn frequencies and nothing else; at 1 lmbda weighs
      bits against the error, as in other models.
    judges: widths of the discriminator, of each of its three scales.

  Source: Agustsson, Tschannen, Mentzer, Timofte, Van Gool, "Generative adversarial
    networks for extreme learned image compression", ICCV 2019, arXiv:1804.02958.
  Departs: see `transforms.normed_conv`. No semantic label maps, neither at the decoder,
    where the paper synthesises from them, nor at the discriminator; what a mask leaves
    out is filled in from its surroundings. Of patches with a mask the squared error alone
    is that of what is kept. No noise beside the code. No distance of VGG's features;
    `train.perceptual` has others.
  """

  downsampling_factor = 16
  synthesises = True

  def __init__(self, *, num_filters=60, latent_depth=4, num_blocks=9, norm="instance",
               boxes=0.0, entropy=0.0, judges=(64, 128, 256, 512)):
    if norm not in normed_conv.NORMS:
      raise ValueError(
          f"`norm` must be one of {', '.join(normed_conv.NORMS)}, got {norm!r}.")
    if not 0.0 <= boxes <= 1.0:
      raise ValueError(f"`boxes` must lie in 0..1, got {boxes}.")
    if norm == "channel" and num_filters < 6:
      raise ValueError(
          "num_filters must be at least 6 with norm=channel, whose start has two a "
          f"colour, got {num_filters}")
    widths = [num_filters * 2**level for level in range(5)]
    super().__init__(
        normed_conv.Encoder(widths, latent_depth, norm),
        normed_conv.Generator(widths[::-1], num_blocks, norm, tanh=True),
        FrequencyCodec(_CENTRES, latent_depth, entropy=entropy, boxes=boxes),
        16, latent_depth, normed_conv if norm == "channel" else None)
    self.discriminator = MultiScalePatches(judges)
    if boxes:
      self.capabilities = frozenset(["keep"])

  def prepare(self, images, lmbda):
    """Starts as a KLT of 16x16 blocks, where norms are of channels; else at random."""
    if self.layout:
      self.build_variables()
      patches = first_patches(images)
      self.layout.start(self.analysis_transform, self.synthesis_transform, patches,
                        deviation=_DEVIATION)
      self._prepare_codec(patches)

  def adapt(self, old_lmbda, new_lmbda):
    """Does nothing: the centres are where they are."""

  def build_training_variables(self):
    side = self.downsampling_factor
    self.discriminator(tf.zeros((1, side, side, 3)))

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    y = self.analyze(x)
    if context.noise is not None and self.latent_codec.boxes:
      kept = self.latent_codec.draw(y, context.noise)
    else:
      kept = self._kept(settings)
    y_hat, bits = self.latent_codec(y, kept, noise=context.noise)
    return base.ModelOutput(self.synthesize(y_hat), bits, extras={"kept": kept})

  def encode(self, x, settings):
    strings, _ = self.latent_codec.compress(self.analyze(x), self._kept(settings))
    return [base.latent_chunk(strings)]

  def decode(self, chunks, header):
    strings = base.latent_strings(chunks, 1)
    shape = self.latent_shape(header, self.factor, self.depth)
    y_hat = self.latent_codec.decompress(strings, shape, self._told_to_keep(header))
    return self.synthesize(y_hat)

  def objective(self, x, output, context):
    """As of `TrainableModel`; of patches of which a box is kept, what lies in it."""
    kept = (output.extras or {}).get("kept")
    if kept is not None:
      kept = tf.repeat(tf.repeat(kept, self.factor, axis=1), self.factor, axis=2)
      output = output._replace(x_hat=x + kept * (output.x_hat - x))
    return super().objective(x, output, context)

  def adversarial_losses(self, x, output, training):
    judged, judged_hat = (
        self.discriminator(image, training=training) for image in (x, output.x_hat))
    losses = [least_squares(one[-1], other[-1]) for one, other in zip(judged, judged_hat)]
    g_loss, d_loss = (tf.add_n(scales) for scales in zip(*losses))
    return g_loss + _MATCHING * matching(judged, judged_hat), d_loss

  def _kept(self, settings):
    """Returns the mask that settings ask for, (1, H, W, 1); None for all."""
    if settings.keep is None:
      return None
    return _batch(mask.sites_of(settings.keep, self.factor))

  def _told_to_keep(self, header):
    """Returns the mask of a header, likewise."""
    data = header.settings.get("keep")
    if data is None:
      return None
    sites, side = mask.read(data, header.height, header.width)
    if side != self.factor:
      raise BitstreamError(
          f"the stream holds a mask of squares of {side} pixels, its model has those of "
          f"{self.factor}")
    return _batch(sites)


def _batch(sites):
  return tf.constant(sites[None, ..., None], tf.float32)
