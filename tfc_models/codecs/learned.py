"""Learned codecs: a model, its weights, and the container."""

import contextlib
import dataclasses

import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import bitstream, metrics, pretrained
from tfc_models.codecs.base import Codec, check_image
from tfc_models.codecs.file_options import File, FileOptions
from tfc_models.codecs.profiles import profile_of
from tfc_models.errors import (
    BitstreamError,
    ImageError,
    TooLargeError,
    UsageError,
    WrongWeightsError,
)
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings

DEFAULT_MODEL = "tfcm-base"
# What decoders accept unless told otherwise: a few bytes may claim a picture that
# takes minutes and all memory. A file of iterations takes as long as so many
# pictures; the first four are free.
MAX_PIXELS = 2**25
_FREE_ITERATIONS = 4


class LearnedCodec(Codec):
  """Codes images with a trained model into `.tfcm` files.

  Args:
    model: with coding tables, from `modeling.weights.load`.
    fingerprint: 4 bytes, of its weights.
    quality: what the weights stand for, noted in the header; None if unknown.
    iterations: of progressive models, how many there are where a call asks neither
      for iterations nor for a quality.
  """

  extension = ".tfcm"

  def __init__(self, model, fingerprint, quality=None, iterations=None):
    self.model = model
    self.fingerprint = fingerprint
    self.quality = quality
    self.iterations = iterations
    self.name = model.registered_name + (
        "" if quality is None else f" q{quality}")

  @classmethod
  def from_file(cls, path, quality=None, iterations=None):
    """Returns the codec of a weight file."""
    model, info = weights.load(path)
    return cls(
        model, bytes.fromhex(info["fingerprint"]), quality, iterations)

  def encode(self, image, settings=None, options=None):
    """As of `Codec`; arguments as of `encode_file`."""
    return self.encode_file(image, settings, options).data

  def encode_file(self, image, settings=None, options=None):
    """Returns the `File` of an image.

    Args:
      image: uint8 array (H, W, 3), (H, W, 1) or (H, W).
      settings: `modeling.settings.Settings`, what the model varies.
      options: `FileOptions`, what the file shall meet.

    Raises:
      UsageError: if the model cannot do what they ask for.
    """
    image = check_image(image)
    height, width, channels = image.shape
    try:
      bitstream.check_size(height, width)
    except BitstreamError as error:
      raise ImageError(str(error)) from None
    options = options or FileOptions()
    settings, noted = self._settings(settings or Settings(), options)
    header = bitstream.Header(
        self.model.registered_name, self.fingerprint, height, width, channels,
        settings=noted, thumbnail=options.thumbnail)
    profile = profile_of(self.model, header)
    profile.check(options.metadata)
    with self._coding(UsageError, header):
      if options.target_bytes is None and options.target_psnr is None:
        chunks = self.model.compress(image, settings)
      else:
        chunks = self._chunks_towards(image, settings, options, profile)
      return File(profile.pack(chunks, options.metadata), header, chunks)

  def decode(self, data, iterations=None, allow_partial=False,
             max_pixels=MAX_PIXELS):
    """Returns the image of a `.tfcm` file.

    Args:
      data: bytes.
      iterations: decode so many of a progressive file, and no more.
      allow_partial: whether a file that was cut may be decoded as far as it goes.
      max_pixels: larger images are refused.

    Raises:
      BitstreamError: if the file is damaged, or made with other weights.
    """
    stream = self.read(data, allow_partial, max_pixels)
    return self.decode_stream(stream, iterations)

  def decode_progressively(self, data, allow_partial=False,
                           max_pixels=MAX_PIXELS):
    """Yields the image of a file after each iteration; others yield once."""
    stream = self.read(data, allow_partial, max_pixels)
    with self._coding(BitstreamError, stream.header):
      yield from self.model.decompress_progressively(
          stream.chunks, stream.header)

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
    if not self.fingerprint.startswith(header.fingerprint):
      raise WrongWeightsError(
          f"the stream was made with weights {header.fingerprint.hex()}, "
          f"these are {self.fingerprint.hex()}")
    if header.model not in (self.model.registered_name, ""):
      raise WrongWeightsError(
          f"the stream names the model {header.model}, its weights are of "
          f"{self.model.registered_name}")
    check_pixels(header, 1, max_pixels)
    chunks = profile_of(self.model, header).unpack(stream)
    check_pixels(header, len(chunks), max_pixels)
    return stream._replace(chunks=chunks)

  def decode_stream(self, stream, iterations=None):
    """Returns the image of a `bitstream.Stream` of `read`.

    Args:
      stream: `bitstream.Stream`.
      iterations: as of `decode`.
    """
    chunks = first_iterations(stream.chunks, iterations)
    with self._coding(BitstreamError, stream.header):
      return self.model.decompress(chunks, stream.header)

  def _settings(self, settings, options):
    """Returns settings with our quality, checked, and what the header notes."""
    asked = {**vars(settings), **vars(options)}
    for name in ("iterations", "target_bytes", "target_psnr", "tile_psnr",
                 "raw_bits", "thumbnail"):
      value = asked[name]
      if value is None or value is False:
        continue
      if "progressive" not in self.model.capabilities:
        raise UsageError(
            f"{self.name} is not progressive, it takes no {name}")
      if not value > 0:
        raise UsageError(f"{name} must be positive, got {value}")
    if settings.quality is None:
      settings = dataclasses.replace(
          settings, quality=self.quality,
          iterations=settings.iterations or self.iterations)
    elif not 1 <= settings.quality <= 100:
      raise UsageError(f"quality must lie in 1..100, got {settings.quality}")
    elif settings.quality != self.quality and (
        "quality" not in self.model.capabilities):
      raise UsageError(
          f"{self.name} was trained for one rate, it cannot code at quality "
          f"{settings.quality}; load other weights")
    # Where something else says how many iterations there are, quality does not.
    decides = (settings.iterations, options.target_bytes, options.target_psnr
               ) == (None,) * 3 and settings.quality is not None
    if options.thumbnail:
      settings = dataclasses.replace(settings, raw_bits=True)
    return settings, {"quality": settings.quality} if decides else {}

  def _chunks_towards(self, image, settings, options, profile):
    """Returns the chunks of the file that meets a target, or comes nearest."""
    chunks = []
    for chunk, decoded in self.model.compress_progressively(image, settings):
      size = len(profile.pack([*chunks, chunk], options.metadata))
      if options.target_bytes is not None and size > options.target_bytes:
        break
      chunks.append(chunk)
      if options.target_psnr is not None and (
          metrics.psnr(image, decoded) >= options.target_psnr):
        break
    if not chunks:
      raise UsageError(
          f"a file of one iteration takes {size} bytes, more than the "
          f"{options.target_bytes} asked for")
    return chunks

  @contextlib.contextmanager
  def _coding(self, error_type, header):
    """Makes errors of networks and coders name the codec, or the image."""
    try:
      yield
    except UsageError as error:
      raise UsageError(f"{self.name}: {error}") from None
    except (MemoryError, tf.errors.ResourceExhaustedError):
      raise error_type(
          f"there is not enough memory for an image of {header.width}x"
          f"{header.height} pixels") from None
    except tf.errors.InvalidArgumentError as error:
      # Numbers that no sound weights or files give rise to, as that of a table.
      reason = str(error).splitlines()[0]
      raise error_type(
          f"{self.name}: the weights are damaged, a latent is not finite "
          f"({reason})" if error_type is UsageError else
          f"the stream makes no sense to its model ({reason})") from None


def check_pixels(header, iterations, max_pixels):
  """Raises TooLargeError if an image is more work than a limit allows.

  Args:
    header: `bitstream.Header`.
    iterations: of its file.
    max_pixels: of an image that is decoded once.
  """
  times = max(1, iterations / _FREE_ITERATIONS)
  if header.height * header.width * times > max_pixels:
    more = "" if times == 1 else f" in {iterations} iterations"
    raise TooLargeError(
        f"an image of {header.width}x{header.height}{more} is beyond the limit "
        f"of {max_pixels} pixels", argument="max_pixels")


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


def load(name=DEFAULT_MODEL, quality=None):
  """Returns a `LearnedCodec`.

  Args:
    name: registered name of shipped weights, training directory or weight
      file.
    quality: 1..100, the nearest shipped rate is taken (see `codec.quality`).
      Progressive models code as large a share of their iterations.

  Raises:
    UsageError: if there are no such weights, or they take no quality.
  """
  path, found = pretrained.find_by_name(name, quality)
  codec = LearnedCodec.from_file(path, found)
  if quality is not None:
    if "quality" in codec.model.capabilities:
      codec.quality = quality
    elif found is None:
      raise UsageError(
          f"{name}: a model trained for one rate takes no quality")
  return codec
