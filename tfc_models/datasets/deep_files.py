"""PNG and TIFF files of 16 bits a sample, which Pillow does not write.

It writes files of 8 bits with all metadata, in which the samples are then exchanged.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

FORMATS = ("PNG", "TIFF")
_SIGNATURE = 8
_UP = 2  # Filters of PNG rows: the difference to the row above.
_IMAGE_WIDTH, _BITS_PER_SAMPLE = 256, 258


def file_bytes(array, format, **options):
  """Returns the bytes of a file.

  Args:
    array: uint16 (H, W, 1 to 4).
    format: one of `FORMATS`.
    **options: of Pillow's `save`.
  """
  return {"PNG": _png, "TIFF": _tiff}[format](array, options)


def _saved(array, format, options):
  buffer = io.BytesIO()
  Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(
      buffer, format, **options)
  return buffer.getvalue()


def _png(array, options):
  """Source: PNG, third edition, 5.3 (chunks), 9.2 (filters)."""
  like, parts = _saved((array >> 8).astype(np.uint8), "PNG", options), []
  rows = array.astype(">u2").view(np.uint8).reshape(len(array), -1)
  up = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # Modulo 256.
  lines = np.concatenate([np.full_like(rows[:, :1], _UP), up], axis=1)
  level = options.get("compress_level", -1)
  position = _SIGNATURE
  while position < len(like):
    (length,) = struct.unpack_from(">I", like, position)
    kind = like[position + 4:position + 8]
    body = like[position + 8:position + 8 + length]
    position += length + 12
    if kind == b"IHDR":
      body = body[:8] + b"\x10" + body[9:]
    elif kind == b"IDAT":
      if lines is None:
        continue
      body, lines = zlib.compress(lines.tobytes(), level), None
    parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(
        ">I", zlib.crc32(kind + body)))
  return like[:_SIGNATURE] + b"".join(parts)


def _tiff(array, options):
  """A file of 8 bits and twice the width, whose directory then says otherwise.

  Source: TIFF 6.0, section 2: entries of tag, type, count and value or its offset.
  """
  height, width, channels = array.shape
  halves = array.astype("<u2").view(np.uint8).reshape(height, 2 * width, channels)
  data = bytearray(_saved(halves, "TIFF", options))
  (first,) = struct.unpack_from("<I", data, 4)
  (count,) = struct.unpack_from("<H", data, first)
  for place in range(first + 2, first + 2 + 12 * count, 12):
    tag, kind, number, _ = struct.unpack_from("<HHII", data, place)
    code, size = {3: ("H", 2), 4: ("I", 4)}.get(kind, ("", 0))
    if tag not in (_IMAGE_WIDTH, _BITS_PER_SAMPLE):
      continue
    at = place + 8
    if number * size > 4:
      (at,) = struct.unpack_from("<I", data, at)
    value = width if tag == _IMAGE_WIDTH else 16
    struct.pack_into(f"<{number}{code}", data, at, *[value] * number)
  return bytes(data)
