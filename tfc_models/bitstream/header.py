"""The header: one table of its fields and one of its settings write and read it."""

import dataclasses
import math
import struct
from typing import Callable, NamedTuple

from tfc_models.bitstream import varint
from tfc_models.bitstream.reading import CHECKSUM_SIZE, check_sum, take
from tfc_models.errors import BitstreamError, TruncatedError

MAGIC = b"\x9fTCM"
# Files of version 0, the draft, had other digests and are not read.
VERSION = 1

MAX_SIDE = 2**16 - 1
# As in libavif: what larger files claim is refused before any allocation.
MAX_PIXELS = 2**28


@dataclasses.dataclass(frozen=True)
class Header:
  """What is known before decoding.

  Attributes:
    model: registered name; "" in a thumbnail, which stores none.
    fingerprint: 4 bytes that identify the weights; 3 in a thumbnail.
    height, width: pixels before padding.
    channels: 1 grey, 3 RGB.
    bit_depth: bits per sample, 8.
    settings: name to value, see `FORMAT.md`.
    version: of the container.
    thumbnail: whether the file is of the thumbnail profile.
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

  @property
  def layout(self):
    """Channels in the high four bits of a byte, bits less 1 in the low ones."""
    return self.channels << 4 | self.bit_depth - 1


class _Field(NamedTuple):
  """A field of the header, or the value of a setting.

  Attributes:
    name: of the attribute, what it holds.
    write: value to bytes.
    read: (data, position) to the value and the position after it.
    check: value to whether it is allowed.
    wanted: what is.
  """

  name: str
  write: Callable
  read: Callable
  check: Callable
  wanted: str


def _read_bytes(length):
  return lambda data, position: (
      bytes(take(data, position, length)), position + length)


def _read_byte(data, position):
  return take(data, position, 1)[0], position + 1


def _write_name(name):
  return bytes([len(name)]) + name.encode("latin-1")


def _read_name(data, position):
  length, position = _read_byte(data, position)
  name, position = _read_bytes(length)(data, position)
  return name.decode("latin-1"), position


def _is_name(name):
  return 0 < len(name) < 256 and all(" " < letter <= "~" for letter in name)


def _write_float(value):
  return struct.pack("<f", value)


def _read_float(data, position):
  return struct.unpack("<f", take(data, position, 4))[0], position + 4


def _write_string(value):
  return varint.write(len(value)) + value


def _read_string(data, position):
  length, position = varint.read(data, position)
  return _read_bytes(length)(data, position)


def _fits(bits):
  return lambda value: isinstance(value, int) and 0 <= value < 2**bits


# By the low two bits of a tag: how values of a setting are written.
_TYPES = (
    _Field("integer", varint.write, varint.read, _fits(63), "0..2**63 - 1"),
    _Field("float", _write_float, _read_float, math.isfinite, "finite"),
    _Field("string", _write_string, _read_string,
           lambda value: isinstance(value, bytes), "bytes"),
)
_UINT, _FLOAT, _BYTES = range(len(_TYPES))


class _Setting(NamedTuple):
  """A setting: its number in the file, the number of its type, and its range."""

  key: int
  type: int
  check: Callable
  wanted: str


_SETTINGS = {
    "quality": _Setting(0, _UINT, lambda value: 1 <= value <= 100, "1..100"),
    # Of video; see FORMAT.md.
    "frames": _Setting(1, _UINT, lambda value: value >= 1, "1 or more"),
    "group": _Setting(2, _UINT, lambda value: value >= 1, "1 or more"),
    "rate": _Setting(3, _UINT, lambda value: value >= 1, "1 or more"),
    "rate_scale": _Setting(4, _UINT, lambda value: value >= 1, "1 or more"),
    # Pixels a side of the tiles of a picture that is in such.
    "tile": _Setting(5, _UINT, lambda value: 1 <= value <= MAX_SIDE, f"1..{MAX_SIDE}"),
    # Whether a decoder makes up what it was not told.
    "synthesised": _Setting(6, _UINT, lambda value: value == 1, "1"),
    # Which sites are coded; see `mask`.
    "keep": _Setting(7, _BYTES, len, "a byte or more"),
    # What one model alone knows how to read.
    "model": _Setting(63, _BYTES, lambda value: True, "bytes"),
}
_SETTING_NAMES = {setting.key: name for name, setting in _SETTINGS.items()}


def _write_settings(settings):
  parts = [varint.write(len(settings))]
  for name, value in sorted(
      settings.items(), key=lambda item: _SETTINGS[item[0]].key):
    key, kind, check, wanted = _SETTINGS[name]
    if not _TYPES[kind].check(value) or not check(value):
      raise ValueError(f"`settings` needs a {name} of {wanted}, got {value!r}.")
    parts += [bytes([key << 2 | kind]), _TYPES[kind].write(value)]
  return b"".join(parts)


def _read_settings(data, position):
  count, position = varint.read(data, position)
  if count > 64:
    raise BitstreamError(f"the header holds {count} settings, there are 64 keys")
  settings, seen = {}, set()
  for _ in range(count):
    tag, position = _read_byte(data, position)
    key, kind = tag >> 2, tag & 3
    if kind >= len(_TYPES):
      raise BitstreamError("the header holds a setting of unknown type")
    value, position = _TYPES[kind].read(data, position)
    if key in seen:
      raise BitstreamError(f"the header holds the setting {key} twice")
    seen.add(key)
    # Unknown settings inform; see FORMAT.md.
    if key in _SETTING_NAMES:
      name = _SETTING_NAMES[key]
      _, wanted_kind, check, wanted = _SETTINGS[name]
      if kind != wanted_kind or not check(value):
        raise BitstreamError(
            f"the header holds a {name} of {value!r}, not {wanted}")
      settings[name] = value
  return settings, position


def _anything(value):
  return True


# In the order of the file, between the version and the checksum.
_FIELDS = (
    _Field("model", _write_name, _read_name, _is_name,
           "1..255 printable ASCII letters"),
    _Field("fingerprint", bytes, _read_bytes(4),
           lambda value: len(value) == 4, "4 bytes"),
    # For their limits see check_size.
    _Field("height", varint.write, varint.read, _anything, ""),
    _Field("width", varint.write, varint.read, _anything, ""),
    _Field("layout", lambda layout: bytes([layout]), _read_byte,
           lambda layout: layout in (0x17, 0x37), "1 or 3 channels of 8 bits"),
    _Field("settings", _write_settings, _read_settings, _anything, ""),
)


def check_size(height, width):
  """Raises `BitstreamError` for sizes that no file may claim."""
  if not 0 < height <= MAX_SIDE or not 0 < width <= MAX_SIDE or (
      height * width > MAX_PIXELS):
    raise BitstreamError(
        f"an image of {width}x{height} is outside the limits "
        f"(sides 1..{MAX_SIDE}, at most {MAX_PIXELS} pixels)")


def write_header(header):
  """Returns the bytes of a header, without its checksum.

  Raises:
    ValueError: if a field is out of its range.
    BitstreamError: if the image is too large.
  """
  parts = [MAGIC, bytes([header.version])]
  for field in _FIELDS:
    value = getattr(header, field.name)
    if not field.check(value):
      raise ValueError(f"`{field.name}` must be {field.wanted}, got {value!r}.")
    parts.append(field.write(value))
  check_size(header.height, header.width)
  return b"".join(parts)


def read_header(data):
  """Returns the header at the beginning of `data`, and the position after it.

  Raises:
    TruncatedError, ChecksumError, BitstreamError: as of `container.read`.
  """
  if len(data) < len(MAGIC) and MAGIC.startswith(bytes(data)):
    raise TruncatedError("the file ends within its first four bytes")
  if data[:len(MAGIC)] != MAGIC:
    raise BitstreamError("this is not a .tfcm file")
  version, position = _read_byte(data, len(MAGIC))
  if version != VERSION:
    raise BitstreamError(
        f"container version {version} is newer than this reader's {VERSION}"
        if version > VERSION else
        f"container version {version} was a draft and is no longer read")
  values = {}
  for field in _FIELDS:
    values[field.name], position = field.read(data, position)
  check_sum(data, 0, position, 0, "the header")
  for field in _FIELDS:
    if not field.check(values[field.name]):
      raise BitstreamError(
          f"the header holds a {field.name} of {values[field.name]!r}, not "
          f"{field.wanted}")
  check_size(values["height"], values["width"])
  layout = values.pop("layout")
  return Header(
      **values, channels=layout >> 4, bit_depth=(layout & 15) + 1,
      version=version), position + CHECKSUM_SIZE
