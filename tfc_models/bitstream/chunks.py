"""Chunks: pieces of a stream that are checked on their own, and may hold others."""

from typing import NamedTuple

from tfc_models.bitstream import reading, varint
from tfc_models.bitstream.reading import take
from tfc_models.errors import BitstreamError, TruncatedError

# Types with the bit ANCILLARY may be skipped by a reader that does not know
# them, others not.
LATENT = 1
ITERATION = 2
PREDICTED_ITERATION = 3
TILE = 4
PLANE = 5
FRAME = 6
# Beside the picture, but not to be skipped: it would look other without.
ALPHA = 7
# The picture itself, which no model codes.
PIXELS = 8
# Bit of the first byte of its first string: they come back as uint16.
DEEP_PIXELS = 4
ITERATIONS = frozenset([ITERATION, PREDICTED_ITERATION])
# These hold chunks. Each may hold those of lower types, so no depth is without
# end.
NESTS = frozenset([TILE, PLANE, FRAME])
PICTURE_TYPES = ITERATIONS | NESTS | {LATENT, PIXELS}
ANCILLARY = 0x80
METADATA = ANCILLARY | 1
# The picture once more, at all its bits a sample.
SAMPLES = ANCILLARY | 2
# Set in the type byte of the last chunk, so that a file cut between two chunks
# is noticed without storing its length in front.
FINAL = 0x40


class Chunk(NamedTuple):
  """A piece of a stream that is checked on its own.

  Attributes:
    type: 1..63, plus `ANCILLARY`.
    index: position among chunks of its kind: iteration, tile, frame ...
    strings: tuple of bytes, what the coder wrote.
  """

  type: int
  index: int
  strings: tuple


def write_chunk(chunk, final, seed):
  """Returns the bytes of a chunk with its checksum.

  Args:
    chunk: `Chunk`.
    final: whether it is the last of its file.
    seed: CRC-32 of the file's header, which its own continues, so that a chunk of
      another file does not pass.

  Raises:
    ValueError: if the type is out of range.
  """
  if chunk.type & FINAL or not 0 < chunk.type & ~ANCILLARY < FINAL:
    raise ValueError(f"`type` must be 1..63 or 129..191, got {chunk.type}.")
  payload = _write_strings(chunk.strings)
  body = bytes([chunk.type | (FINAL if final else 0)]) + varint.write(
      chunk.index) + varint.write(len(payload)) + payload
  return body + reading.checksum(body, seed)


def read_chunk(data, start, seed):
  """Returns the chunk at `start`, whether it is the last, and what follows.

  Raises:
    TruncatedError, ChecksumError, BitstreamError: as of `container.read`.
  """
  type_byte = take(data, start, 1)[0]
  index, position = varint.read(data, start + 1)
  length, position = varint.read(data, position)
  payload = take(data, position, length)
  position += length
  reading.check_sum(data, start, position, seed, f"the chunk at byte {start}")
  chunk = Chunk(
      type_byte & ~FINAL, index, _read_strings(payload, f"at byte {start}"))
  return chunk, bool(type_byte & FINAL), position + reading.CHECKSUM_SIZE


def nest(type, index, chunks):
  """Returns a chunk that holds chunks: a tile, a plane, a frame.

  Args:
    type: one of `NESTS`.
    index: position among chunks of its kind.
    chunks: list of `Chunk` of lower types.

  Raises:
    ValueError: if a type may not stand there.
  """
  if type not in NESTS or not all(
      chunk.type in PICTURE_TYPES and chunk.type < type for chunk in chunks):
    raise ValueError(
        f"a chunk of type {type} cannot hold {[chunk.type for chunk in chunks]}.")
  return Chunk(type, index, tuple(
      bytes([chunk.type]) + varint.write(chunk.index)
      + _write_strings(chunk.strings) for chunk in chunks))


def unnest(chunk):
  """Returns the list of chunks within a chunk of `nest`.

  Raises:
    BitstreamError: if it holds none, or something else.
  """
  name = f"of type {chunk.type} and index {chunk.index}"
  if chunk.type not in NESTS:
    raise BitstreamError(f"the chunk {name} holds no chunks")
  return [_unpack(string, chunk.type, name) for string in chunk.strings]


def _unpack(string, below, name):
  try:
    type_byte = take(string, 0, 1)[0]
    index, position = varint.read(string, 1)
  except TruncatedError:
    raise BitstreamError(f"the chunk {name} holds a chunk cut short") from None
  if type_byte not in PICTURE_TYPES or type_byte >= below:
    raise BitstreamError(f"the chunk {name} holds one of type {type_byte}")
  return Chunk(type_byte, index, _read_strings(
      memoryview(string)[position:], f"within that {name}"))


def coded_bytes(chunks):
  """Returns the bytes of all strings that a coder wrote, of nested ones too."""
  return sum(
      coded_bytes(unnest(chunk)) if chunk.type in NESTS
      else sum(len(string) for string in chunk.strings) for chunk in chunks)


def _write_strings(strings):
  return varint.write(len(strings)) + b"".join(
      varint.write(len(string)) for string in strings) + b"".join(strings)


def _read_strings(payload, place):
  """Returns the tuple of strings that fill a payload."""
  try:
    count, position = varint.read(payload, 0)
    if count > len(payload):
      raise TruncatedError("fewer bytes than strings")
    lengths = []
    for _ in range(count):
      length, position = varint.read(payload, position)
      lengths.append(length)
  except TruncatedError:
    lengths, position = [-1], 0
  if position + sum(lengths) != len(payload):
    raise BitstreamError(f"the chunk {place} contradicts its length")
  strings = []
  for length in lengths:
    strings.append(bytes(payload[position:position + length]))
    position += length
  return tuple(strings)
