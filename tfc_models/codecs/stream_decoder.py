"""Decodes streams by the weights that each names."""

import functools
import threading

from tfc_models import bitstream, pretrained, registry
from tfc_models.codecs import pixel_codec
from tfc_models.codecs.checks import MAX_PIXELS, check_pixels
from tfc_models.codecs.loading import open_weights
from tfc_models.errors import UnknownModelError, UsageError


class StreamDecoder:
  """Decodes any stream whose weights can be found; loads each weights once.

  TensorFlow is loaded with the first of them: pictures that no model codes need none.

  Args:
    model_path: files and folders to search besides the shipped weights.
    max_pixels: larger images are refused.
  """

  def __init__(self, model_path=(), max_pixels=MAX_PIXELS):
    self._model_path = tuple(model_path)
    self._max_pixels = max_pixels
    self._codecs = {}
    self._lock = threading.Lock()

  def decode(self, data, region=None):
    """Returns the image of a `.tfcm` file as `LearnedCodec.decode` does, or its frames.

    Args:
      data: bytes.
      region: as of `LearnedCodec.decode`, of an image.

    Raises:
      BitstreamError: if the file is damaged or its weights are not found.
    """
    codec, stream = self.open(data)
    if region is None:
      return codec.decode_stream(stream)
    if codec.kind != "image":
      raise UsageError(f"of a {codec.kind} there is no region")
    return codec.decode_stream(stream, region=region)

  def open(self, data, allow_partial=False):
    """Returns the codec that a file needs, and its `bitstream.Stream`."""
    return self.prepared(bitstream.read(data, allow_partial))

  def prepared(self, stream):
    """Returns the same of a `bitstream.Stream` that has been read."""
    if stream.pixels is not None:
      codec = pixel_codec.PixelCodec()
      return codec, codec.unpack(stream, self._max_pixels)
    check_pixels(stream.header, 1, self._max_pixels)
    codec = self._codec(stream.header)
    return codec, codec.unpack(stream, self._max_pixels)

  def _codec(self, header):
    import tfc_models.models  # noqa: F401 - Registers them.
    with self._lock:
      if header.fingerprint not in self._codecs:
        if header.model and header.model not in registry.names():
          raise UnknownModelError(
              f"the model {header.model!r} is unknown to this version")
        path = pretrained.find_by_fingerprint(
            header.fingerprint, self._model_path)
        self._codecs[header.fingerprint] = open_weights(path)
      return self._codecs[header.fingerprint]


@functools.lru_cache(maxsize=4)
def shared_decoder(model_path=()):
  """Returns the `StreamDecoder` of this process, which keeps all weights that it loaded.

  Args:
    model_path: tuple of files and folders to search besides the shipped weights.
  """
  return StreamDecoder(model_path)
