"""Learned codecs: a model, its weights, and the container."""

import dataclasses

from tfc_models import bitstream, metrics
from tfc_models.codecs import keeping, pixel_codec, planes, rate_control, tiles
from tfc_models.codecs.base import Codec
from tfc_models.codecs.checks import MAX_PIXELS, check_pixels
from tfc_models.codecs.file_options import File, FileOptions
from tfc_models.codecs.model_codec import ModelCodec
from tfc_models.codecs.profiles import profile_of
from tfc_models.errors import BitstreamError, ImageError, UsageError
from tfc_models.modeling.settings import Settings


class LearnedCodec(ModelCodec, Codec):
  """Codes images with a trained model into `.tfcm` files; see `ModelCodec`.

  Attributes:
    takes_planes: whether pictures are coded as planes of samples where these take fewer
      bytes than a model that loses nothing; as `loading.load` says.
  """

  extension = ".tfcm"
  takes_planes = False

  def encode(self, image, settings=None, options=None):
    """As of `Codec`; arguments as of `encode_file`."""
    return self.encode_file(image, settings, options).data

  def encode_file(self, image, settings=None, options=None, jobs=1):
    """Returns the `File` of an image.

    Args:
      image: uint8 array (H, W) or (H, W, 1 to 4), see `planes.parted`: of 2 and 4
        channels the last is transparency. The samples of uint16 are kept beside the
        picture of 8 bits.
      settings: `modeling.settings.Settings`, what the model varies.
      options: `FileOptions`, what the file shall meet.
      jobs: tiles at a time, of a picture in tiles.

    Raises:
      UsageError: if the model cannot do what they ask for.
    """
    options = options or FileOptions()
    parts = planes.taken_apart(image, options.alpha_quality)
    image = parts.picture
    height, width, channels = image.shape
    try:
      bitstream.check_size(height, width)
    except BitstreamError as error:
      raise ImageError(str(error)) from None
    beside = parts.alpha if self.takes_planes else planes.beside(parts)
    parts = parts if self.takes_planes else None  # Deep samples leave little room.
    options = dataclasses.replace(
        options, planes={**(options.planes or {}), **beside})
    if options.has_target and "progressive" not in self.model.capabilities:
      self.checked_settings(settings or Settings(), options)
      return rate_control.encode(self, image, settings or Settings(), options, jobs)
    options = options.in_bytes(height, width)
    settings, noted = self.checked_settings(settings or Settings(), options)
    noted.update(keeping.noted(self.model, settings.keep, image, options))
    side = "keep" not in noted and tiles.side_of(
        self.model, height, width, options.tile)
    if side:
      noted["tile"] = side
    header = bitstream.Header(
        self.model.registered_name, self.fingerprint, height, width, channels,
        settings=noted, thumbnail=options.thumbnail)
    profile = profile_of(self.model, header)
    profile.check(options)
    if parts and parts.is_deep:
      # A model codes 8 bits, and the same planes would stand beside.
      return pixel_codec.file_of(parts, options)
    with self.coding(UsageError, header):
      if options.has_target:
        chunks = self._chunks_towards(image, settings, options, profile)
      elif side:
        chunks = self.model.tiling.compress(image, settings, side, jobs)
      else:
        chunks = self.model.compress(image, settings)
      file = File(profile.pack(chunks, options), header, chunks)
    other = parts and pixel_codec.file_of(parts, options, len(file.data))
    return other or file

  def decode(self, data, iterations=None, allow_partial=False,
             max_pixels=MAX_PIXELS, depth=None, region=None, jobs=1):
    """Returns the image of a `.tfcm` file, uint8 (H, W, 1 to 4).

    Of a file that was made of uint16 samples these, unless less is asked for.

    Args:
      data: bytes.
      iterations: decode so many of a progressive file, and no more.
      depth: 8 for the picture of the model in any case, None for what there is.
      allow_partial: whether a file that was cut may be decoded as far as it goes.
      max_pixels: larger images are refused; those in tiles if an eighth is larger, and
        as much again for each plane beside them, or a tile is.
      region: tuple of left, top, width and height in pixels: returns this part of the
        image, and of one in tiles decodes no more than it needs; planes of samples and
        transparency are read whole.
      jobs: tiles at a time.

    Raises:
      BitstreamError: if the file is damaged, or made with other weights.
      UsageError: if there is no such region.
    """
    stream = self.read(data, allow_partial, max_pixels)
    return self.decode_stream(stream, iterations, depth, region, jobs)

  def decode_progressively(self, data, allow_partial=False,
                           max_pixels=MAX_PIXELS):
    """Yields the uint8 image of a file after each iteration; others yield once."""
    stream = self.read(data, allow_partial, max_pixels)
    if stream.pixels is not None or "tile" in stream.header.settings:
      yield self.decode_stream(stream)
      return
    with self.coding(BitstreamError, stream.header):
      for picture in self.model.decompress_progressively(
          stream.chunks, stream.header):
        yield planes.joined(picture, stream)

  def read(self, data, allow_partial=False, max_pixels=MAX_PIXELS):
    """Returns the `bitstream.Stream` of a file made with these weights.

    Raises:
      BitstreamError: if the file is damaged, or made with other weights.
    """
    return self.unpack(bitstream.read(data, allow_partial), max_pixels)

  def unpack(self, stream, max_pixels=MAX_PIXELS):
    """Returns a stream that has been read, with the chunks that the model wrote.

    Raises:
      BitstreamError: if it is not of these weights, or holds something else.
    """
    header = stream.header
    if stream.pixels is not None:
      return pixel_codec.checked(stream, max_pixels)
    self.check_weights(header)
    check_pixels(header, 1, max_pixels)
    chunks = profile_of(self.model, header).unpack(stream)
    check_pixels(header, len(chunks), max_pixels, sum(map(len, stream.planes.values())))
    return stream._replace(chunks=chunks)

  def decode_stream(self, stream, iterations=None, depth=None, region=None, jobs=1):
    """Returns the image of a `bitstream.Stream` of `read`.

    Args:
      stream: `bitstream.Stream`.
      iterations, depth, region, jobs: as of `decode`.
    """
    if stream.pixels is not None:
      return pixel_codec.decode(stream, iterations, depth, region)
    header = stream.header
    box = region and tiles.box_of(region, header.height, header.width)
    chunks = first_iterations(stream.chunks, iterations)
    deep = None if iterations or depth == 8 else planes.deep_picture(stream, box)
    if deep is not None:
      return planes.joined(deep, stream, box)
    return planes.joined(self._picture(header, chunks, box, jobs), stream, box)

  def picture(self, file, jobs=1):
    """Returns the picture of 8 bits, without planes, of a `File` that a model coded."""
    return self._picture(file.header, file.chunks, None, jobs)

  def _picture(self, header, chunks, box, jobs):
    """Returns what the model decodes, uint8 (H, W, 1 or 3), or a `Box` of it."""
    with self.coding(BitstreamError, header):
      if "tile" in header.settings:
        return self.model.tiling.decompress(chunks, header, box, jobs)
      image = self.model.decompress(chunks, header)
    return box.of(image) if box else image

  def _chunks_towards(self, image, settings, options, profile):
    """Returns the chunks of the file that meets a target, or comes nearest."""
    chunks = []
    for chunk, decoded in self.model.compress_progressively(image, settings):
      size = len(profile.pack([*chunks, chunk], options))
      if options.target_bytes is not None and size > options.target_bytes:
        break
      chunks.append(chunk)
      if options.target_psnr is not None and (
          metrics.psnr(image, decoded) >= options.target_psnr):
        break
      if options.target_ms_ssim is not None and (
          (metrics.compare(image, decoded).ms_ssim or 1.0) >= options.target_ms_ssim):
        break
    if not chunks:
      raise UsageError(
          f"a file of one iteration takes {size} bytes, more than the "
          f"{options.target_bytes} asked for{options.note}")
    return chunks


def first_iterations(chunks, iterations):
  """Returns the chunks without iterations from number `iterations` on.

  Args:
    chunks: of a file.
    iterations: how many to keep; None for all.

  Raises:
    UsageError: if the file has none, or `iterations` is not positive.
  """
  if iterations is None:
    return chunks
  if iterations < 1:
    raise UsageError(f"iterations must be positive, got {iterations}")
  if not any(chunk.type in bitstream.ITERATIONS for chunk in chunks):
    raise UsageError("the file is not progressive, it has no iterations")
  return [chunk for chunk in chunks
          if chunk.type not in bitstream.ITERATIONS or chunk.index < iterations]
