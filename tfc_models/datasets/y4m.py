"""YUV4MPEG2 files (.y4m): video as it is, to and from uint8 RGB frames.

Source: the manual page yuv4mpeg(5) of mjpegtools; ITU-R BT.601 for the colours,
  which such files do not name.
"""

import re

import numpy as np

from tfc_models.bitstream import check_size
from tfc_models.errors import BitstreamError, ImageError

EXTENSION = ".y4m"
_MAGIC = b"YUV4MPEG2"
_LONGEST_LINE = 4096
# From the beginning of the tag C to how many columns and rows share a chroma sample.
_SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "mono": None}
# No rate, as the format says it.
_UNKNOWN_RATE = (0, 0)


class Reader:
  """The frames of a binary file, read one after the other.

  Args:
    file: opened for reading bytes, at its beginning; need not be seekable.
    name: what messages call it.

  Attributes:
    height, width: of each frame in pixels.
    rate: frames a second, (numerator, denominator), or None.

  Raises:
    ImageError: if it is no such file, or holds what would be lost: more than 8 bits
      a sample, fields of interlaced frames, transparency.
  """

  def __init__(self, file, name):
    self._file = file
    self.name = name
    words = self._line(_MAGIC, "not a YUV4MPEG2 file").split()[1:]
    tags = {word[0]: word[1:] for word in words if word[0] != "X"}
    self._full = "XCOLORRANGE=FULL" in words
    layout = tags.get("C", "420jpeg")
    kind = re.fullmatch(r"(420|422|444|mono)(jpeg|mpeg2|paldv)?", layout)
    if not kind:
      raise ImageError(
          f"{name}: colours {layout!r}, which are none of 420, 422, 444 and mono "
          "in 8 bits; convert it first")
    if tags.get("I", "p") not in ("p", "?"):
      raise ImageError(f"{name}: interlaced frames; deinterlace it first")
    try:
      self.height, self.width = int(tags["H"]), int(tags["W"])
      rate = tuple(map(int, tags.get("F", "0:0").split(":")))
    except (KeyError, ValueError):
      raise ImageError(f"{name}: its header says no size, or no rate") from None
    try:
      check_size(self.height, self.width)
    except BitstreamError as error:
      raise ImageError(f"{name}: {error}") from None
    self.rate = rate if len(rate) == 2 and min(rate) > 0 else None
    self._subsampling = _SUBSAMPLING[kind[1]]
    self._planes = [(self.height, self.width)]
    if self._subsampling:
      columns, rows = self._subsampling
      self._planes += 2 * [(-(-self.height // rows), -(-self.width // columns))]
    self._size = sum(rows * columns for rows, columns in self._planes)

  def __iter__(self):
    """Yields uint8 (H, W, 3) from where the file stands to its end."""
    number = 0
    while True:
      if self._line(b"FRAME", f"frame {number} does not begin", True) is None:
        return
      data = self._file.read(self._size)
      if len(data) < self._size:
        raise ImageError(f"{self.name}: it ends within frame {number}")
      yield self._rgb(np.frombuffer(data, np.uint8))
      number += 1

  def positions(self):
    """Returns where in the file each frame begins; it must be seekable."""
    found = []
    end = self._file.seek(0, 2)
    self._file.seek(0)
    self._line(_MAGIC, "not a YUV4MPEG2 file")
    position = self._file.tell()
    while position < end:
      self._line(b"FRAME", f"frame {len(found)} does not begin")
      next_one = self._file.tell() + self._size
      if next_one > end:
        raise ImageError(f"{self.name}: it ends within frame {len(found)}")
      found.append(position)
      position = self._file.seek(next_one)
    return found

  def _line(self, start, reason, may_end=False):
    """Returns the text of a line that begins so; None at the end, if it may."""
    line = self._file.readline(_LONGEST_LINE)
    if may_end and not line:
      return None
    if not line.endswith(b"\n") or line.rstrip(b"\n").split(b" ")[0] != start:
      raise ImageError(f"{self.name}: {reason}")
    return line.decode("latin-1").rstrip("\n")

  def _rgb(self, samples):
    """Returns the uint8 RGB frame of the samples of all planes."""
    ends = np.cumsum([rows * columns for rows, columns in self._planes])
    y, *chroma = (
        plane.reshape(shape).astype(np.float32)
        for plane, shape in zip(np.split(samples, ends[:-1]), self._planes))
    if self._subsampling:
      columns, rows = self._subsampling
      cb, cr = (
          np.repeat(np.repeat(plane, rows, 0), columns, 1)[
              :self.height, :self.width] - 128 for plane in chroma)
    else:
      cb = cr = np.zeros_like(y)
    if not self._full:
      y, cb, cr = (y - 16) * (255 / 219), cb * (255 / 224), cr * (255 / 224)
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    frame = np.stack([red, green, blue], axis=-1)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def write(frames, height, width, rate=None):
  """Yields the bytes of a file: all colours of each pixel, in the full range.

  Args:
    frames: iterable of uint8 (H, W, 3).
    height, width: of each.
    rate: frames a second, (numerator, denominator), or None.
  """
  numerator, denominator = rate or _UNKNOWN_RATE
  yield (f"YUV4MPEG2 W{width} H{height} F{numerator}:{denominator} Ip A1:1 C444 "
         "XCOLORRANGE=FULL\n").encode()
  for frame in frames:
    red, green, blue = np.moveaxis(np.float32(frame), -1, 0)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = np.stack([y, 128 + (blue - y) / 1.772, 128 + (red - y) / 1.402])
    yield b"FRAME\n" + np.clip(np.rint(planes), 0, 255).astype(np.uint8).tobytes()
