"""Streams made wrong: by structure, with checksums repaired, or byte by byte."""

import copy
import dataclasses
import struct
import zlib

import numpy as np

from tfc_models import bitstream
from tfc_models.bitstream import plane, thumbnail, varint

_TYPES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 62, 63, 0x80, 0x81, 0x82, 0xBF)
_NUMBERS = (0, 1, 2, 3, 15, 16, 17, 2**20, 2**31, 2**32, 2**62, 2**63 - 1)
_NAMES = (b"tfcm-base", b"mbt2018", b"toderici2017", b"none-such", b"x\x1b[31m\n",
          b"", b"A" * 255)


@dataclasses.dataclass
class Raw:
  """Fields of a file as they will be written, right or wrong.

  Attributes:
    head: dict: name, fingerprint, height, width, layout, settings (bytes of
      each), count (of them, None for the true one).
    chunks: list of dict: type, index, strings, count, length, payload, final; None
      where the true value is written.
    tail: bytes behind the last chunk.
  """

  head: dict
  chunks: list
  tail: bytes = b""

  @classmethod
  def of(cls, stream):
    """Returns the fields of a `bitstream.Stream`."""
    header = stream.header
    quality = header.settings.get("quality")
    return cls({
        "name": header.model.encode(), "fingerprint": header.fingerprint,
        "height": header.height, "width": header.width, "layout": header.layout,
        "settings": [] if quality is None else [bytes([0]) + varint.write(quality)],
        "count": None,
    }, [_fields(chunk) for chunk in stream.chunks])

  def write(self):
    """Returns the bytes of the file, with checksums that fit."""
    head = self.head
    count = len(head["settings"]) if head["count"] is None else head["count"]
    data = b"".join([
        bitstream.MAGIC, bytes([bitstream.VERSION, len(head["name"])]),
        head["name"], head["fingerprint"], varint.write(head["height"]),
        varint.write(head["width"]), bytes([head["layout"]]),
        varint.write(count), *head["settings"]])
    seed = zlib.crc32(data)
    parts = [data, struct.pack("<I", seed)]
    for number, chunk in enumerate(self.chunks):
      final = 0x40 if number == len(self.chunks) - 1 else 0
      strings, payload = chunk["strings"], chunk["payload"]
      if payload is None:
        count = len(strings) if chunk["count"] is None else chunk["count"]
        payload = varint.write(count) + b"".join(
            varint.write(len(string)) for string in strings) + b"".join(strings)
      length = len(payload) if chunk["length"] is None else chunk["length"]
      body = bytes([chunk["type"] & 0xBF | final]) + varint.write(
          chunk["index"]) + varint.write(length) + payload
      parts += [body, struct.pack("<I", zlib.crc32(body, seed))]
    return b"".join(parts) + self.tail


def _fields(chunk):
  return {**chunk._asdict(), "strings": list(chunk.strings), "count": None,
          "length": None, "payload": None}


def structured(data, random, fingerprints):
  """Returns the bytes of a file with one to three of its fields changed.

  Args:
    data: bytes of a good file.
    random: `random.Random`.
    fingerprints: of weights that exist.
  """
  stream = bitstream.read(data)
  if stream.header.thumbnail:
    return _thumbnail(stream, random, fingerprints)
  raw = Raw.of(stream)
  changes = [_string] * 9 + [
      _swap, _size, _chunks, _type, _index, _count, _settings, _layout, _weights,
      _nest, _metadata, _planes, _planes, _tail]
  for _ in range(random.choice((1, 1, 1, 2, 3))):
    random.choice(changes)(raw, random, fingerprints)
  return raw.write()


def string(text, random):
  """Returns a coder's string, changed."""
  size, cut = len(text), random.randrange(len(text) + 1)
  return random.choice([
      lambda: text[:cut],
      lambda: text + random.choice([
          bytes(random.randrange(1, 64)), b"\xff" * random.randrange(1, 64),
          random.randbytes(random.randrange(1, 64))]),
      lambda: random.randbytes(size),
      lambda: flipped(text, random),
      lambda: b"",
      lambda: random.randbytes(random.randrange(1, 4)),
      lambda: b"\xff" * random.randrange(1, size + 2),
      lambda: bytes(random.randrange(1, size + 2)),
      # What a digest would notice is not noticed.
      lambda: random.randbytes(max(0, size - 2)) + text[-2:],
      lambda: text[:-2] + random.randbytes(2),
      lambda: text[:cut] + bytes(size - cut),
      lambda: text[:cut] + b"\xff" * max(0, size - cut - 2) + text[-2:],
  ])()


def flipped(data, random):
  """Returns bytes with up to eight bits flipped."""
  changed = bytearray(data)
  for _ in range(random.randrange(1, 9)):
    if changed:
      changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
  return bytes(changed)


def damaged(data, other, random):
  """Returns a file as accidents change it, without repair of checksums.

  Args:
    data: bytes of a good file.
    other: of another.
    random: `random.Random`.
  """
  start = random.randrange(len(data))
  end = random.randrange(start, len(data)) + 1
  return random.choice([
      lambda: flipped(data, random),
      lambda: data[:start],
      lambda: data[:start] + data[end:],
      lambda: data[:start] + random.randbytes(end - start) + data[end:],
      lambda: data[:start] + bytes(end - start) + data[end:],
      lambda: data[:end] + data[start:],
      lambda: data[:start] + other[random.randrange(len(other)):],
      lambda: data + random.randbytes(random.randrange(1, 9)),
      lambda: bitstream.MAGIC + random.randbytes(end),
  ])()


def _pick(raw, random):
  """Returns one of the chunks that have strings, or None."""
  chunks = [chunk for chunk in raw.chunks if chunk["strings"]]
  return random.choice(chunks) if chunks else None


def _string(raw, random, _):
  if chunk := _pick(raw, random):
    number = random.randrange(len(chunk["strings"]))
    chunk["strings"][number] = string(chunk["strings"][number], random)


def _swap(raw, random, _):
  if chunk := _pick(raw, random):
    random.shuffle(chunk["strings"])


def _size(raw, random, _):
  head = raw.head
  step = random.choice((-64, -33, -1, 1, 31, 64))
  head["height"], head["width"] = random.choice([
      (head["width"], head["height"]),
      (max(1, head["height"] + step), head["width"]),
      (head["height"], max(1, head["width"] + step)),
      (random.randrange(1, 129), random.randrange(1, 129)),
      (1, 700), (0, 5), (2**14, 2**14), (65535, 1), (2**62, 2**40)])


def _chunks(raw, random, _):
  if not raw.chunks:
    return
  number = random.randrange(len(raw.chunks))
  change = random.randrange(3)
  if change == 0:
    raw.chunks.insert(number, copy.deepcopy(random.choice(raw.chunks)))
  elif change == 1:
    del raw.chunks[number]
  else:
    random.shuffle(raw.chunks)


def _type(raw, random, _):
  if raw.chunks:
    random.choice(raw.chunks)["type"] = random.choice(_TYPES)


def _index(raw, random, _):
  if raw.chunks:
    random.choice(raw.chunks)["index"] = random.choice(_NUMBERS)


def _count(raw, random, _):
  if raw.chunks:
    chunk = random.choice(raw.chunks)
    change = random.randrange(5)
    if change == 0:
      chunk["count"] = random.choice(_NUMBERS)
    elif change == 1:
      chunk["length"] = random.choice(_NUMBERS)
    elif change == 2:
      chunk["payload"] = random.randbytes(random.randrange(64))
    elif change == 3:
      chunk["strings"].append(random.randbytes(random.randrange(9)))
    else:
      chunk["strings"] = chunk["strings"][:-1]


def _settings(raw, random, _):
  raw.head["settings"] = [
      random.choice([
          bytes([0]) + varint.write(random.choice(_NUMBERS)),
          bytes([1]) + random.randbytes(4), b"\x01\0\0\xc0\x7f",
          b"\x02\x03abc", b"\x02" + varint.write(2**40), b"\x03",
          bytes([4 << 2, 5]), b"\xfe\x02ab", b"\xfc\x05", bytes([6 << 2, 1]),
          _keep(random.choice((b"\x10", b"\x08", b"\0", b"")) + random.randbytes(
              random.choice((0, 1, 6, 300))))])
      for _ in range(random.randrange(4))]
  raw.head["count"] = random.choice((None, None, None, 0, 1, 65, 2**62))


def _keep(value):
  return bytes([7 << 2 | 2]) + varint.write(len(value)) + value


def _layout(raw, random, _):
  raw.head["layout"] = random.choice((0x17, 0x37, 0x17, 0x37, 0x27, 0x47, 0x3F, 0))


def _weights(raw, random, fingerprints):
  change = random.randrange(3)
  if change == 0:
    raw.head["fingerprint"] = random.choice(fingerprints)
  elif change == 1:
    raw.head["fingerprint"] = random.randbytes(4)
  else:
    raw.head["name"] = random.choice(_NAMES)


def _nest(raw, random, _):
  """Puts the chunks into a tile, a plane or a frame, or what looks like one."""
  if not raw.chunks:
    return
  kind = random.choice(sorted(bitstream.NESTS))
  inner = [
      bitstream.Chunk(chunk["type"], chunk["index"], tuple(chunk["strings"]))
      for chunk in raw.chunks if chunk["type"] < kind]
  strings = list(bitstream.nest(kind, 0, inner).strings) if all(
      0 < chunk.type for chunk in inner) else []
  if strings and random.randrange(2):
    strings[0] = string(strings[0], random)
  raw.chunks = [_fields(bitstream.Chunk(kind, 0, tuple(strings)))]


def _metadata(raw, random, _):
  strings = [random.choice((b"icc", b"exif", b"other", b"\xff")),
             random.randbytes(random.randrange(40))][:random.choice((0, 1, 2, 2, 2))]
  raw.chunks.insert(random.randrange(len(raw.chunks) + 1), _fields(
      bitstream.Chunk(bitstream.METADATA, 0, tuple(strings))))


def _planes(raw, random, _):
  """Puts transparency or samples into a file, of its size or another, changed or not."""
  size = random.choice((32, 33, 64)), random.choice((32, 50, 96))
  bits = random.choice((8, 8, 10, 16))
  values = np.random.default_rng(random.randrange(99)).integers(0, 2**bits, size)
  good = plane.write(random.choice((values, values & 1, np.cumsum(values & 1, 1))), bits)
  strings = [random.choice((good, string(good, random), good[:1] + b"\1" + good[2:]))
             ] * random.choice((1, 1, 3, 2))
  kind = random.choice((bitstream.ALPHA, bitstream.SAMPLES))
  raw.chunks.insert(random.randrange(len(raw.chunks) + 1), _fields(
      bitstream.Chunk(kind, 0, tuple(strings))))


def _tail(raw, random, _):
  raw.tail = random.randbytes(random.randrange(1, 9))


def _thumbnail(stream, random, fingerprints):
  header = stream.header
  fields = {
      "fingerprint": header.fingerprint, "height": header.height,
      "width": header.width, "channels": header.channels,
      "payload": stream.chunks[0].strings[0]}
  for _ in range(random.choice((1, 1, 2))):
    name = random.choice([*fields, "payload", "payload"])
    fields[name] = {
        "fingerprint": lambda: random.choice(
            [*fingerprints, random.randbytes(4)])[:3],
        "height": lambda: random.randrange(1, 129),
        "width": lambda: random.randrange(1, 129),
        "channels": lambda: random.choice((1, 3)),
        "payload": lambda: string(fields["payload"], random)}[name]()
  return thumbnail.write(**fields)
