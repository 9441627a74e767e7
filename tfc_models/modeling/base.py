"""The contract of an image model, and coding that follows from it."""

import abc
from collections.abc import Iterator
from typing import Optional

import numpy as np
import tensorflow as tf

from tfc_models.bitstream import LATENT, Chunk, Header, coded_bytes
from tfc_models.errors import BitstreamError
from tfc_models.modeling.model import Model, ModelOutput, Trial, written
from tfc_models.modeling.settings import Settings
from tfc_models.ops import image as image_ops
from tfc_models.ops import padding, probe

__all__ = [
    "CompressionModel", "ModelOutput", "as_tensor", "latent_chunk",
    "latent_strings"]


class CompressionModel(Model):
  """A learned codec: images to chunks of bytes and back.

  A paper writes `call`, `encode`, `decode` and the class facts of `Model`; the
  rest follows.
  """

  @property
  def tiling(self):
    """What codes pictures in tiles, see `models.families.tiling`; None for nothing."""
    return None

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

  def decode_first(self, chunks: list[Chunk], count, header: Header):
    """Returns x_hat of the first chunks, as of `decode`, where a graph decides.

    Args:
      chunks: all that a file of this model may hold.
      count: scalar int32, how many of them there are; 1 or more, if the model is
        progressive, otherwise all.
      header: as of `decode`.
    """
    del count
    return self.decode(chunks, header)

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

  def trial(self, sample: np.ndarray) -> Trial:
    decoded, bits = self.reconstruct(sample)
    return Trial(np.concatenate([sample, decoded], axis=1), bits,
                 8 * coded_bytes(self.compress(sample)))

  # Coding images.

  def compress(self, image: np.ndarray, settings: Settings = Settings()) -> list[Chunk]:
    """Returns the chunks of a uint8 image (H, W, 1 or 3)."""
    with probe.span("model"):
      chunks = self.encode(self.to_batch(image), settings)
    return [written(chunk) for chunk in chunks]

  def compress_progressively(self, image, settings=Settings()):
    """Yields the chunks of `compress`, each with the uint8 image of all so far."""
    for chunk, x_hat in self.encode_progressively(self.to_batch(image), settings):
      yield written(chunk), (
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

  def to_image(self, x_hat, shape):
    """(1, H', W', 3) float, padded, to a uint8 array of `shape`."""
    height, width, channels = shape
    x_hat = padding.crop(x_hat, height, width)
    if channels == 1:
      x_hat = image_ops.gray_from_rgb(x_hat)
    return image_ops.to_uint8(x_hat)[0].numpy()


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
