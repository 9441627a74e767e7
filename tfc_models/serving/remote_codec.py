"""The range coder of the split flavour, whose networks run at a server."""

import io
import zipfile

import numpy as np
import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import bitstream, registry
from tfc_models.codecs.profiles import Standard
from tfc_models.entropy_models import StringReader
from tfc_models.errors import BitstreamError, UsageError
from tfc_models.export import transport
from tfc_models.modeling import base
from tfc_models.modeling.model import written


class RemoteCodec:
  """Turns what a split export answers into files, and files into its requests.

  Args:
    info: dict of the export, of its signature `codec`.
    tables: bytes of the tables of the range coder, likewise.

  Raises:
    UsageError: if they are not of a model that this version knows.
  """

  def __init__(self, info, tables):
    try:
      # Its networks get no variables, as nothing runs through them.
      self._model = registry.create(info["model"], **info["arguments"])
      self._leaves = self._model.latent_codec.leaves()
      with np.load(io.BytesIO(tables)) as arrays:
        for leaf in self._leaves:
          leaf.tables.assign(*(
              arrays[f"{leaf.name}/{part}"].astype(np.int32)
              for part in ("cdf", "cdf_offset")))
          leaf.tables.check()
      self._decoders = list(info["decoders"])
      self._sizes = list(zip(
          info["depths"], [0, *info["evidence_depths"]], info["factors"]))
      if info["latents"] != [leaf.name for leaf in self._leaves] or (
          len(self._sizes) != len(self._leaves)
          or len(self._decoders) != len(self._leaves) - 1):
        raise ValueError("other latents")
    except (KeyError, TypeError, ValueError, AttributeError, OSError, EOFError,
            zipfile.BadZipFile) as error:
      raise UsageError(
          "the server describes a model that this version cannot code: "
          f"{type(error).__name__}: {error}") from None
    self._info = info

  def header(self, height, width, channels):
    """Returns the `bitstream.Header` of the files of an image's size."""
    info = self._info
    return bitstream.Header(
        info["model"], bytes.fromhex(info["fingerprint"]), height, width, channels,
        settings=info["settings"])

  def write(self, outputs):
    """Returns the bytes of a `.tfcm` file.

    Args:
      outputs: what the signature `encode` gave, a dict from name to a list of bytes
        or an array.

    Raises:
      UsageError: if they make no sense.
    """
    try:
      header = self.header(*map(int, outputs["shape"][0]))
      strings = [
          self._write(number, outputs, header) for number in range(len(self._leaves))]
      return bitstream.write(header, [written(base.latent_chunk(strings))])
    except (KeyError, ValueError, BitstreamError,
            tf.errors.InvalidArgumentError) as error:
      raise _nonsense(error) from None

  def read(self, stream, ask):
    """Returns the bytes of an image file that a server decodes.

    Args:
      stream: `bitstream.Stream` of these weights.
      ask: function of a signature, a dict of inputs and the name of the output to
        that, bytes.

    Raises:
      BitstreamError: if the stream is not what the model writes.
    """
    header = stream.header
    chunks = Standard(self._model, header).unpack(stream)
    reader = StringReader(base.latent_strings(chunks, len(self._leaves)))
    known = {"shape": np.int32([[header.height, header.width, header.channels]])}
    for number, leaf in enumerate(self._leaves):
      shape = self._shape(number, header)
      packed = number and ask(
          self._decoders[number - 1], known, f"{leaf.name}_indexes_bytes")
      try:
        evidence = self._evidence(number, packed, header)
        symbols = leaf.read(reader, reader.take(leaf), tf.constant(shape), evidence)
        known[f"{leaf.name}_symbols_bytes"] = [
            transport.pack_symbols(symbols[0]).numpy()]
      except tf.errors.InvalidArgumentError as error:
        raise BitstreamError(
            f"the stream makes no sense to its model ({_reason(error)})") from None
      except ValueError as error:
        raise _nonsense(error) from None
    return ask("decode", known, "image_bytes")

  def _write(self, number, outputs, header):
    """Returns the string of a latent, a (1,) tensor."""
    leaf = self._leaves[number]
    (packed,) = outputs[f"{leaf.name}_symbols_bytes"]
    symbols = transport.unpack_symbols(packed, self._sizes[number][0])[None]
    _check(symbols, self._shape(number, header))
    (packed,) = outputs[f"{leaf.name}_indexes_bytes"] if number else (None,)
    return leaf.write(symbols, self._evidence(number, packed, header))

  def _evidence(self, number, packed, header):
    """Returns what selects the tables of a latent, as of `SymbolCodec.evidence`."""
    shape = self._shape(number, header)
    if not number:
      return self._leaves[0].evidence(None, shape)
    depth = self._sizes[number][1]
    evidence = transport.unpack_indexes(packed, depth)[None]
    _check(evidence, [*shape[:-1], depth])
    return evidence

  def _shape(self, number, header):
    """Returns the shape, (B, H, W, C), of a latent."""
    depth, _, factor = self._sizes[number]
    return [1, *self._model.latent_shape(header, factor, depth)]


def _check(tensor, shape):
  """Raises ValueError unless a tensor has a shape."""
  if tensor.shape.as_list() != shape:
    raise ValueError(f"{tensor.shape.as_list()} values, wanted {shape}")


def _reason(error):
  return (getattr(error, "message", None) or str(error)).splitlines()[0]


def _nonsense(error):
  return UsageError(f"the server's answer makes no sense ({_reason(error)})")
