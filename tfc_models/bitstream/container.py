"""Writes and reads `.tfcm` files; FORMAT.md is the byte table.

No TensorFlow here: `tfcm info` and `tfcm verify` answer within 0.3 seconds.
"""

import zlib
from typing import NamedTuple

from tfc_models.bitstream import chunks as kinds
from tfc_models.bitstream import thumbnail
from tfc_models.bitstream.chunks import Chunk, read_chunk, write_chunk
from tfc_models.bitstream.header import Header, read_header, write_header
from tfc_models.bitstream.reading import CHECKSUM_SIZE, checksum
from tfc_models.errors import BitstreamError, TruncatedError

# Of what is known beside the picture.
METADATA_NAMES = ("icc", "exif", "xmp")
# Planes that go with a picture, by name: the type of their chunk.
PLANES = {"alpha": kinds.ALPHA, "samples": kinds.SAMPLES}
_PLANE_NAMES = {type: name for name, type in PLANES.items()}


class Stream(NamedTuple):
  """What a file holds.

  Attributes:
    header: `Header`.
    chunks: list of `Chunk`, the picture.
    metadata: dict of bytes by name, some of `METADATA_NAMES`.
    planes: dict by name, some of `PLANES`, of tuples of bytes, each of `plane.write`.
    verified: whether checksums cover all of this; not so of a thumbnail that was
      cut, whose one checksum is of all its bytes.
    complete: whether the last chunk is the last that was written.
  """

  header: Header
  chunks: list
  metadata: dict
  planes: dict
  verified: bool = True
  complete: bool = True

  @property
  def pixels(self):
    """Strings of a picture that no model codes, see `pixels`; None of others."""
    first = self.chunks[0] if self.chunks else None
    return first.strings if first and first.type == kinds.PIXELS else None

  @property
  def sample_bits(self):
    """Bits of the samples that come back as uint16; None of a picture of 8 bits."""
    strings = self.planes.get("samples", ())
    if self.pixels and self.pixels[0][:1] and self.pixels[0][0] & kinds.DEEP_PIXELS:
      strings = self.pixels[1:]
    return strings[0][0] if strings and strings[0] else None


def write(header, chunks, metadata=None, planes=None):
  """Returns the bytes of a file.

  Args:
    header: `Header`.
    chunks: non-empty list of `Chunk`, the picture.
    metadata: dict of bytes by name, see `Stream`; not in thumbnails.
    planes: dict of tuples of bytes by name, likewise.

  Raises:
    ValueError: if a field is out of its range.
  """
  if not chunks:
    raise ValueError("`chunks` must not be empty.")
  if header.thumbnail:
    if metadata or planes:
      raise ValueError("`metadata` and `planes` do not fit into a thumbnail.")
    return thumbnail.write(
        header.fingerprint, header.height, header.width, header.channels,
        b"".join(string for chunk in chunks for string in chunk.strings))
  head = write_header(header)
  seed = zlib.crc32(head)
  parts = [head, checksum(head)]
  # What is lost with the end of a file is detail.
  alpha, samples = _beside(planes or {})
  chunks = [*_describe(metadata or {}), *alpha, *chunks, *samples]
  for number, chunk in enumerate(chunks):
    parts.append(write_chunk(chunk, number == len(chunks) - 1, seed))
  return b"".join(parts)


def read(data, allow_partial=False):
  """Returns the `Stream` of a file.

  Args:
    data: bytes of the file.
    allow_partial: accept a file that was cut; whole chunks are returned. Of a
      thumbnail that was cut, or changed, all is returned, not `verified`.

  Raises:
    TruncatedError: if the file ends too early.
    ChecksumError: if bytes were changed.
    BitstreamError: if it is no such file, of an unknown version, or makes no
      sense.
  """
  data = memoryview(bytes(data))
  if thumbnail.begins(data):
    *fields, payload, verified = thumbnail.read(data, allow_partial)
    return Stream(
        Header("", *fields, thumbnail=True),
        [Chunk(kinds.ITERATION, 0, (payload,))], {}, {}, verified)
  header, position = read_header(data)
  seed = zlib.crc32(data[:position - CHECKSUM_SIZE])
  stream = Stream(header, [], {}, {})
  final = False
  while not final:
    try:
      chunk, final, position = read_chunk(data, position, seed)
    except TruncatedError:
      if allow_partial and stream.chunks:
        return stream._replace(complete=False)
      raise
    if chunk.type in kinds.PICTURE_TYPES:
      stream.chunks.append(chunk)
    elif chunk.type == kinds.METADATA:
      _note(stream.metadata, chunk)
    elif chunk.type in _PLANE_NAMES:
      _put(stream.planes, _PLANE_NAMES[chunk.type], chunk.strings)
    elif not chunk.type & kinds.ANCILLARY:
      raise BitstreamError(
          f"chunk type {chunk.type} is unknown; a newer version wrote the file")
  if position != len(data):
    raise BitstreamError(
        f"{len(data) - position} bytes follow the end of the stream")
  if not stream.chunks:
    raise BitstreamError("the stream holds no picture")
  if any(chunk.type == kinds.PIXELS for chunk in stream.chunks) and (
      len(stream.chunks) > 1 or "samples" in stream.planes):
    raise BitstreamError("the stream holds pixels, and another picture")
  return stream


def overhead(data, stream):
  """Returns the bytes of a file beside coded strings, planes, metadata and the name.

  Args:
    data: bytes of the file.
    stream: what `read` returns of it.
  """
  return len(data) - kinds.coded_bytes(stream.chunks) - len(
      stream.header.model) - sum(
          len(value) for value in stream.metadata.values()) - sum(
              len(string) for strings in stream.planes.values() for string in strings)


def _describe(metadata):
  """Returns the chunks of metadata."""
  for name in metadata:
    if name not in METADATA_NAMES:
      raise ValueError(f"`metadata` must be of {METADATA_NAMES}, got {name!r}.")
  return [
      Chunk(kinds.METADATA, index, (name.encode("ascii"), value))
      for index, (name, value) in enumerate(sorted(metadata.items()))]


def _note(metadata, chunk):
  """Adds the metadata of a chunk; unknown names are skipped."""
  if len(chunk.strings) != 2:
    raise BitstreamError(f"metadata {chunk.index} is no name and value")
  name, value = chunk.strings[0].decode("latin-1"), chunk.strings[1]
  if name in METADATA_NAMES:
    _put(metadata, name, value)


def _beside(planes):
  """Returns a list of chunks for each of `PLANES`."""
  for name in planes:
    if name not in PLANES:
      raise ValueError(f"`planes` must be of {tuple(PLANES)}, got {name!r}.")
  return [[Chunk(type, 0, tuple(planes[name]))] if name in planes else []
          for name, type in PLANES.items()]


def _put(values, name, value):
  """Adds what a file holds once."""
  if name in values:
    raise BitstreamError(f"the stream holds {name} twice")
  values[name] = value
