"""The split flavour: networks behind a server, the range coder at its clients.

    encode: image -> symbols of all latents, and what selects the tables of all but the
      first, whose tables do not depend on the image
    hyper_decode: symbols of z -> indexes of the tables of y
    decode: symbols of all latents -> image

Core operations of TensorFlow only, so that any runtime takes it.
"""

import io
import json

import numpy as np
import tensorflow as tf

from tfc_models import bitstream
from tfc_models.codecs.checks import MAX_PIXELS
from tfc_models.entropy_models import EvidenceReader
from tfc_models.errors import UsageError
from tfc_models.export import frozen, images, transport
from tfc_models.export.signatures import STRING, concrete, each, info, strings
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.ops.checks import after

_SHAPE = tf.TensorSpec([3], tf.int32, "shape")


def check(model):
  """Raises UsageError unless a model has a split form."""
  codec = getattr(model, "latent_codec", None)
  if not isinstance(model, TransformModel) or any(
      getattr(part, "takes_turns", False) for part in [codec, *codec.submodules]):
    raise UsageError(
        f"{model.registered_name} has no split form, since its networks and the range "
        "coder take turns", argument="flavor")
  if "quality" in model.capabilities:
    raise UsageError(
        f"{model.registered_name} has no split form, since its networks depend on the "
        "quality, which no signature has", argument="flavor")


class Split:
  """The networks of a codec as functions of constants, and signatures around them.

  Args:
    codec: `codecs.LearnedCodec`.
    max_pixels: larger images are refused.

  Attributes:
    sequence: the signatures on strings, in the order in which a client calls them.
    facts: dict, what a client must know of the latents.
    tables: bytes of an npz file, those of the range coder.

  Raises:
    UsageError: if the model has no split form.
  """

  def __init__(self, codec, max_pixels=MAX_PIXELS):
    check(codec.model)
    self._max_pixels = max_pixels
    self.tables = _tables(codec.model)
    self._networks = Networks(codec.model)
    names = self._names = self._networks.names
    decoders = [_decoder(number) for number in range(len(names) - 1)]
    self.sequence = ["serving_default", "encode", *decoders, "decode"]
    self.facts = dict(
        latents=names, depths=self._networks.depths,
        factors=self._networks.factors,
        evidence_depths=self._networks.evidence_depths, decoders=decoders)

  def signatures(self, facts):
    """Returns name to concrete function, on strings and on tensors.

    Args:
      facts: dict that describes the export; `codec` answers it with the tables.
    """
    found = self._of_strings()
    return concrete({
        "serving_default": found["encode"], **found,
        **{f"{name}_tensors": function
           for name, function in self.of_tensors().items()},
        "codec": info(info_bytes=json.dumps(facts).encode(),
                      tables_bytes=self.tables)})

  def of_tensors(self):
    """Returns name to `tf.function` of images and latents as tensors, of equal sizes."""
    names, networks = self._names, self._networks
    specs = [tf.TensorSpec([None, None, None, depth], tf.int32, f"{name}_symbols")
             for name, depth in zip(names, networks.depths)]

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([None, None, None, 3], tf.uint8, "image")])
    def encode(image):
      symbols, evidence = networks.encode(images.to_padded(image, networks.factor))
      return {
          **{f"{name}_symbols": some for name, some in zip(names, symbols)},
          **{f"{name}_indexes": some for name, some in zip(names[1:], evidence)}}

    def evidence_of(number):
      @tf.function(autograph=False, input_signature=[_SHAPE, *specs[:number + 1]])
      def signature(shape, *symbols):
        return {f"{names[number + 1]}_indexes": networks.evidence[number](
            *self._checked(shape), list(symbols))}

      return signature

    @tf.function(autograph=False, input_signature=[_SHAPE, *specs])
    def decode(shape, *symbols):
      height, width = self._checked(shape)
      x_hat = networks.decode(height, width, list(symbols))
      return {"image": images.cropped(x_hat, height, width)}

    return {"encode": encode,
            **{_decoder(number): evidence_of(number)
               for number in range(len(names) - 1)},
            "decode": decode}

  def _of_strings(self):
    names, networks = self._names, self._networks
    outputs = {
        **{f"{name}_symbols_bytes": STRING for name in names},
        **{f"{name}_indexes_bytes": STRING for name in names[1:]}, "shape": _SHAPE}

    @tf.function(autograph=False, input_signature=[strings("image_bytes")])
    def encode(image_bytes):
      def one(data):
        image = images.decode(data, self._max_pixels)
        symbols, evidence = networks.encode(images.to_batch(image, networks.factor))
        return [*(transport.pack_symbols(some[0]) for some in symbols),
                *(transport.pack_indexes(some[0]) for some in evidence),
                tf.shape(image)]

      return each(outputs, one, image_bytes)

    def unpacked(files):
      return [transport.unpack_symbols(data, depth)[None]
              for data, depth in zip(files, networks.depths)]

    def evidence_of(number):
      def one(shape, *files):
        return [transport.pack_indexes(networks.evidence[number](
            *self._checked(shape), unpacked(files))[0])]

      return _batched(names[:number + 1],
                      {f"{names[number + 1]}_indexes_bytes": STRING}, one)

    def image_of(shape, *files):
      height, width = self._checked(shape)
      x_hat = networks.decode(height, width, unpacked(files))
      return [images.encode(images.from_batch(x_hat, height, width, shape[2]))]

    return {"encode": encode,
            **{_decoder(number): evidence_of(number)
               for number in range(len(names) - 1)},
            "decode": _batched(names, {"image_bytes": STRING}, image_of)}

  def _checked(self, shape):
    """Returns height and width of a (3,) shape."""
    pixels = tf.reduce_prod(tf.cast(shape[:2], tf.int64))
    shape = after(
        tf.reduce_all(shape > 0) & (pixels <= self._max_pixels),
        f"the shape is of no image of up to {self._max_pixels} pixels", shape)
    return shape[0], shape[1]


class Networks:
  """The networks of a model between image and integers, as functions of constants.

  Attributes:
    names, depths: of the latents.
    factors: how much smaller each of them is a side than a padded image.
    evidence_depths: numbers of evidence of a site, of all latents but the first.
    factor: images are padded to multiples of it.
    encode: function of (B, H, W, 3) float, padded, to symbols of all latents and
      evidence of all but the first, int32, (B, h, w, c) each, a pair of lists.
    evidence: for each latent but the first a function of height, width and the
      symbols of those before it to its evidence.
    decode: function of height, width and the symbols of all latents to x_hat.
  """

  def __init__(self, model):
    codec = model.latent_codec
    leaves = codec.leaves()

    def shape(height, width):
      return model.latent_shape(
          bitstream.Header("", b"", height, width), model.factor, model.depth)

    def encode(x):
      coded, _ = codec.symbols(model.analyze(x))
      return [one.symbols for one in coded], [one.evidence for one in coded[1:]]

    def evidence(height, width, symbols):
      reader = EvidenceReader(symbols)
      return reader.evidence_after(
          lambda: codec.decode(reader, shape(height, width)))

    def decode(height, width, symbols):
      return model.synthesize(codec.from_symbols(symbols, shape(height, width)))

    self.names = [leaf.name for leaf in leaves]
    self.factor = model.downsampling_factor
    self.encode = frozen.function(
        encode, [tf.TensorSpec([None, None, None, 3], name="x")])
    found = self.encode(tf.zeros([1, self.factor, self.factor, 3]))
    self.depths, self.evidence_depths = (
        [tensor.shape[-1] for tensor in tensors] for tensors in found)
    self.factors = [self.factor // tensor.shape[1] for tensor in found[0]]
    sizes = [tf.TensorSpec([], tf.int32)] * 2
    symbols = [tf.TensorSpec([None, None, None, depth], tf.int32)
               for depth in self.depths]
    self.evidence = [
        frozen.function(evidence, [*sizes, symbols[:count]])
        for count in range(1, len(leaves))]
    self.decode = frozen.function(decode, [*sizes, symbols])


def _tables(model):
  """Returns the bytes of an npz file: NAME/cdf and NAME/cdf_offset of each latent."""
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **{
      f"{leaf.name}/{part}": getattr(leaf.tables, part).numpy()
      for leaf in model.latent_codec.leaves() for part in ("cdf", "cdf_offset")})
  return buffer.getvalue()


def _decoder(number):
  """Returns the name of the signature that says what selects tables of a latent."""
  return "hyper_decode" if number == 0 else f"hyper_decode_{number + 1}"


def _batched(names, outputs, function):
  """Returns the signature of a function of the shape and the symbols of latents."""
  @tf.function(autograph=False, input_signature=[
      tf.TensorSpec([None, 3], tf.int32, "shape"),
      *(strings(f"{name}_symbols_bytes") for name in names)])
  def signature(shape, *files):
    return each(outputs, function, shape, *files)

  return signature
