"""EXIF blocks, edited in place: whatever else a camera wrote stays as it is.

Pillow can write EXIF anew, but loses by it what it does not know, moves notes of
makers, whose offsets count from where they were, and fails on tags of odd types.

Source: CIPA DC-008 (EXIF 2.32), TIFF 6.0.
"""

import struct

from PIL import Image

# As JPEG and Pillow put it in front, other formats and our files do not.
PREFIX = b"Exif\0\0"

ORIENTATION = 0x0112
_EXIF, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005
_COLOR_SPACE, _INTEROP_INDEX = 0xA001, 0x0001
_PREVIEW_OFFSET, _PREVIEW_LENGTH = 0x0201, 0x0202
_SHORT, _LONG = 3, 4
# Bytes of a value of each type: byte, text, short, long, rational, and so on.
_SIZES = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), 1))
# Of the directory of a TIFF file, what says something of the picture rather than where
# its pixels lie: description, maker, model, software, time, artist, host, rating,
# copyright, and what Windows adds.
_DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x8298,
                0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F)


def upright(block):
  """Returns an EXIF block for pixels that have been turned already.

  The orientation is 1. The preview is left out, a small copy of the picture as it lay
  before, and so is what lies behind all that the directories reach, as larger previews
  that only notes of makers know. Nothing moves: a preview in between becomes zeros.

  Args:
    block: bytes, with `PREFIX` or without.

  Returns:
    bytes without it.

  Raises:
    ValueError: if it is none, or so broken that its orientation is not found; also if
      its values are larger than it, one upon the other, which would take readers a
      thousand times its memory.
  """
  data = bytearray(block)
  while data.startswith(PREFIX):
    del data[:len(PREFIX)]
  order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
  try:
    if order is None:
      raise ValueError("it does not begin as a TIFF file")
    (first,) = struct.unpack_from(order + "I", data, 4)
    entries, end = _directory(data, order, first)
    reach = _reach(data, order, entries, end)
    for place, tag, *_ in entries:  # Readers differ in which of several they take.
      if tag == ORIENTATION:
        struct.pack_into(order + "HHIHH", data, place, tag, _SHORT, 1, 1, 0)
    if len(data) >= end + 4:
      (second,) = struct.unpack_from(order + "I", data, end)
      struct.pack_into(order + "I", data, end, 0)
      if second:
        _blank_preview(data, order, second, end + 4)
  except struct.error:
    raise ValueError("it ends too early") from None
  return bytes(data[:reach])


def as_srgb(block):
  """Returns a block of `upright` for pixels that have become sRGB.

  Readers without a profile go by its colour space, or by the mark of Adobe RGB.
  """
  data = bytearray(block)
  order = "<" if data.startswith(b"II") else ">"
  try:
    (first,) = struct.unpack_from(order + "I", data, 4)
    entries, seen = list(_directory(data, order, first)[0]), 0
    while seen < len(entries):
      place, tag, _, _, value = entries[seen]
      seen += 1
      if tag in (_EXIF, _INTEROP) and seen < 10**5:
        entries += _directory(data, order, value)[0]
      elif tag == _COLOR_SPACE:
        struct.pack_into(order + "HHIHH", data, place, tag, _SHORT, 1, 1, 0)
      elif tag == _INTEROP_INDEX and data[place + 8:place + 11] == b"R03":
        data[place + 8:place + 11] = b"R98"
  except struct.error:
    pass  # Readers pass over what lies beyond the end, too.
  return bytes(data)


def portable(exif, more=()):
  """Returns the block of a TIFF file's directory, or for one; empty if it says nothing.

  Args:
    exif: `PIL.Image.Exif`; of all its tags only those are taken which mean the same in
      any file.
    more: pairs of a tag and its value to add.
  """
  kept = Image.Exif()
  for tag in _DESCRIPTIVE:
    if tag in exif:
      kept[tag] = exif[tag]
  for tag in (_EXIF, _GPS):
    directory = {k: v for k, v in exif.get_ifd(tag).items() if k != _INTEROP}
    if directory:
      kept[tag] = directory
  for tag, value in more:
    kept[tag] = value
  return kept.tobytes() if len(kept) else b""


def _directory(data, order, offset):
  """Returns (place, tag, type, bytes of the value, its offset) of entries; their end."""
  (count,) = struct.unpack_from(order + "H", data, offset)
  entries = []
  for place in range(offset + 2, offset + 2 + 12 * count, 12):
    tag, kind, number, value = struct.unpack_from(order + "HHII", data, place)
    entries.append((place, tag, kind, number * _SIZES.get(kind, 0), value))
  return entries, offset + 2 + 12 * count


def _reach(data, order, entries, end):
  """Returns where the last byte ends that the directories but the second reach.

  Raises:
    ValueError: if their values take more bytes than the block.
  """
  entries, ends, total = list(entries), [end + 4], 0
  for pointer in (_EXIF, _GPS, _INTEROP):
    found = [entry[2:] for entry in entries if entry[1] == pointer]
    if not found:
      continue
    kind, size, offset = found[-1]
    if len(found) > 1 or (kind, size) != (_LONG, 4):
      raise ValueError("it does not say where its directories lie")
    try:
      more, end = _directory(data, order, offset)
    except struct.error:
      continue  # Readers pass over what lies beyond the end.
    entries += more
    ends.append(end + 4)
  for *_, size, value in entries:
    if size > 4 and value < len(data):
      total += min(size, len(data) - value)
      ends.append(value + size)
  if total > len(data):
    raise ValueError("its values lie one upon the other")
  return min(max(ends), len(data))


def _blank_preview(data, order, offset, least):
  """Makes zeros of the picture of the second directory, as far as one is there."""
  try:
    entries, _ = _directory(data, order, offset)
  except struct.error:
    return
  values = {tag: value for _, tag, *_, value in entries}
  start = values.get(_PREVIEW_OFFSET, 0)
  end = min(start + values.get(_PREVIEW_LENGTH, 0), len(data))
  if least <= start < end:
    data[start:end] = bytes(end - start)
