"""Learned codecs: a model, its weights, and the container."""

import dataclasses
import threading

from tfc_models import bitstream, pretrained, registry
from tfc_models.codecs.base import Codec, check_image
from tfc_models.errors import UnknownModelError, UsageError, WrongWeightsError
from tfc_models.models import weights
from tfc_models.models.base import Settings

DEFAULT_MODEL = "tfcm-base"


class LearnedCodec(Codec):
  """Codes images with a trained model into `.tfcm` files.

  Args:
    model: with coding tables, from `models.weights.load`.
    fingerprint: 4 bytes, of its weights.
    quality: what the weights stand for, noted in the header; None if unknown.
  """

  extension = ".tfcm"

  def __init__(self, model, fingerprint, quality=None):
    self.model = model
    self.fingerprint = fingerprint
    self.quality = quality
    self.name = model.registered_name + (
        "" if quality is None else f" q{quality}")

  @classmethod
  def from_file(cls, path, quality=None):
    """Returns the codec of a weight file."""
    model, info = weights.load(path)
    return cls(model, bytes.fromhex(info["fingerprint"]), quality)

  def encode(self, image, settings=None):
    image = check_image(image)
    bitstream.check_size(*image.shape[:2])
    settings = settings or Settings()
    if settings.quality is None:
      settings = dataclasses.replace(settings, quality=self.quality)
    elif "quality" not in self.model.capabilities and (
        settings.quality != self.quality):
      raise UsageError(
          f"{self.name} was trained for one rate, it cannot code at quality "
          f"{settings.quality}; load other weights")
    chunks = self.model.compress(image, settings)
    height, width, channels = image.shape
    noted = {} if settings.quality is None else {"quality": settings.quality}
    header = bitstream.Header(
        self.model.registered_name, self.fingerprint, height, width, channels,
        settings=noted)
    return bitstream.write(header, chunks)

  def decode(self, data):
    """Returns the image of a `.tfcm` file.

    Raises:
      BitstreamError: if the file is damaged, or made with other weights.
    """
    header, chunks = bitstream.read(data)
    return self.decode_chunks(header, chunks)

  def decode_chunks(self, header, chunks):
    """Returns the image of a file that has been read already."""
    if header.fingerprint != self.fingerprint:
      raise WrongWeightsError(
          f"the stream was made with weights {header.fingerprint.hex()}, "
          f"these are {self.fingerprint.hex()}")
    return self.model.decompress(chunks, header)


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

  def open(self, data):
    """Returns the codec that a stream needs, its header and its chunks."""
    header, chunks = bitstream.read(data)
    return self._codec(header), header, chunks

  def _codec(self, header):
    with self._lock:
      if header.fingerprint not in self._codecs:
        if header.model not in registry.names():
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

  Raises:
    UsageError: if there are no such weights.
  """
  path, quality = pretrained.find_by_name(name, quality)
  return LearnedCodec.from_file(path, quality)
