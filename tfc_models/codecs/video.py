"""Video: frames to the bytes of a `.tfcm` file and back, a group at a time."""

import itertools

from tfc_models import bitstream
from tfc_models.bitstream import FRAME
from tfc_models.codecs.base import check_image
from tfc_models.codecs.checks import MAX_PIXELS, check_pixels
from tfc_models.codecs.file_options import FileOptions
from tfc_models.codecs.model_codec import ModelCodec
from tfc_models.errors import (
    BitstreamError,
    ImageError,
    TooLargeError,
    UsageError,
)
from tfc_models.modeling.settings import Settings

# A video may hold as many pixels as so many of the largest pictures, about two
# minutes of 720p with the default limit: a few bytes may claim a frame.
_LARGEST_PICTURES = 128


class VideoCodec(ModelCodec):
  """Codes video with a trained model; see `ModelCodec`.

  The header says how many frames there are (`frames`), of which all groups but the
  last have as many (`group`), and how many a second as a fraction (`rate`,
  `rate_scale`), if that is known. The chunks are of type FRAME, one a group.
  """

  extension = ".tfcm"

  def encode(self, frames, settings=None, options=None, rate=None):
    """Returns the bytes of a file.

    Args:
      frames: iterable of uint8 arrays (H, W, 3) of one size; no more than a group
        of them is held.
      settings: `modeling.settings.Settings`, what the model varies.
      options: `FileOptions`, what the file shall meet.
      rate: frames a second, (numerator, denominator); None if unknown.

    Raises:
      ImageError: if there are none, or their sizes differ.
      UsageError: if the model cannot do what is asked for.
    """
    options = options or FileOptions()
    settings, noted = self.checked_settings(settings or Settings(), options)
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
      raise ImageError("a video needs at least one frame, got none")
    shape = check_image(first).shape
    try:
      bitstream.check_size(*shape[:2])
    except BitstreamError as error:
      raise ImageError(str(error)) from None
    header = bitstream.Header(
        self.model.registered_name, self.fingerprint, *shape, settings=noted)
    count = itertools.count()
    with self.coding(UsageError, header):
      chunks = list(self.model.compress(
          _checked(itertools.chain([first], frames), shape, count), settings))
    noted.update(frames=next(count), group=self.model.group_size)
    if rate:
      noted.update(rate=rate[0], rate_scale=rate[1])
    return bitstream.write(header, chunks, options.metadata)

  def decode(self, data, allow_partial=False, max_pixels=MAX_PIXELS):
    """Returns an iterator over the uint8 frames (H, W, 3) of a `.tfcm` file.

    Args:
      data: bytes.
      allow_partial: whether a file that was cut may be decoded as far as it goes,
        to the last whole group.
      max_pixels: larger frames are refused, or more groups of them.

    Raises:
      BitstreamError: if the file is damaged, or made with other weights.
    """
    return self.decode_stream(
        self.unpack(bitstream.read(data, allow_partial), max_pixels))

  def unpack(self, stream, max_pixels=MAX_PIXELS):
    """Returns a stream that has been read, after checking what it says.

    Raises:
      BitstreamError: if it is not of these weights, or holds something else.
    """
    header, chunks = stream.header, stream.chunks
    self.check_weights(header)
    check_pixels(header, 1, max_pixels)
    if stream.planes:
      raise BitstreamError(f"the stream holds {', '.join(stream.planes)} of a video")
    frames, group = (header.settings.get(name) for name in ("frames", "group"))
    if group != self.model.group_size or not frames:
      raise BitstreamError(
          f"the header says {frames} frames in groups of {group}, its model has "
          f"groups of {self.model.group_size}")
    if [(chunk.type, chunk.index) for chunk in chunks] != [
        (FRAME, n) for n in range(len(chunks))]:
      raise BitstreamError("groups of frames are missing, or out of order")
    count = -(-frames // group)
    if len(chunks) > count or stream.complete and len(chunks) < count:
      raise BitstreamError(
          f"the stream holds {len(chunks)} groups of frames, its header says "
          f"{frames} frames in groups of {group}")
    held = min(frames, len(chunks) * group)
    if group * header.height * header.width > max_pixels or (
        held * header.height * header.width > _LARGEST_PICTURES * max_pixels):
      raise TooLargeError(
          f"a video of {held} frames of {header.width}x{header.height} in groups of "
          f"{group} is beyond the limit of {max_pixels} pixels", argument="max_pixels")
    return stream

  def decode_stream(self, stream, iterations=None):
    """Returns an iterator over the frames of a `bitstream.Stream` of `unpack`.

    Raises:
      UsageError: if `iterations` are asked for.
    """
    if iterations is not None:
      raise UsageError("the file is a video, it has no iterations")
    return self._frames(stream)

  def _frames(self, stream):
    header = stream.header
    frames, group = header.settings["frames"], header.settings["group"]
    groups = (
        (bitstream.unnest(chunk), min(group, frames - group * n))
        for n, chunk in enumerate(stream.chunks))
    with self.coding(BitstreamError, header):
      yield from self.model.decompress(groups, header)


def _checked(frames, shape, count):
  """Yields frames of a shape, and takes a number from `count` for each.

  Raises:
    ImageError: if one is of another shape, or grey.
  """
  for frame in frames:
    frame = check_image(frame)
    number = next(count)
    if frame.shape != shape or shape[2] != 3:
      raise ImageError(
          f"frame {number} is {_words(frame.shape)}, wanted "
          f"{_words((*shape[:2], 3))}")
    yield frame


def _words(shape):
  return f"{shape[1]}x{shape[0]} in {'RGB' if shape[2] == 3 else 'grey'}"
