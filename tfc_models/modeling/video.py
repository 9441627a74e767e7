"""The contract of a video model, and coding that follows from it."""

import abc
from collections.abc import Iterable, Iterator

import numpy as np

from tfc_models.bitstream import FRAME, Chunk, Header, coded_bytes, nest
from tfc_models.modeling.model import Model, Trial, written
from tfc_models.modeling.settings import Settings
from tfc_models.ops import image as image_ops
from tfc_models.ops import padding


class VideoModel(Model):
  """A learned codec: frames, a group at a time, to chunks of bytes and back.

  A paper writes `call`, `encode_group`, `decode_group` and the class facts of
  `Model`; the rest follows. What a group says may be one latent, or several chunks
  a frame. `call` sees whole sequences, the first of whose groups has nothing before
  it; in training it may stop gradients wherever it likes.

  Class facts:
    group_size: int, frames of a group; the last of a sequence may have fewer.
  """

  group_size: int = 1

  @abc.abstractmethod
  def encode_group(self, frames, state, settings: Settings):
    """Returns chunks, frames_hat and the state for the next group.

    Args:
      frames: (1, T, H, W, 3) float in [0, 1], padded, of at most `group_size`
        frames.
      state: None of the first group, otherwise what this returned before: what
        the decoder knows as well.
      settings: `Settings`.

    Returns:
      list of `bitstream.Chunk`, their strings bytes or tensors, (1,);
      frames_hat, shaped as `frames`, what `decode_group` will return; the state.
    """

  @abc.abstractmethod
  def decode_group(self, chunks: list[Chunk], header: Header, count: int, state):
    """Returns frames_hat, (1, count, H, W, 3) and padded, and the state.

    Args:
      chunks: list of `bitstream.Chunk` of `encode_group`.
      header: `bitstream.Header`, sizes before padding.
      count: frames of the group.
      state: None of the first group, otherwise what this returned before.

    Raises:
      BitstreamError: if chunks are missing or too many.
    """

  def least_shape(self) -> tuple:
    """As of `Model`: a group that has one before it."""
    batch, *shape = super().least_shape()
    return batch, 2 * self.group_size, *shape

  def compress(self, frames: Iterable, settings: Settings = Settings()
               ) -> Iterator[Chunk]:
    """Yields a chunk of type FRAME for each group of frames.

    Args:
      frames: iterable of uint8 (H, W, 3) of one size, of which no more than a group
        is held.
      settings: `Settings`.
    """
    state = None
    for number, group in enumerate(_groups(frames, self.group_size)):
      chunks, _, state = self.encode_group(
          self.to_batch(group), state, settings)
      yield nest(FRAME, number, [written(chunk) for chunk in chunks])

  def decompress(self, groups: Iterable, header: Header) -> Iterator[np.ndarray]:
    """Yields the uint8 frames (H, W, 3) of groups.

    Args:
      groups: iterable of (list of chunks within a group, number of frames).
      header: `bitstream.Header`.
    """
    state = None
    for chunks, count in groups:
      frames_hat, state = self.decode_group(chunks, header, count, state)
      yield from self.to_frames(frames_hat, header.height, header.width)

  def to_batch(self, frames):
    """Returns (1, T, H', W', 3) float, padded, of uint8 frames (H, W, 3)."""
    x = image_ops.to_float(np.stack(frames))
    return padding.pad_to_multiple(x, self.downsampling_factor)[None]

  def to_frames(self, frames_hat, height, width):
    """Returns uint8 (T, height, width, 3) of (1, T, H', W', 3) float, padded."""
    return image_ops.to_uint8(
        padding.crop(frames_hat[0], height, width)).numpy()

  def trial(self, sample: np.ndarray) -> Trial:
    output = self(self.to_batch(sample))
    decoded = self.to_frames(output.x_hat, *sample.shape[1:3])
    return Trial(
        np.concatenate([sample[-1], decoded[-1]], axis=1),
        sum(float(bits[0]) for bits in output.bits.values()),
        8 * coded_bytes(list(self.compress(sample))))


def _groups(frames, size):
  """Yields lists of so many frames, the last one of what is left."""
  group = []
  for frame in frames:
    group.append(frame)
    if len(group) == size:
      yield group
      group = []
  if group:
    yield group
