"""Files whose picture no model codes, written and decoded without TensorFlow."""

import numpy as np

from tfc_models import bitstream
from tfc_models.bitstream import pixels
from tfc_models.codecs import planes, tiles
from tfc_models.codecs.checks import MAX_PIXELS, check_planes
from tfc_models.codecs.file_options import File
from tfc_models.errors import UsageError

# What their headers say in place of a model and its weights. Readers go by the chunk.
_NAME, _FINGERPRINT = "planes", bytes(4)


class PixelCodec:
  """Decodes such files, with the methods of `LearnedCodec` that decoders of files use."""

  kind = "image"

  def unpack(self, stream, max_pixels=MAX_PIXELS):
    """As of `LearnedCodec`."""
    return checked(stream, max_pixels)

  def decode_stream(self, stream, iterations=None, depth=None, region=None, jobs=1):
    """As of `LearnedCodec`; all is decoded, whatever the region."""
    del jobs
    return decode(stream, iterations, depth, region)


def file_of(parts, options, limit=None):
  """Returns the `File` of a picture in planes, or None if it is not below a limit.

  Args:
    parts: `planes.Parts` of the image.
    options: `FileOptions`; what they carry is in the file, as is transparency.
    limit: bytes of another file that carries the same; None for none.
  """
  strings = pixels.write(parts.colours, parts.bits, parts.is_deep, limit)
  if strings is None:
    return None
  header = bitstream.Header(_NAME, _FINGERPRINT, *parts.picture.shape)
  chunks = [bitstream.Chunk(bitstream.PIXELS, 0, strings)]
  data = bitstream.write(
      header, chunks, options.metadata, {**(options.planes or {}), **parts.alpha})
  return File(data, header, chunks) if limit is None or len(data) < limit else None


def checked(stream, max_pixels=MAX_PIXELS):
  """Returns a `bitstream.Stream` of pixels.

  Raises:
    TooLargeError: if it is more work than a limit allows.
  """
  count = stream.header.channels + len(stream.planes)
  check_planes(stream.header, count, max_pixels)
  return stream


def decode(stream, iterations=None, depth=None, region=None):
  """Returns the image of a stream of pixels, (H, W, 1 to 4) uint8 or uint16.

  Args:
    stream: `bitstream.Stream` of `checked`.
    iterations, depth, region: as of `LearnedCodec.decode`.

  Raises:
    BitstreamError: if it is damaged.
    UsageError: if there is no such region, or iterations are asked for.
  """
  header = stream.header
  if iterations is not None:
    raise UsageError("the file is not progressive, it has no iterations")
  box = region and tiles.box_of(region, header.height, header.width)
  image, bits = pixels.read(
      stream.pixels, header.height, header.width, header.channels)
  if box:
    image = box.of(image).copy()
  if stream.sample_bits:
    image = planes.rescaled(image, np.uint16, 2**bits - 1)
  if depth == 8:
    image = planes.rescaled(image, np.uint8)
  return planes.joined(image, stream, box)
