"""PNG and TIFF files of 16 bits a sample, which Pillow does not write.

It writes files of 8 bits with all metadata, in which the samples are then exchanged.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tfc_models.strips import strips

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
  """Returns the `io.BytesIO` of a file of 8 bits."""
  buffer = io.BytesIO()
  Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(
      buffer, format, **options)
  return buffer


def _png(array, options):
  """Source: PNG, third edition, 5.3 (chunks), 9.2 (filters)."""
  height, width, channels = array.shape
  like = _saved(np.zeros((1, 1, channels), np.uint8), "PNG", options).getvalue()
  position, parts = _SIGNATURE, []
  while position < len(like):
    (length,) = struct.unpack_from(">I", like, position)
    kind = like[position + 4:position + 8]
    body = like[position + 8:position + 8 + length]
    position += length + 12
    if kind == b"IHDR":
      body = struct.pack(">IIB", width, height, 16) + body[9:]
    bodies = _packed(array, options.get("compress_level", -1)) if (
        kind == b"IDAT") else [body]
    for body in bodies:
      parts += [struct.pack(">I", len(body)), kind, body,
                struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))]
  return b"".join([like[:_SIGNATURE], *parts])


def _packed(array, level):
  """Yields the packed lines of a PNG file, piece by piece."""
  coder, above = zlib.compressobj(level), 0
  for rows in strips(array):
    samples = array[rows].astype(">u2").view(np.uint8).reshape(
        rows.stop - rows.start, -1)
    lines = np.empty((len(samples), samples.shape[1] + 1), np.uint8)
    lines[:, 0] = _UP
    lines[0, 1:] = samples[0] - above  # Modulo 256.
    np.subtract(samples[1:], samples[:-1], out=lines[1:, 1:])
    above = samples[-1]
    if piece := coder.compress(lines):
      yield piece
  yield coder.flush()


def _tiff(array, options):
  """A file of 8 bits and twice the width, whose directory then says otherwise.

  Source: TIFF 6.0, section 2: entries of tag, type, count and value or its offset.
  """
  height, width, channels = array.shape
  halves = np.ascontiguousarray(array, "<u2").view(np.uint8).reshape(
      height, 2 * width, channels)
  buffer = _saved(halves, "TIFF", options)
  with buffer.getbuffer() as data:
    _say_16_bits(data, width)
  return buffer.getvalue()


def _say_16_bits(data, width):
  """Changes width and bits a sample in the first directory of a TIFF file."""
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
