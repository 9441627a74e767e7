"""Baseline JPEG files of coefficients that are integers already; needs NumPy only.

Libraries take pixels and quantise themselves; an editor has chosen the integers.

Source: ITU-T T.81 (baseline, Annex F; tables of Annex K.3), T.871 (JFIF).
"""

import struct

import numpy as np

from tfc_models.errors import UsageError

BLOCK = 8

# Of these numbers, the first 16 say how many codes of 1 to 16 bits there are, and
# the rest which symbols they stand for, in order of the codes. Tables K.3 to K.6.
_HUFFMAN = {name: bytes.fromhex(text) for name, text in {
    (0, 0): "00010501010101010100000000000000000102030405060708090a0b",
    (0, 1): "00030101010101010101010000000000000102030405060708090a0b",
    (1, 0):
        "0002010303020403050504040000017d01020300041105122131410613516107227114"
        "328191a1082342b1c11552d1f02433627282090a161718191a25262728292a34353637"
        "38393a434445464748494a535455565758595a636465666768696a737475767778797a"
        "838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9ba"
        "c2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7"
        "f8f9fa",
    (1, 1):
        "00020102040403040705040400010277000102031104052131061241510761711322"
        "328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35"
        "363738393a434445464748494a535455565758595a636465666768696a737475767778"
        "797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7"
        "b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6"
        "f7f8f9fa",
}.items()}
_DC, _AC = 0, 1
_END_OF_BLOCK, _SIXTEEN_ZEROS = 0x00, 0xF0

# Sites of a block, row * 8 + column, in the order of the stream (T.81, figure 5).
ZIGZAG = np.array(sorted(
    range(BLOCK * BLOCK),
    key=lambda n: (n // 8 + n % 8, n // 8 if (n // 8 + n % 8) % 2 else n % 8)))

_MAX_SIDE = 2**16 - 1
_MAX_DC_DIFFERENCE, _MAX_AC = 2**11 - 1, 2**10 - 1
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
  used = [min(c, len(tables) - 1) for c in range(depth)]
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
  for number in sorted(set(used)):
    for kind in (_DC, _AC):
      parts.append(_segment(
          0xC4, bytes([kind << 4 | number]) + _HUFFMAN[kind, number]))
  parts += [_segment(0xDA, scan + b"\x00\x3f\x00"),
            _scan(coefficients, used), b"\xff\xd9"]
  return b"".join(parts)


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


def _scan(coefficients, used):
  """Returns the entropy-coded bytes; all blocks at a time, in NumPy."""
  depth = coefficients.shape[2]
  blocks = coefficients.reshape(-1, depth, BLOCK * BLOCK)[..., ZIGZAG]
  blocks = blocks.astype(np.int64)
  dc = np.diff(blocks[:, :, 0], axis=0, prepend=0)
  if np.abs(dc).max() > _MAX_DC_DIFFERENCE or np.abs(blocks[..., 1:]).max() > _MAX_AC:
    raise UsageError(
        "coefficients beyond what baseline JPEG can say (+-1023, differences of "
        "the first of +-2047); larger steps in the tables make them smaller")
  blocks = blocks.reshape(-1, BLOCK * BLOCK)  # In the order of the stream.
  tables = np.tile(used, len(dc))
  # All that is written: the block, a place within it, the class of its table, the
  # symbol, and the value whose bits follow.
  number, site = np.nonzero(blocks[:, 1:])
  site += 1
  first = np.diff(number, prepend=-1) != 0
  run = site - np.where(first, 0, np.roll(site, 1)) - 1
  value = blocks[number, site]
  every = np.arange(len(blocks))
  parts = [
      (every, 0 * every, _DC, _size(dc.reshape(-1)), dc.reshape(-1)),
      (number, 4 * site + 3, _AC, (run % 16) << 4 | _size(value), value)]
  for n in range(3):  # Runs have at most 62 zeros.
    more = run // 16 > n
    parts.append((number[more], 4 * site[more] + n, _AC,
                  np.full(more.sum(), _SIXTEEN_ZEROS), np.zeros(more.sum(), int)))
  ends = every[blocks[:, -1] == 0]
  parts.append((ends, np.full(len(ends), 4 * BLOCK * BLOCK), _AC,
                np.full(len(ends), _END_OF_BLOCK), 0 * ends))
  words, lengths, order = [], [], []
  for block, place, kind, symbol, value in parts:
    code, length = _codes(kind)[:, tables[block], symbol]
    size = _size(value)
    # Negative values less 1, of which the low bits are written.
    bits = (value - (value < 0)) & ((1 << size) - 1)
    words.append(code << size | bits)
    lengths.append(length + size)
    order.append(block * (4 * BLOCK * BLOCK + 1) + place)
  order = np.argsort(np.concatenate(order))
  return _pack(np.concatenate(words)[order], np.concatenate(lengths)[order])


def _size(value):
  """Returns the number of bits of the absolute value of integers."""
  return np.frexp(np.abs(value).astype(np.float64))[1].astype(np.int64)


def _codes(kind):
  """Returns codes and their lengths, (2, 2 tables, 256 symbols)."""
  found = np.zeros((2, 2, 256), np.int64)
  for number in (0, 1):
    table = _HUFFMAN[kind, number]
    code, symbols = 0, iter(table[16:])
    for length, count in enumerate(table[:16], 1):
      for _ in range(count):
        found[:, number, next(symbols)] = code, length
        code += 1
      code <<= 1
  return found


def _pack(words, lengths):
  """Returns the bytes of words of so many bits, one behind the other."""
  ends = np.cumsum(lengths)
  shifts = np.repeat(ends, lengths) - 1 - np.arange(ends[-1])
  bits = (np.repeat(words, lengths) >> shifts) & 1
  # The last byte is filled with ones; a byte of ones is no marker if zero follows.
  bits = np.append(bits, np.ones(-len(bits) % 8, np.int64)).astype(np.uint8)
  return np.packbits(bits).tobytes().replace(b"\xff", b"\xff\x00")
