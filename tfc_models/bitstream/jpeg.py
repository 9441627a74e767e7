"""Baseline JPEG files of coefficients that are integers already; needs NumPy only.

Libraries take pixels and quantise themselves; an editor has chosen the integers.

Source: ITU-T T.81 (baseline, Annex F), T.871 (JFIF).
"""

import struct
from typing import NamedTuple

import numpy as np

from tfc_models.bitstream import huffman
from tfc_models.bitstream.huffman import AC, DC
from tfc_models.errors import UsageError

BLOCK = 8

END_OF_BLOCK, SIXTEEN_ZEROS = 0x00, 0xF0

# Sites of a block, row * 8 + column, in the order of the stream (T.81, figure 5).
ZIGZAG = np.array(sorted(
    range(BLOCK * BLOCK),
    key=lambda n: (n // 8 + n % 8, n // 8 if (n // 8 + n % 8) % 2 else n % 8)))

_MAX_SIDE = 2**16 - 1
_MAX_DC_DIFFERENCE, MAX_AC = 2**11 - 1, 2**10 - 1
_SEGMENT_SIZE = 2**16 - 3


def write(coefficients, tables, height, width, metadata=None):
  """Returns the bytes of a JPEG file, which any decoder reads.

  Args:
    coefficients: integers (ceil(H / 8), ceil(W / 8), C, 8, 8), quantised; C is
      1, grey, or 3, Y, Cb, Cr, not subsampled; rows are vertical frequencies.
    tables: integers (1 or 2, 8, 8) in 1..255, the steps of Y and of Cb and Cr.
    height, width: H, W in pixels.
    metadata: dict of bytes by name, icc, exif or xmp.

  Raises:
    ValueError: if a shape or a table is another.
    UsageError: if sides or coefficients exceed what baseline JPEG can say.
  """
  coefficients, tables = np.asarray(coefficients), np.asarray(tables)
  rows, columns, depth = coefficients.shape[:3]
  if depth not in (1, 3) or coefficients.shape != (
      -(-height // BLOCK), -(-width // BLOCK), depth, BLOCK, BLOCK):
    raise ValueError(
        f"`coefficients` must be of {height}x{width} pixels in 1 or 3 components, "
        f"got {coefficients.shape}.")
  if tables.shape[1:] != (BLOCK, BLOCK) or len(tables) not in (1, 2) or (
      tables.min() < 1 or tables.max() > 255):
    raise ValueError("`tables` must be one or two of 8x8 integers in 1..255.")
  if max(height, width) > _MAX_SIDE:
    raise UsageError(
        f"JPEG sides are at most {_MAX_SIDE} pixels, got {width}x{height}")
  used = tables_of(depth, len(tables))
  parts = [
      b"\xff\xd8",
      _segment(0xE0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0101, 0, 1, 1, 0, 0)),
      *_describe(metadata or {})]
  for number in sorted(set(used)):
    parts.append(_segment(0xDB, bytes([number]) + bytes(
        tables[number].reshape(-1)[ZIGZAG].astype(np.uint8))))
  frame = struct.pack(">BHHB", 8, height, width, depth)
  scan = bytes([depth])
  for component, number in enumerate(used):
    frame += bytes([component + 1, 0x11, number])
    scan += bytes([component + 1, number << 4 | number])
  parts.append(_segment(0xC0, frame))
  symbols = symbols_of(coefficients, len(tables))
  codes = {}
  for name, counts in counted(symbols).items():
    kind, number = name
    table = huffman.best(counts)
    parts.append(_segment(0xC4, bytes([kind << 4 | number]) + table))
    codes[name] = huffman.codes(table)
  parts += [_segment(0xDA, scan + b"\x00\x3f\x00"), _scan(symbols, codes),
            b"\xff\xd9"]
  return b"".join(parts)


def overhead(data):
  """Returns the bytes of a file of `write` beside its entropy-coded data."""
  start = 2
  while data[start + 1] != 0xDA:
    start += 2 + int.from_bytes(data[start + 2:start + 4], "big")
  # The end of the image follows the data.
  return start + 2 + int.from_bytes(data[start + 2:start + 4], "big") + 2


def _segment(marker, payload):
  return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _describe(metadata):
  """Returns the segments of metadata; only an ICC profile may take several."""
  segments = []
  for name, marker, head in (
      ("exif", 0xE1, b"Exif\0\0"), ("xmp", 0xE1, b"http://ns.adobe.com/xap/1.0/\0")):
    payload = head + metadata.get(name, b"")
    if len(payload) > _SEGMENT_SIZE:
      raise UsageError(f"{len(payload)} bytes of {name} do not fit into a JPEG")
    if name in metadata:
      segments.append(_segment(marker, payload))
  head = b"ICC_PROFILE\0"
  size = _SEGMENT_SIZE - len(head) - 2
  profile = metadata.get("icc", b"")
  pieces = [profile[n:n + size] for n in range(0, len(profile), size)]
  if len(pieces) > 255:
    raise UsageError(f"{len(profile)} bytes of icc do not fit into a JPEG")
  return segments + [
      _segment(0xE2, head + bytes([n, len(pieces)]) + piece)
      for n, piece in enumerate(pieces, 1)]


class Symbols(NamedTuple):
  """All that a scan writes, in its order.

  Attributes:
    kind: of each symbol, `DC` or `AC`.
    table: number of its tables.
    symbol: what its Huffman code stands for.
    value: the number whose bits follow.
  """

  kind: np.ndarray
  table: np.ndarray
  symbol: np.ndarray
  value: np.ndarray


def tables_of(depth, count):
  """Returns the numbers of the tables of `depth` components: Cb and Cr share the last."""
  return [min(component, count - 1) for component in range(depth)]


def counted(symbols):
  """Returns a dict from (kind, table) to how often each of 256 symbols is written."""
  return {
      (kind, number): np.bincount(
          symbols.symbol[(symbols.kind == kind) & (symbols.table == number)],
          minlength=256)
      for number in np.unique(symbols.table) for kind in (DC, AC)}


def symbols_of(coefficients, number_of_tables=2):
  """Returns the `Symbols` of coefficients, as of `write`; all blocks at a time.

  Raises:
    UsageError: if they exceed what baseline JPEG can say.
  """
  depth = coefficients.shape[2]
  blocks = coefficients.reshape(-1, depth, BLOCK * BLOCK)[..., ZIGZAG]
  blocks = blocks.astype(np.int64)
  dc = np.diff(blocks[:, :, 0], axis=0, prepend=0)
  if np.abs(dc).max() > _MAX_DC_DIFFERENCE or np.abs(blocks[..., 1:]).max() > MAX_AC:
    raise UsageError(
        "coefficients beyond what baseline JPEG can say (+-1023, differences of "
        "the first of +-2047); larger steps in the tables make them smaller")
  blocks = blocks.reshape(-1, BLOCK * BLOCK)  # In the order of the stream.
  tables = np.tile(tables_of(depth, number_of_tables), len(dc))
  # Of each: a block, a place within it, the kind, the symbol, the value.
  number, site = np.nonzero(blocks[:, 1:])
  site += 1
  first = np.diff(number, prepend=-1) != 0
  run = site - np.where(first, 0, np.roll(site, 1)) - 1
  value = blocks[number, site]
  every = np.arange(len(blocks))
  parts = [
      (every, 0 * every, DC, size_of(dc.reshape(-1)), dc.reshape(-1)),
      (number, 4 * site + 3, AC, (run % 16) << 4 | size_of(value), value)]
  for n in range(3):  # Runs have at most 62 zeros.
    more = run // 16 > n
    parts.append((number[more], 4 * site[more] + n, AC,
                  np.full(more.sum(), SIXTEEN_ZEROS), np.zeros(more.sum(), int)))
  ends = every[blocks[:, -1] == 0]
  parts.append((ends, np.full(len(ends), 4 * BLOCK * BLOCK), AC,
                np.full(len(ends), END_OF_BLOCK), 0 * ends))
  order = np.argsort(np.concatenate([
      block * (4 * BLOCK * BLOCK + 1) + place for block, place, *_ in parts]))
  return Symbols(*(np.concatenate(each)[order] for each in zip(*(
      (np.full(len(block), kind), tables[block], symbol, value)
      for block, place, kind, symbol, value in parts))))


def _scan(symbols, codes):
  """Returns the entropy-coded bytes of `Symbols`, given their codes by kind and table."""
  code, length = np.zeros((2, len(symbols.kind)), np.int64)
  for (kind, number), (words, lengths) in codes.items():
    here = (symbols.kind == kind) & (symbols.table == number)
    code[here], length[here] = words[symbols.symbol[here]], lengths[symbols.symbol[here]]
  size = size_of(symbols.value)
  # Negative values less 1, of which the low bits are written.
  bits = (symbols.value - (symbols.value < 0)) & ((1 << size) - 1)
  return _pack(code << size | bits, length + size)


def size_of(value):
  """Returns the number of bits of the absolute value of integers."""
  return np.frexp(np.abs(value).astype(np.float64))[1].astype(np.int64)


def _pack(words, lengths):
  """Returns the bytes of words of so many bits, one behind the other."""
  ends = np.cumsum(lengths)
  shifts = np.repeat(ends, lengths) - 1 - np.arange(ends[-1])
  bits = (np.repeat(words, lengths) >> shifts) & 1
  # The last byte is filled with ones; a byte of ones is no marker if zero follows.
  bits = np.append(bits, np.ones(-len(bits) % 8, np.int64)).astype(np.uint8)
  return np.packbits(bits).tobytes().replace(b"\xff", b"\xff\x00")
