"""The contract of a compression model, and coding that follows from it."""

import abc
from collections.abc import Iterator
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tfc_models.bitstream import LATENT, Chunk, Header
from tfc_models.entropy_models import LatentCodec
from tfc_models.errors import BitstreamError
from tfc_models.modeling.settings import EVALUATION, Settings, TrainingContext
from tfc_models.modeling.training_step import TrainableModel
from tfc_models.ops import image as image_ops
from tfc_models.ops import padding, probe


class ModelOutput(NamedTuple):
  """What a model makes of a batch.

  Attributes:
    x_hat: (B, H, W, 3) float reconstruction; may leave [0, 1].
    bits: name of a latent to its (B,) bits; the keys are `Model.latents`.
    stages: for models that reconstruct in several stages, the x_hat of each; the
      loss averages their distortions. Otherwise empty.
    extras: dict of further tensors that a loss or an evaluator of this model reads.
  """

  x_hat: tf.Tensor
  bits: dict
  stages: tuple = ()
  extras: Optional[dict] = None


class CompressionModel(TrainableModel, abc.ABC):
  """A learned codec: images to chunks of bytes and back.

  A paper writes `call`, `encode`, `decode` and the class facts; the rest
  follows. `registry.register` sets `registered_name` and `kind`.

  Class facts:
    downsampling_factor: int, sides of padded images are multiples of it.
    capabilities: subset of {"quality", "progressive", "lossless",
      "exact_pixels"}; what the conformance suite tests and callers may ask for.
      Progressive models have an attribute `iterations`, how many there are.
      Others with "quality" take more bits and err less the higher it is, also
      untrained, and as `draw_lmbda` says in training.
    latents: names of the coded latents, in the order of the stream.
  """

  downsampling_factor: int = None
  capabilities: frozenset = frozenset()
  latents: tuple = ()

  # What the registered class was created with; kept in weight files.
  arguments: Optional[dict] = None

  @abc.abstractmethod
  def call(self, x, training: bool = False, settings: Settings = Settings(),
           context: TrainingContext = EVALUATION) -> ModelOutput:
    """Returns the `ModelOutput` of a batch.

    Args:
      x: (B, H, W, 3) float in [0, 1], sides multiples of
        `downsampling_factor`.
      training: as in Keras, for layers that ask.
      settings: `Settings`.
      context: `TrainingContext`; latents are noisy with its noise.
    """

  @abc.abstractmethod
  def encode(self, x, settings: Settings) -> list[Chunk]:
    """Returns the list of `bitstream.Chunk` of one image.

    Strings are byte string tensors of one element, so that all of it traces into a
    graph; `compress` makes bytes of them.

    Args:
      x: (1, H, W, 3) float in [0, 1], padded.
      settings: `Settings`.
    """

  @abc.abstractmethod
  def decode(self, chunks: list[Chunk], header: Header):
    """Returns x_hat, (1, H, W, 3) float and padded, from `encode`'s chunks.

    Args:
      chunks: list of `bitstream.Chunk`, their strings bytes or tensors.
      header: `bitstream.Header`, sizes before padding, ints or scalar tensors.

    Raises:
      BitstreamError: if chunks are missing or too many.
    """

  def encode_progressively(self, x, settings: Settings) -> Iterator[tuple]:
    """Yields chunks as of `encode`, each with the x_hat of all so far.

    Models that are not progressive yield once, no x_hat but None.
    """
    (chunk,) = self.encode(x, settings)
    yield chunk, None

  def decode_progressively(self, chunks: list[Chunk], header: Header) -> Iterator:
    """Yields ever better x_hat; once, unless the model is progressive."""
    yield self.decode(chunks, header)

  def iteration_bytes(self, height: int, width: int) -> Optional[int]:
    """Returns the bytes of each iteration of an image; None if they vary."""
    return None

  def prepare(self, images, lmbda: float) -> None:
    """Sets variables from data before the first step; by default, none.

    Args:
      images: iterator of uint8 batches (B, H, W, 3).
      lmbda: weight of the distortion that training will use.
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

  def build_variables(self):
    """Creates all variables, by running black images of the least sizes.

    Two of them where there is a Keras Sequential: it makes itself anew for an image
    whose size it has not seen, one at a time, and after these for any. Threads may
    share the model from then on.
    """
    side = self.downsampling_factor
    # Without AutoGraph, which nothing here needs and which takes half a second.
    call = tf.autograph.experimental.do_not_convert(self)
    call(tf.zeros((1, side, side, 3)))
    if any(isinstance(layer, tf.keras.Sequential) for layer in self.submodules):
      call(tf.zeros((1, 2 * side, 2 * side, 3)))
    return self

  # Coding images.

  def compress(self, image: np.ndarray, settings: Settings = Settings()) -> list[Chunk]:
    """Returns the chunks of a uint8 image (H, W, 1 or 3)."""
    with probe.span("model"):
      chunks = self.encode(self.to_batch(image), settings)
    return [_written(chunk) for chunk in chunks]

  def compress_progressively(self, image, settings=Settings()):
    """Yields the chunks of `compress`, each with the uint8 image of all so far."""
    for chunk, x_hat in self.encode_progressively(self.to_batch(image), settings):
      yield _written(chunk), (
          None if x_hat is None else self.to_image(x_hat, image.shape))

  def decompress(self, chunks: list[Chunk], header: Header) -> np.ndarray:
    """Returns the uint8 image (H, W, 1 or 3) that `compress` coded."""
    with probe.span("model"):
      x_hat = self.decode(chunks, header)
    return self.to_image(x_hat, _shape(header))

  def decompress_progressively(self, chunks, header):
    """Yields ever better uint8 images, see `decode_progressively`."""
    for x_hat in self.decode_progressively(chunks, header):
      yield self.to_image(x_hat, _shape(header))

  def reconstruct(self, image, settings=Settings()):
    """Returns the image that `decompress` will, and the estimated bits.

    Args:
      image: uint8 (H, W, 1 or 3).
      settings: `Settings`.

    Returns:
      uint8 array of the same shape; float, -log2 p of all symbols.
    """
    output = self(self.to_batch(image), training=False, settings=settings)
    bits = sum(float(bits[0]) for bits in output.bits.values())
    return self.to_image(output.x_hat, image.shape), bits

  def to_batch(self, image):
    """uint8 (H, W, C) to (1, H', W', 3) float, padded."""
    x = image_ops.to_float(image[None])
    if x.shape[-1] == 1:
      x = image_ops.rgb_from_gray(x)
    return padding.pad_to_multiple(x, self.downsampling_factor)

  def to_image(self, x_hat, shape):
    """(1, H', W', 3) float, padded, to a uint8 array of `shape`."""
    height, width, channels = shape
    x_hat = padding.crop(x_hat, height, width)
    if channels == 1:
      x_hat = image_ops.gray_from_rgb(x_hat)
    return image_ops.to_uint8(x_hat)[0].numpy()

  def latent_shape(self, header, factor, depth):
    """Returns (H, W, C) of a latent that lies `factor` below the image."""
    return [
        padding.padded_size(side, self.downsampling_factor) // factor
        for side in (header.height, header.width)] + [depth]


def _shape(header):
  return header.height, header.width, header.channels


def latent_chunk(strings):
  """Returns the one chunk of a model that codes each latent once.

  Args:
    strings: list of (1,) byte string tensors, in the order of `latents`.
  """
  return Chunk(LATENT, 0, tuple(strings))


def latent_strings(chunks, count):
  """Returns the `count` string tensors, (1,) each, of `latent_chunk`.

  Raises:
    BitstreamError: if the chunks are others.
  """
  latents = [chunk for chunk in chunks if chunk.type == LATENT]
  if len(latents) != 1 or len(latents[0].strings) != count:
    raise BitstreamError(
        f"the stream holds {[len(c.strings) for c in latents]} latent "
        f"strings, its model needs one chunk of {count}")
  return [as_tensor(string) for string in latents[0].strings]


def as_tensor(string):
  """Returns a string of a chunk, bytes or a tensor, as a tensor, (1,)."""
  return tf.reshape(tf.convert_to_tensor(string), [1])


def _written(chunk):
  """Returns a chunk whose strings are bytes."""
  return chunk._replace(strings=tuple(
      string if isinstance(string, bytes) else string.numpy()[0]
      for string in chunk.strings))
