"""What registered models of all kinds have in common."""

import abc
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models import LatentCodec
from tfc_models.layers import ExactConv2D, ExactConv2DTranspose, ExactModulation
from tfc_models.modeling.settings import EVALUATION, Settings, TrainingContext
from tfc_models.modeling.training_step import TrainableModel
from tfc_models.ops import image as image_ops
from tfc_models.ops import padding


class ModelOutput(NamedTuple):
  """What a model makes of a batch.

  Attributes:
    x_hat: float reconstruction, shaped as the batch; may leave [0, 1].
    bits: name of a latent to its (B,) bits; the keys are `Model.latents`.
    stages: for models that reconstruct in several stages, the x_hat of each; the
      loss averages their distortions. Otherwise empty.
    extras: dict of further tensors that a loss or an evaluator of this model reads.
  """

  x_hat: tf.Tensor
  bits: dict
  stages: tuple = ()
  extras: Optional[dict] = None


class Trial(NamedTuple):
  """What a model makes of one uint8 sample of a training batch.

  Attributes:
    picture: uint8 (H, W', 3), the original beside the decoded.
    estimated_bits: of the whole sample.
    coded_bits: likewise, as the coder wrote them.
  """

  picture: np.ndarray
  estimated_bits: float
  coded_bits: int


class Model(TrainableModel, abc.ABC):
  """A learned codec of any kind; see `base`, `video`, `editor` for what each codes.

  `registry.register` sets `registered_name` and `kind`.

  Class facts:
    downsampling_factor: int, sides of padded images are multiples of it.
    capabilities: subset of {"quality", "progressive", "lossless",
      "exact_pixels", "keep"}; what the conformance suite tests and callers may ask for.
      Progressive models have an attribute `iterations`, how many there are.
      Others with "quality" take more bits and err less the higher it is, also
      untrained, and as `draw_lmbda` says in training. Those with "keep" code a part of
      a picture, see `Settings`.
    latents: names of the coded latents, in the order of the stream.
    synthesises: whether decoders make up details that the file does not hold, rather
      than blur them; files say so.
  """

  downsampling_factor: int = None
  capabilities: frozenset = frozenset()
  latents: tuple = ()
  synthesises: bool = False

  # What the registered class was created with; kept in weight files.
  arguments: Optional[dict] = None
  # Weight of the mean squared error that the weights were trained for; None where that
  # is not known, or they were trained for another distortion.
  lmbda: Optional[float] = None

  @abc.abstractmethod
  def call(self, x, training: bool = False, settings: Settings = Settings(),
           context: TrainingContext = EVALUATION) -> ModelOutput:
    """Returns the `ModelOutput` of a batch.

    Args:
      x: (B, H, W, 3) float in [0, 1], of video (B, T, H, W, 3); sides multiples
        of `downsampling_factor`.
      training: as in Keras, for layers that ask.
      settings: `Settings`.
      context: `TrainingContext`; latents are noisy with its noise.
    """

  @abc.abstractmethod
  def trial(self, sample: np.ndarray) -> Trial:
    """Returns the `Trial` of a uint8 sample, shaped as `call` takes it without B."""

  def prepare(self, images, lmbda: float) -> None:
    """Sets variables from data before the first step; by default, none.

    Args:
      images: iterator of uint8 batches, as training feeds them.
      lmbda: weight of the distortion that training will use.
    """

  def prepare_rest(self, images, parts) -> None:
    """Sets the variables of other parts from data; by default, none.

    Args:
      images: as of `prepare`.
      parts: object paths, or beginnings of them, of what has its weights.
    """

  def adapt(self, old_lmbda: float, new_lmbda: float) -> None:
    """Readies trained weights for training at another lmbda; by default as is."""

  def latent_codecs(self) -> list[LatentCodec]:
    """Returns the latent codecs, found among the attributes."""
    return [
        module for module in self.submodules if isinstance(module, LatentCodec)]

  def fix_tables(self) -> None:
    """Builds all that coding takes as integers; done whenever the model is saved.

    That is the tables of latent codecs, and the scales of `layers.exact`.
    """
    for module in self.submodules:
      if hasattr(module, "fix_tables"):
        module.fix_tables()

  def fix_scales(self) -> None:
    """Sets the scales of integer networks alone, as evaluation needs them."""
    for module in self.submodules:
      if isinstance(module, (ExactConv2D, ExactConv2DTranspose, ExactModulation)):
        module.fix_tables()

  def build_variables(self):
    """Creates all variables, by running black samples of the least sizes.

    Two of them where there is a Keras Sequential: it makes itself anew for an image
    whose size it has not seen, one at a time, and after these for any. Threads may
    share the model from then on.
    """
    *rest, height, width, depth = self.least_shape()
    # Without AutoGraph, which nothing here needs and which takes half a second.
    call = tf.autograph.experimental.do_not_convert(self)
    call(tf.zeros((*rest, height, width, depth)))
    if any(isinstance(layer, tf.keras.Sequential) for layer in self.submodules):
      call(tf.zeros((*rest, 2 * height, 2 * width, depth)))
    return self

  def least_shape(self) -> tuple:
    """Returns the shape of the least batch that `call` takes."""
    return 1, self.downsampling_factor, self.downsampling_factor, 3

  def to_batch(self, image):
    """uint8 (H, W, 1 or 3) to (1, H', W', 3) float, padded; of video see there."""
    return padding.pad_to_multiple(
        image_ops.rgb_batch(image), self.downsampling_factor)

  def latent_shape(self, header, factor, depth):
    """Returns (H, W, C) of a latent that lies `factor` below the image."""
    return [
        padding.padded_size(side, self.downsampling_factor) // factor
        for side in (header.height, header.width)] + [depth]


def written(chunk):
  """Returns a chunk whose strings are bytes, of one whose may be tensors, (1,)."""
  return chunk._replace(strings=tuple(
      string if isinstance(string, bytes) else string.numpy()[0]
      for string in chunk.strings))
