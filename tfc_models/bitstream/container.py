"""Writes and reads `.tfcm` files; FORMAT.md is the byte table.

No TensorFlow here: `tfcm info` and `tfcm verify` answer within 0.3 seconds.
"""

import dataclasses
import struct
import zlib
from typing import NamedTuple

from tfc_models.bitstream import thumbnail, varint
from tfc_models.errors import BitstreamError, ChecksumError, TruncatedError

MAGIC = b"\x9fTCM"
# Files of version 0, the draft, had other digests and are not read.
VERSION = 1

MAX_SIDE = 2**16 - 1
# As in libavif: what larger files claim is refused before any allocation.
MAX_PIXELS = 2**28

# Chunk types. Types with the bit ANCILLARY may be skipped by a reader that
# does not know them, others not.
LATENT = 1
ITERATION = 2
PREDICTED_ITERATION = 3
ITERATIONS = frozenset([ITERATION, PREDICTED_ITERATION])
ANCILLARY = 0x80
METADATA = ANCILLARY | 1
KNOWN_TYPES = ITERATIONS | {LATENT, METADATA}
# Set in the type byte of the last chunk, so that a file cut between two chunks
# is noticed without storing its length in front.
_FINAL = 0x40

# Settings: number in the file of each name, and the type of its value.
_UINT, _FLOAT, _BYTES = range(3)
_SETTINGS = {"quality": (0, _UINT)}
_SETTING_NAMES = {key: name for name, (key, _) in _SETTINGS.items()}


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


@dataclasses.dataclass(frozen=True)
class Header:
  """What is known before decoding.

  Attributes:
    model: registered name.
    fingerprint: 4 bytes that identify the weights.
    height, width: pixels before padding.
    channels: 1 grey, 3 RGB.
    bit_depth: bits per sample, 8.
    settings: name to value, see `FORMAT.md`.
    version: of the container.
    thumbnail: whether the file is of the thumbnail profile: there is no name, the
      fingerprint has 3 bytes, and all iterations are one string.
  """

  model: str
  fingerprint: bytes
  height: int
  width: int
  channels: int = 3
  bit_depth: int = 8
  settings: dict = dataclasses.field(default_factory=dict)
  version: int = VERSION
  thumbnail: bool = False


def write(header, chunks):
  """Returns the bytes of a file.

  Args:
    header: `Header`.
    chunks: non-empty list of `Chunk`.

  Raises:
    ValueError: if a field is out of its range.
  """
  if not chunks:
    raise ValueError("`chunks` must not be empty.")
  if header.thumbnail:
    return thumbnail.write(
        header.fingerprint, header.height, header.width, header.channels,
        b"".join(string for chunk in chunks for string in chunk.strings))
  head = _write_header(header)
  parts = [head, struct.pack("<I", zlib.crc32(head))]
  # Chunk checksums continue that of the header, so that a chunk of another
  # file does not pass.
  seed = zlib.crc32(head)
  for number, chunk in enumerate(chunks):
    if chunk.type & _FINAL or not 0 < chunk.type < 256:
      raise ValueError(f"`type` must be 1..63 or 129..191, got {chunk.type}.")
    final = _FINAL if number == len(chunks) - 1 else 0
    payload = varint.write(len(chunk.strings)) + b"".join(
        varint.write(len(string)) for string in chunk.strings
    ) + b"".join(chunk.strings)
    body = bytes([chunk.type | final]) + varint.write(
        chunk.index) + varint.write(len(payload)) + payload
    parts += [body, struct.pack("<I", zlib.crc32(body, seed))]
  return b"".join(parts)


def read(data, allow_partial=False):
  """Returns the header and the chunks of a file.

  Args:
    data: bytes of the file.
    allow_partial: accept a file that was cut; whole chunks are returned.

  Raises:
    TruncatedError: if the file ends too early.
    ChecksumError: if bytes were changed.
    BitstreamError: if it is no such file, of an unknown version, or makes no
      sense.
  """
  data = memoryview(bytes(data))
  if thumbnail.begins(data):
    fingerprint, height, width, channels, payload = thumbnail.read(
        data, allow_partial)
    header = Header("", fingerprint, height, width, channels, thumbnail=True)
    return header, [Chunk(ITERATION, 0, (payload,))]
  header, position = _read_header(data)
  seed = zlib.crc32(data[:position])
  position += 4
  chunks = []
  final = False
  while not final:
    try:
      chunk, final, position = _read_chunk(data, position, seed)
    except TruncatedError:
      if allow_partial and chunks:
        return header, chunks
      raise
    if chunk.type in KNOWN_TYPES:
      chunks.append(chunk)
    elif not chunk.type & ANCILLARY:
      raise BitstreamError(
          f"chunk type {chunk.type} is unknown; a newer version wrote the file")
  if position != len(data):
    raise BitstreamError(
        f"{len(data) - position} bytes follow the end of the stream")
  return header, chunks


def overhead(data):
  """Returns the bytes of a file that are neither coded strings nor the name."""
  header, chunks = read(data)
  return len(data) - coded_bytes(chunks) - len(header.model)


def coded_bytes(chunks):
  """Returns the bytes of all coded strings."""
  return sum(len(string) for chunk in chunks for string in chunk.strings)


def check_size(height, width):
  """Raises `BitstreamError` for sizes that no file may claim."""
  if not 0 < height <= MAX_SIDE or not 0 < width <= MAX_SIDE or (
      height * width > MAX_PIXELS):
    raise BitstreamError(
        f"an image of {width}x{height} is outside the limits "
        f"(sides 1..{MAX_SIDE}, at most {MAX_PIXELS} pixels)")


def _write_header(header):
  name = header.model.encode("ascii")
  if not 0 < len(name) < 256 or len(header.fingerprint) != 4:
    raise ValueError("`model` needs 1..255 bytes and `fingerprint` 4.")
  if header.channels not in (1, 3) or header.bit_depth != 8:
    raise ValueError("`channels` must be 1 or 3 and `bit_depth` 8.")
  check_size(header.height, header.width)
  parts = [
      MAGIC, bytes([header.version, len(name)]), name, header.fingerprint,
      varint.write(header.height), varint.write(header.width),
      bytes([header.channels << 4 | header.bit_depth - 1]),
      varint.write(len(header.settings))]
  for name, value in sorted(header.settings.items()):
    key, kind = _SETTINGS[name]
    parts.append(bytes([key << 2 | kind]))
    if kind == _UINT:
      parts.append(varint.write(value))
    elif kind == _FLOAT:
      parts.append(struct.pack("<f", value))
    else:
      parts.append(varint.write(len(value)) + value)
  return b"".join(parts)


def _read_header(data):
  """Returns the header and the position of its checksum."""
  if len(data) < len(MAGIC) and MAGIC.startswith(bytes(data)):
    raise TruncatedError("the file ends within its first four bytes")
  if data[:len(MAGIC)] != MAGIC:
    raise BitstreamError("this is not a .tfcm file")
  version = _bytes(data, 4, 1)[0]
  if version > VERSION:
    raise BitstreamError(
        f"container version {version} is newer than this reader's {VERSION}")
  if version < VERSION:
    raise BitstreamError(
        f"container version {version} was a draft and is no longer read")
  length = _bytes(data, 5, 1)[0]
  name = bytes(_bytes(data, 6, length))
  position = 6 + length
  fingerprint = bytes(_bytes(data, position, 4))
  height, position = varint.read(data, position + 4)
  width, position = varint.read(data, position)
  layout = _bytes(data, position, 1)[0]
  count, position = varint.read(data, position + 1)
  settings = {}
  for _ in range(count):
    tag = _bytes(data, position, 1)[0]
    value, position = _read_setting(data, position + 1, tag & 3)
    # Unknown settings inform; what decoding needs raises the version.
    if tag >> 2 in _SETTING_NAMES:
      settings[_SETTING_NAMES[tag >> 2]] = value
  (checksum,) = struct.unpack("<I", _bytes(data, position, 4))
  if checksum != zlib.crc32(data[:position]):
    raise ChecksumError("the header was changed (checksum differs)")
  check_size(height, width)
  channels, bit_depth = layout >> 4, (layout & 15) + 1
  if channels not in (1, 3) or bit_depth != 8 or not name.isascii():
    raise BitstreamError(
        f"the header asks for {channels} channels of {bit_depth} bits")
  return Header(name.decode("ascii"), fingerprint, height, width, channels,
                bit_depth, settings, version), position


def _read_setting(data, position, kind):
  if kind == _UINT:
    return varint.read(data, position)
  if kind == _FLOAT:
    return struct.unpack("<f", _bytes(data, position, 4))[0], position + 4
  if kind == _BYTES:
    length, position = varint.read(data, position)
    return bytes(_bytes(data, position, length)), position + length
  raise BitstreamError("the header holds a setting of unknown type")


def _read_chunk(data, start, seed):
  """Returns the chunk at `start`, whether it is the last, and what follows."""
  type_byte = _bytes(data, start, 1)[0]
  index, position = varint.read(data, start + 1)
  length, position = varint.read(data, position)
  payload = _bytes(data, position, length)
  position += length
  (checksum,) = struct.unpack("<I", _bytes(data, position, 4))
  if checksum != zlib.crc32(data[start:position], seed):
    raise ChecksumError(
        f"the chunk at byte {start} was changed (checksum differs)")
  strings = _read_strings(payload, start)
  chunk = Chunk(type_byte & ~_FINAL, index, strings)
  return chunk, bool(type_byte & _FINAL), position + 4


def _read_strings(payload, start):
  try:
    count, position = varint.read(payload, 0)
    lengths = []
    for _ in range(count):
      length, position = varint.read(payload, position)
      lengths.append(length)
  except TruncatedError:
    lengths, position = [-1], 0
  if position + sum(lengths) != len(payload):
    raise BitstreamError(f"the chunk at byte {start} contradicts its length")
  strings = []
  for length in lengths:
    strings.append(bytes(payload[position:position + length]))
    position += length
  return tuple(strings)


def _bytes(data, position, length):
  if position + length > len(data):
    raise TruncatedError(
        f"the file ends at byte {len(data)}, within its header or a chunk")
  return data[position:position + length]
