"""Learned codecs: a model, its weights, and the container."""

import dataclasses
import threading

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import bitstream, metrics, pretrained, registry
from tfc_models.codecs.base import Codec, check_image
from tfc_models.errors import (
    BitstreamError,
    UnknownModelError,
    UsageError,
    WrongWeightsError,
)
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings

DEFAULT_MODEL = "tfcm-base"


class LearnedCodec(Codec):
  """Codes images with a trained model into `.tfcm` files.

  Args:
    model: with coding tables, from `modeling.weights.load`.
    fingerprint: 4 bytes, of its weights.
    quality: what the weights stand for, noted in the header; None if unknown.
    iterations: of progressive models, what settings that say nothing else mean.
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

  def encode(self, image, settings=None):
    """As of `Codec`; `settings` is a `modeling.settings.Settings`.

    Raises:
      UsageError: if the model cannot do what they ask for.
    """
    image = check_image(image)
    bitstream.check_size(*image.shape[:2])
    settings = self._settings(settings or Settings())
    # Where something else says how many iterations there are, quality does not.
    noted = settings.quality is not None and (
        settings.iterations, settings.target_bytes, settings.target_psnr
    ) == (None,) * 3
    height, width, channels = image.shape
    header = bitstream.Header(
        self.model.registered_name, self.fingerprint, height, width, channels,
        settings={"quality": settings.quality} if noted else {})
    if settings.thumbnail:
      if max(height, width) > bitstream.THUMBNAIL_SIDE:
        raise UsageError(
            f"an image of {width}x{height} is no thumbnail (sides of at most "
            f"{bitstream.THUMBNAIL_SIDE} pixels)")
      header = dataclasses.replace(header, thumbnail=True)
    if settings.target_bytes is None and settings.target_psnr is None:
      return self._write(header, self.model.compress(image, settings))
    return self._encode_towards(image, settings, header)

  def decode(self, data, iterations=None, allow_partial=False):
    """Returns the image of a `.tfcm` file.

    Args:
      data: bytes.
      iterations: decode so many of a progressive file, and no more.
      allow_partial: whether a file that was cut may be decoded as far as it goes.

    Raises:
      BitstreamError: if the file is damaged, or made with other weights.
    """
    header, chunks = self.read(data, allow_partial)
    return self.model.decompress(first_iterations(chunks, iterations), header)

  def decode_progressively(self, data, allow_partial=False):
    """Yields the image of a file after each iteration; others yield once."""
    header, chunks = self.read(data, allow_partial)
    return self.model.decompress_progressively(chunks, header)

  def read(self, data, allow_partial=False):
    """Returns the header of a file made with these weights, and its chunks.

    Raises:
      BitstreamError: if the file is damaged, or made with other weights.
    """
    header, chunks = bitstream.read(data, allow_partial)
    self._check(header)
    return header, self.unpack(header, chunks)

  def decode_chunks(self, header, chunks):
    """Returns the image of a file that has been read, and unpacked, already."""
    self._check(header)
    return self.model.decompress(chunks, header)

  def unpack(self, header, chunks):
    """Returns the chunks of a file that has been read, one for each iteration.

    Raises:
      BitstreamError: if a thumbnail holds none.
    """
    if not header.thumbnail:
      return chunks
    size = self.model.iteration_bytes(header.height, header.width)
    ((payload,),) = (chunk.strings for chunk in chunks)
    if not size or len(payload) < size:
      raise BitstreamError(
          f"a thumbnail of {len(payload)} bytes holds no iteration of its model")
    return [
        bitstream.Chunk(
            bitstream.ITERATION, t, (payload[t * size:(t + 1) * size],))
        for t in range(len(payload) // size)]

  def _write(self, header, chunks):
    """Returns the bytes of a file, with iterations of one size in a thumbnail."""
    if header.thumbnail:
      size = self.model.iteration_bytes(header.height, header.width)
      if size is None:
        raise UsageError(f"{self.name} makes no thumbnails")
      chunks = [
          chunk._replace(strings=(chunk.strings[0].ljust(size, b"\0"),))
          for chunk in chunks]
    return bitstream.write(header, chunks)

  def _settings(self, settings):
    """Returns settings with our quality, checked."""
    capabilities = self.model.capabilities
    if settings == Settings():
      settings = Settings(iterations=self.iterations)
    for name in ("iterations", "target_bytes", "target_psnr", "tile_psnr",
                 "raw_bits", "thumbnail"):
      value = getattr(settings, name)
      if value is None or value is False:
        continue
      if "progressive" not in capabilities:
        raise UsageError(
            f"{self.name} is not progressive, it takes no {name}")
      if value <= 0:
        raise UsageError(f"{name} must be positive, got {value}")
    if settings.quality is None:
      return dataclasses.replace(settings, quality=self.quality)
    if "quality" not in capabilities and settings.quality != self.quality:
      raise UsageError(
          f"{self.name} was trained for one rate, it cannot code at quality "
          f"{settings.quality}; load other weights")
    return settings

  def _encode_towards(self, image, settings, header):
    """Returns the file that meets a target, or comes nearest to it."""
    chunks, data = [], None
    for chunk, decoded in self.model.compress_progressively(image, settings):
      longer = self._write(header, [*chunks, chunk])
      if settings.target_bytes is not None and (
          len(longer) > settings.target_bytes):
        break
      chunks.append(chunk)
      data = longer
      if settings.target_psnr is not None and (
          metrics.psnr(image, decoded) >= settings.target_psnr):
        break
    if data is None:
      raise UsageError(
          f"a file of one iteration takes {len(longer)} bytes, more than the "
          f"{settings.target_bytes} asked for")
    return data

  def _check(self, header):
    if not self.fingerprint.startswith(header.fingerprint):
      raise WrongWeightsError(
          f"the stream was made with weights {header.fingerprint.hex()}, "
          f"these are {self.fingerprint.hex()}")


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


class StreamDecoder:
  """Decodes any stream whose weights can be found; loads each weights once.

  Args:
    model_path: files and folders to search besides the shipped weights.
  """

  def __init__(self, model_path=()):
    self._model_path = tuple(model_path)
    self._codecs = {}
    self._lock = threading.Lock()

  def decode(self, data):
    """Returns the uint8 image (H, W, 1 or 3) of a `.tfcm` file.

    Raises:
      BitstreamError: if the file is damaged or its weights are not found.
    """
    codec, header, chunks = self.open(data)
    return codec.decode_chunks(header, chunks)

  def open(self, data, allow_partial=False):
    """Returns the codec that a stream needs, its header and its chunks."""
    header, chunks = bitstream.read(data, allow_partial)
    codec = self._codec(header)
    return codec, header, codec.unpack(header, chunks)

  def _codec(self, header):
    with self._lock:
      if header.fingerprint not in self._codecs:
        if header.model not in registry.names() and not header.thumbnail:
          raise UnknownModelError(
              f"the model {header.model!r} is unknown to this version")
        path = pretrained.find_by_fingerprint(
            header.fingerprint, self._model_path)
        self._codecs[header.fingerprint] = LearnedCodec.from_file(path)
      return self._codecs[header.fingerprint]


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
