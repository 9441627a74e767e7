"""Codes images with what a model server serves."""

import threading

from tfc_models import bitstream
from tfc_models.codecs import pixel_codec, planes
from tfc_models.codecs.base import check_image
from tfc_models.codecs.checks import MAX_PIXELS, check_pixels, check_weights
from tfc_models.datasets.files import (
    JPEG_MAGIC,
    PNG_MAGIC,
    image_bytes,
    read_image,
)
from tfc_models.errors import (
    BitstreamError,
    ImageError,
    UsageError,
    WrongWeightsError,
)
from tfc_models.serving import address, channels
from tfc_models.serving.asking import Call, Served, sole
from tfc_models.serving.status import ServingError

TIMEOUT = 60.0
RETRIES = 5
# How files begin that exports read; others are read here, and sent as PNG.
_READ_BY_EXPORTS = (PNG_MAGIC, JPEG_MAGIC)


class Client:
  """Codes images by an export of `tfcm export` at a server of TensorFlow's API.

  Of the full flavour the server does all, and nothing here needs TensorFlow; of the
  split flavour the range coder runs here. Any number of threads may use it at a time.

  Args:
    server: SCHEME://HOST:PORT[/MODEL], see `address.read`; the scheme is grpc or http,
      grpcs or https.
    model: name of the model where the URL has none.
    timeout: seconds that one image may take, with all attempts.
    retries: further attempts while the server cannot be reached or is overloaded.
    ca: path of the certificates in PEM that the server's must come from.
    max_pixels: files of larger images are refused.

  Raises:
    UsageError: if these are not what they should be.
  """

  def __init__(self, server, model=None, *, timeout=TIMEOUT, retries=RETRIES,
               ca=None, max_pixels=MAX_PIXELS):
    if not timeout > 0:
      raise UsageError(f"timeout must be positive, got {timeout}")
    self._address = address.read(server, model)
    self._channel = channels.connect(self._address, ca)
    self._timeout, self._retries = timeout, retries
    self._max_pixels = max_pixels
    self._served = None
    self._lock = threading.Lock()

  @property
  def info(self):
    """What the export says of itself: a dict of flavor, model, fingerprint ..."""
    return self._work(lambda predict, served: served.info)

  def compress(self, image, name="image"):
    """Returns the bytes of a `.tfcm` file.

    Args:
      image: uint8 array (H, W, 3), (H, W, 1) or (H, W), or bytes of an image file.
      name: what to call it in messages.

    Raises:
      ImageError: if it cannot be coded.
      UsageError: if the server does not answer in time, or not as it should.
    """
    if not isinstance(image, bytes):
      image = image_bytes(check_image(image), "PNG", name)
    elif not image.startswith(_READ_BY_EXPORTS):
      image = image_bytes(read_image(image, name), "PNG", name)

    def work(predict, served):
      outputs = predict("encode", {"image_bytes": [image]}, "bitstream_bytes")
      if served.codec:
        return served.codec.write(outputs)
      return sole(outputs, "bitstream_bytes")

    return self._work(work, ImageError)

  def decompress(self, data, depth=None):
    """Returns the image, uint8 (H, W, 1 to 4), of the bytes of a `.tfcm` file.

    Transparency is decoded here, servers know none, and so are uint16 samples.

    Args:
      data: bytes.
      depth: as of `codecs.LearnedCodec.decode`.

    Raises:
      BitstreamError: if it is damaged, too large, or of other weights than the
        server's.
      UsageError: if the server does not answer in time, or not as it should.
    """
    stream = bitstream.read(data)
    header = stream.header
    if stream.pixels is not None:  # No server has to be asked.
      return pixel_codec.decode(
          pixel_codec.checked(stream, self._max_pixels), depth=depth)
    if any(chunk.type == bitstream.TILE for chunk in stream.chunks):
      raise BitstreamError(
          "the stream is in tiles, which servers do not decode; do it without one")
    check_pixels(header, len(stream.chunks), self._max_pixels)
    deep = None if depth == 8 else planes.deep_picture(stream)
    if deep is not None:
      return planes.joined(deep, stream)
    if stream.planes:
      data = bitstream.write(header, stream.chunks)

    def work(predict, served):
      def ask(signature, inputs, output):
        return sole(predict(signature, inputs, output), output)

      check_weights(
          header, served.info["model"], bytes.fromhex(served.info["fingerprint"]))
      if served.codec:
        return served.codec.read(stream, ask)
      return ask("decode", {"bitstream_bytes": [data]}, "image_bytes")

    image = read_image(
        self._work(work, BitstreamError), str(self._address), self._max_pixels)
    wanted = header.height, header.width, header.channels
    if image.shape != wanted:
      raise UsageError(
          f"{self._address}: an image of {image.shape}, wanted {wanted}")
    return planes.joined(image, stream)

  def close(self):
    """Ends the connections."""
    self._channel.close()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()

  def _work(self, work, error_type=UsageError):
    """Returns what work on one image gives.

    All its requests go to the version that was asked first, since tables of one do
    not go with symbols of another. Where that is gone, or has other weights than a
    file, they go to the one that is the latest now.

    Args:
      work: function of `predict`, which takes signature, inputs and sole as `Call`
        does and gives outputs, and of `Served`.
      error_type: of what the server says against the image or the file.
    """
    call = Call(self._channel, self._timeout, self._retries)
    served = self._latest(call)
    for is_last in (False, True):
      def predict(*request, version=served.version):
        return call.predict(*request, version)[0]

      try:
        return work(predict, served)
      except ServingError as error:
        if is_last or error.code != "NOT_FOUND" or served.version is None:
          raise self._told(error, error_type) from None
      except WrongWeightsError:
        if is_last:
          raise
      served = self._latest(call, gone=served)

  def _latest(self, call, gone=None):
    """Returns the `Served` that all threads use; another one than `gone`."""
    with self._lock:
      if self._served is None or self._served is gone:
        try:
          self._served = Served.of(call)
        except ServingError as error:
          raise self._told(error, UsageError) from None
        except UsageError as error:
          raise UsageError(f"{self._address}: {error}") from None
      return self._served

  def _told(self, error, error_type):
    """Returns the error of our families that stands for a `ServingError`."""
    if error.code == "DEADLINE_EXCEEDED":
      return UsageError(
          f"{self._address}: no answer within {self._timeout:g} seconds",
          argument="timeout")
    if error.code == "INVALID_ARGUMENT" and error_type is not UsageError:
      return error_type(str(error))
    return UsageError(f"{self._address}: {error} ({error.code})")
