"""What is fuzzed: good streams, and readers that take what was made of them."""

import itertools
import random

from tests.conftest import make_image
from tests.fuzz import mutation
from tests.fuzz.requests import Requests
from tfc_models import bitstream, memory, pretrained
from tfc_models.errors import BitstreamError

SIZES = ((32, 32), (33, 50), (64, 96))
# Networks that run often: a few of their iterations say as much as all.
_ITERATIONS = 3


class Structured:
  """All shipped weights in all profiles, and pictures without any, decoded.

  Args:
    names: of models, or "planes" for pictures that none codes; all by default.
  """

  def __init__(self, names=()):
    from tfc_models.codecs import (
      FileOptions,
      LearnedCodec,
      StreamDecoder,
      kind_of,
      pixel_codec,
      planes,
    )
    from tfc_models.modeling.settings import Settings
    self.decoder = StreamDecoder(max_pixels=2**15)
    entries = [entry for entry in pretrained.manifest()
               if kind_of(pretrained.weight_path(entry)) == "image" and (
                   not names or entry["name"] in names)]
    self.fingerprints = [bytes.fromhex(e["fingerprint"]) for e in entries] or [bytes(4)]
    self.streams = []  # One list for each weights.
    for entry in entries:
      codec = LearnedCodec.from_file(
          pretrained.weight_path(entry), entry["quality"])
      whole = {} if "progressive" not in codec.model.capabilities else {
          "iterations": _ITERATIONS}
      ways = [(whole, {})]
      if whole:
        ways += [(whole, {"thumbnail": True}), ({**whole, "raw_bits": True}, {})]
        if codec.model.binary_rnn or codec.model.code_factor == (
            codec.model.downsampling_factor):
          ways.append(({**whole, "tile_psnr": 24.0}, {}))
      self.streams.append([
          codec.encode(make_image(*size, channels), Settings(**settings),
                       FileOptions(**options))
          for size, channels, (settings, options)
          in itertools.product(SIZES, (3, 1), ways)])
    if not names or "planes" in names:
      self.streams.append([
          pixel_codec.file_of(
              planes.taken_apart(make_image(*size, channels).astype(dtype) * scale),
              FileOptions()).data
          for size, channels, (dtype, scale) in itertools.product(
              SIZES, (4, 3, 1), (("uint8", 1), ("uint16", 257), ("uint16", 129)))])
    memory.reset_peak()
    for data in itertools.chain(*self.streams):
      self.decoder.decode(data)
    self.honest_mib = memory.peak_mib()

  def make(self, seed):
    """Returns the bytes of the case of a number."""
    chance = random.Random(seed)
    data = chance.choice(chance.choice(self.streams))
    return mutation.structured(data, chance, self.fingerprints)

  def take(self, data):
    """Returns what came out; whatever else than a BitstreamError is raised."""
    partial = len(data) % 2 == 0
    try:
      codec, stream = self.decoder.open(data, allow_partial=partial)
      if data[-1] % 4 or stream.pixels is not None:
        codec.decode_stream(stream)
      else:
        for _ in codec.model.decompress_progressively(
            stream.chunks, stream.header):
          pass
    except BitstreamError as error:
      return type(error).__name__
    return "picture"


class Raw:
  """The container alone, which notices every accident."""

  honest_mib = 0.0

  def __init__(self, names=()):
    chance = random.Random(0)
    chunks = [
        bitstream.Chunk(kind, t, tuple(
            chance.randbytes(size) for size in (40, 300)[:2 - (kind == 2)]))
        for kind in (1, 2, 3) for t in range(2)]
    header = bitstream.Header(
        "some-model", b"abcd", 64, 96, settings={"quality": 50, "model": b"xyz"})
    self.files = [
        bitstream.write(header, chunks[:1]),
        bitstream.write(header, chunks[2:4], {"icc": bytes(100)}),
        bitstream.write(header, chunks[4:]),
        bitstream.write(header, [bitstream.nest(
            bitstream.FRAME, 0, [bitstream.nest(bitstream.TILE, 0, chunks[:2])])])]
    self.thumbnail = bitstream.write(
        bitstream.Header("", b"abc", 32, 32, thumbnail=True), chunks[2:4])

  def make(self, seed):
    """Returns the bytes of the case of a number."""
    chance = random.Random(seed)
    data = chance.choice([*self.files, self.thumbnail])
    if chance.randrange(2):
      return mutation.structured(data, chance, [b"abcd"])
    return mutation.damaged(data, chance.choice(self.files), chance)

  def take(self, data):
    """Returns what came out; whatever else than a BitstreamError is raised."""
    try:
      stream = bitstream.read(data, allow_partial=len(data) % 2 == 0)
      bitstream.overhead(data, stream)
    except BitstreamError as error:
      return type(error).__name__
    return "stream"


KINDS = {"structured": Structured, "raw": Raw, "requests": Requests}
