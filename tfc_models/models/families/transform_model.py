"""One model around any latent codec: two transforms, and what codes between them."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models import LatentCodec
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.models.families.refinement import Refinement
from tfc_models.models.families.refinement_state import Scene
from tfc_models.models.families.tiling import Tiling
from tfc_models.ops import image as image_ops
from tfc_models.ops.parts import in_parts

# Of the images that `prepare` is given: so many pixels.
_PIXELS = 2**23


class TransformModel(base.CompressionModel):
  """Codes y = analysis(x); the decoder shows synthesis(y_hat).

      x -> analysis -> y -> latent codec -> [strings] -> y_hat -> synthesis -> x_hat

  The parts of the codec are also attributes of the model, so that weight files call
  them as papers do: z_codec, y_codec ...

  Args:
    analysis, synthesis: the transforms, Keras layers.
    codec: `LatentCodec` of y, without params; `HyperpriorCodec` and others nest.
    factor: how much smaller y is a side than the image.
    depth: channels of y.
    layout: module with `start` and `rescale` of the transforms, such as
      `transforms.gdn_conv`; None if they start at random.
  """

  def __init__(self, analysis, synthesis, codec: LatentCodec, factor: int,
               depth: int, layout=None):
    super().__init__()
    self.layout = layout
    self.analysis_transform = analysis
    self.synthesis_transform = synthesis
    self.latent_codec = codec
    for name, part in codec.parts().items():
      setattr(self, name, part)
    self.factor = factor
    self.depth = depth
    self.refinement = Refinement(self)
    self._tiling = Tiling(self)

  @property
  def latents(self):
    return self.latent_codec.latents

  @property
  def tiling(self):
    return self._tiling

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    told = self.told(tf.shape(x)[0], settings.quality, context.lmbda)
    y = self.analyze(x, *told)
    if context.noise is None:
      y_hat, bits = self.refinement(Scene(x), y, told, settings).price()
    else:
      y_hat, bits = self.latent_codec(y, *told, noise=context.noise)
    return base.ModelOutput(
        self.synthesize(y_hat, *told), bits, extras={"y_hat": y_hat})

  def encode(self, x, settings):
    told = self.told(1, settings.quality)
    choice = self.refinement(Scene(x), self.analyze(x, *told), told, settings)
    return [base.latent_chunk(self.latent_codec.write_all(choice.symbols()))]

  def lmbda_at(self, quality=None):
    """Returns the weight of the mean squared error that an encoder should strive for.

    Args:
      quality: 1..100, or None.

    Returns:
      float; None where weights are not known for one, and efforts make no difference.
    """
    del quality
    return self.lmbda

  def worth(self, *told):
    """Returns how many bits a squared error of 1 in an element of y is worth by itself.

    Args:
      *told: of `told`.

    Returns:
      a number or tensor that broadcasts to y; None, as by default, has it measured on
      the image, see `refinement.Refinement`.
    """
    del told

  def decode(self, chunks, header):
    told = self.told(1, header.settings.get("quality"))
    strings = base.latent_strings(chunks, len(self.latents))
    shape = self.latent_shape(header, self.factor, self.depth)
    y_hat = self.latent_codec.decompress(strings, shape, *told)
    return self.synthesize(y_hat, *told)

  def told(self, batch, quality=None, lmbda=None) -> tuple:
    """Returns what transforms and latent codec are told beside their input.

    Nothing, where weights are for one rate; `layers.Condition` and the like, one for
    all, where they are for several.

    Args:
      batch: B, an int or a scalar tensor.
      quality: 1..100, or None.
      lmbda: in training, of each sample; otherwise None.
    """
    del batch, quality, lmbda
    return ()

  def prepare(self, images, lmbda):
    """Starts as a transform codec of `high_rate_step`."""
    if self.layout is None:
      return
    self.build_variables()
    patches = first_patches(images)
    self.layout.start(
        self.analysis_transform, self.synthesis_transform, patches,
        high_rate_step(lmbda))
    self._prepare_codec(patches)

  def prepare_rest(self, images, parts):
    """Starts what codes y from what trained transforms make of images."""
    if self.layout and set(parts) <= {"analysis_transform", "synthesis_transform"}:
      self._prepare_codec(first_patches(images))

  def _prepare_codec(self, patches):
    self.latent_codec.prepare(in_parts(
        lambda some: self.analyze(image_ops.to_float(some)), patches))

  def adapt(self, old_lmbda, new_lmbda):
    """Scales y as the step of `prepare` does."""
    if self.layout is None:
      return
    factor = math.sqrt(new_lmbda / old_lmbda)
    self.layout.rescale(
        self.analysis_transform, self.synthesis_transform, factor)
    self.latent_codec.rescale(factor)

  def analyze(self, x):
    """Returns y, (B, H / factor, W / factor, depth), of (B, H, W, 3) in [0, 1]."""
    return self.analysis_transform(x)

  def synthesize(self, y_hat):
    """Returns x_hat of y_hat."""
    return self.synthesis_transform(y_hat)


# What a squared error of one step is worth in bits at `high_rate_step`: lmbda / 3 of
# what it does to the picture.
BEST_STEP_WORTH = 6.0 / math.log(2.0)


def high_rate_step(lmbda):
  """Returns the quantiser step, on 0..255, that minimises the loss at high rate.

  A uniform quantiser of step d has the distortion d^2 / 12 and, per coefficient, a
  rate of const - log2 d. With three coefficients a pixel the loss
  3 (const - log2 d) + lmbda d^2 / 12 is least at d^2 = 18 / (lmbda ln 2).
  """
  return math.sqrt(18.0 / (lmbda * math.log(2.0)))


def first_patches(images):
  """Returns uint8 patches (B, H, W, 3) of the first of an iterator of batches."""
  found, pixels = [], 0
  for batch in images:
    found.append(np.asarray(batch))
    pixels += batch[..., 0].size
    if pixels >= _PIXELS:
      break
  return np.concatenate(found)
