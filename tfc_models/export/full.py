"""The full flavour: bytes of an image in, bytes of a stream out, and back.

All of a codec in graphs, container and range coder too. They need the operations of
`tensorflow_compression` where they run.
"""

import dataclasses
import json

import tensorflow as tf

from tfc_models import bitstream
from tfc_models.codecs.checks import MAX_PIXELS
from tfc_models.codecs.file_options import FileOptions
from tfc_models.export import frozen, images
from tfc_models.export.container import Container
from tfc_models.export.signatures import STRING, concrete, each, info, strings
from tfc_models.modeling.settings import Settings


class Full:
  """A codec as functions of constants, and signatures around them.

  Args:
    codec: `codecs.LearnedCodec`.
    max_pixels: larger images and streams are refused.

  Attributes:
    sequence: the signatures on batches of strings, in the order of a round trip; they
      are warmed up.
    facts: dict, what a client must know beside what holds for all flavours.
  """

  sequence = ("serving_default", "encode", "decode")

  def __init__(self, codec, max_pixels=MAX_PIXELS):
    self.facts = {}
    self._max_pixels = max_pixels
    model = codec.model
    self._factor = model.downsampling_factor
    settings, noted = codec.checked_settings(Settings(effort=1), FileOptions())
    header = bitstream.Header(
        model.registered_name, codec.fingerprint, 1, 1, settings=noted)
    written = []

    def to_strings(x):
      chunks = model.encode(x, settings)
      written[:] = [chunk._replace(strings=(b"",) * len(chunk.strings))
                    for chunk in chunks]
      return [[tf.reshape(string, []) for string in chunk.strings]
              for chunk in chunks]

    self._to_strings = frozen.function(
        to_strings, [tf.TensorSpec([1, None, None, 3], name="x")])
    template = _longest(model, written)
    self._container = Container(header, template)

    def to_image(strings_of_chunks, count, height, width):
      return model.decode_first(
          [chunk._replace(strings=tuple(some))
           for chunk, some in zip(template, strings_of_chunks)],
          count, dataclasses.replace(header, height=height, width=width))

    self._to_image = frozen.function(to_image, [
        [[tf.TensorSpec([], tf.string)] * len(chunk.strings) for chunk in template],
        *[tf.TensorSpec([], tf.int32)] * 3])

  def signatures(self, facts):
    """Returns name to concrete function.

    Args:
      facts: dict that describes the export, which `codec` answers.
    """
    @tf.function(autograph=False, input_signature=[strings("image_bytes")])
    def encode(image_bytes):
      return each({"bitstream_bytes": STRING}, lambda data: [
          self._encode(images.decode(data, self._max_pixels))], image_bytes)

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([None, None, None, 3], tf.uint8, "image")])
    def encode_tensors(image):
      return each({"bitstream_bytes": STRING},
                  lambda one: [self._encode(one)], image)

    @tf.function(autograph=False, input_signature=[strings("bitstream_bytes")])
    def decode(bitstream_bytes):
      return each({"image_bytes": STRING}, lambda data: [
          images.encode(self._decode(data))], bitstream_bytes)

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([], tf.string, "bitstream_bytes")])
    def decode_tensors(bitstream_bytes):
      return {"image": self._decode(bitstream_bytes)}

    return concrete({
        "serving_default": encode, "encode": encode, "decode": decode,
        "encode_tensors": encode_tensors, "decode_tensors": decode_tensors,
        "codec": info(info_bytes=json.dumps(facts).encode())})

  def _encode(self, image):
    """Returns the bytes of a file, a scalar, of uint8 (H, W, 1 or 3)."""
    height, width, channels = tf.unstack(tf.shape(image))
    return self._container.write(
        height, width, channels,
        self._to_strings(images.to_batch(image, self._factor)))

  def _decode(self, data):
    """Returns uint8 (H, W, 1 or 3) of the bytes of a file, a scalar."""
    file = self._container.read(data, self._max_pixels)
    x_hat = self._to_image(file.strings, file.count, file.height, file.width)
    return images.from_batch(x_hat, file.height, file.width, file.channels)


def _longest(model, chunks):
  """Returns the chunks of the longest file of a model, given those of any."""
  if "progressive" not in model.capabilities:
    return list(chunks)
  return [chunks[0]._replace(index=t) for t in range(model.iterations)]
