"""Classical formats as anchors: those of Pillow, and JPEG XL and HEIF beside it."""

import contextlib
import dataclasses
import importlib.util
import io
from collections.abc import Mapping
from typing import Optional

import numpy as np
import PIL
from PIL import Image, features

from tfc_models.codecs.base import (
    Codec,
    Family,
    check_nothing,
    check_range,
    plain,
    version_of,
)
from tfc_models.errors import CodecError


class PillowCodec(Codec):
  """A file format of Pillow with fixed options.

  Args:
    format: Pillow's name, such as "JPEG" or "WEBP".
    **options: keyword arguments of `PIL.Image.Image.save`.
  """

  def __init__(self, format, **options):
    self.format = format
    self.options = options
    self.name = " ".join(
        [format] + [f"{key}={value}" for key, value in options.items()])
    self.extension = "." + format.lower()

  def encode(self, image, settings=None):
    buffer = io.BytesIO()
    picture = Image.fromarray(plain(image))
    with self._errors():
      picture.save(
          buffer, self.format, **{**self.options, **(settings or {})})
    return buffer.getvalue()

  def decode(self, data):
    with self._errors(), Image.open(
        io.BytesIO(data), formats=[self.format]) as image:
      array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array

  @contextlib.contextmanager
  def _errors(self):
    """Turns whatever Pillow raises about an image into CodecError."""
    try:
      yield
    except MemoryError:
      raise
    except Exception as error:
      raise CodecError(f"{self.name}: {error}") from None


def jpeg(quality):
  """Returns baseline JPEG 4:2:0 with optimised Huffman tables."""
  return PillowCodec(
      "JPEG", quality=quality, subsampling="4:2:0", optimize=True)


@dataclasses.dataclass(frozen=True)
class PillowFamily(Family):
  """A format of Pillow at several qualities.

  Attributes:
    format, options: as of `PillowCodec`.
    library: what `PIL.features` calls the library behind it.
    keyword: which option is set; None if none is.
    limits: smallest and largest setting.
  """

  name: str
  format: str
  library: str
  options: Mapping = dataclasses.field(default_factory=dict)
  keyword: Optional[str] = "quality"
  limits: tuple = (0, 100)
  settings: tuple = (None,)

  def check(self, setting):
    if self.keyword is None:
      check_nothing(self.name, setting)
    else:
      check_range(self.name, setting, *self.limits)

  def make(self, setting):
    return PillowCodec(self.format, **self._options(setting))

  def facts(self, setting):
    return {
        "tool": f"Pillow {PIL.__version__}",
        "library": f"{self.library} {features.version(self.library)}",
        "format": self.format, "options": self._options(setting)}

  def missing(self):
    if features.version(self.library) is None:
      return f"this Pillow was built without {self.library}"
    return None

  def _options(self, setting):
    if self.keyword is None:
      return dict(self.options)
    if self.keyword == "quality_layers":
      setting = [setting]
    return {**self.options, self.keyword: setting}


class JpegXlCodec(Codec):
  """JPEG XL by libjxl, in the package imagecodecs.

  Args:
    distance: Butteraugli distance, 0 for lossless, 1 for visually lossless.
    effort: 1 to 10.
  """

  extension = ".jxl"

  def __init__(self, distance, effort):
    self.name = f"JPEG XL distance={distance:.4g} effort={effort}"
    self._options = {"effort": effort}
    self._options.update(
        {"distance": distance} if distance else {"lossless": True})

  def encode(self, image, settings=None):
    import imagecodecs
    return imagecodecs.jpegxl_encode(plain(image), **self._options)

  def decode(self, data):
    import imagecodecs
    array = imagecodecs.jpegxl_decode(data)
    return array[..., None] if array.ndim == 2 else array


@dataclasses.dataclass(frozen=True)
class JpegXlFamily(Family):
  """JPEG XL at qualities 0 to 100, or lossless."""

  name: str
  settings: tuple = (None,)
  lossless: bool = False
  effort: int = 7

  def check(self, setting):
    if self.lossless:
      check_nothing(self.name, setting)
    else:
      check_range(self.name, setting, 0, 100)

  def make(self, setting):
    return JpegXlCodec(self._distance(setting), self.effort)

  def facts(self, setting):
    import imagecodecs
    return {
        "tool": f"imagecodecs {version_of('imagecodecs')}",
        "library": imagecodecs.jpegxl_version(),
        "options": {"distance": round(self._distance(setting), 4),
                    "effort": self.effort}}

  def missing(self):
    return _unless_installed("imagecodecs")

  def _distance(self, setting):
    return 0.0 if self.lossless else jxl_distance(setting)


def jxl_distance(quality):
  """Returns the distance that libjxl means by a quality of 0 to 100.

  Source: JxlEncoderDistanceFromQuality of libjxl 0.11, which cjxl -q uses.
  """
  if quality >= 100:
    return 0.0
  if quality >= 30:
    return 0.1 + 0.09 * (100 - quality)
  return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


class HeifCodec(Codec):
  """HEVC intra in HEIF, by x265 and libde265 in the package pillow-heif."""

  extension = ".heic"

  def __init__(self, quality):
    self.name = f"HEIF quality={quality} chroma=444"
    self._quality = quality

  def encode(self, image, settings=None):
    import pillow_heif
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(plain(image))).save(
        buffer, quality=self._quality, chroma=444)
    return buffer.getvalue()

  def decode(self, data):
    import pillow_heif
    array = np.asarray(pillow_heif.open_heif(io.BytesIO(data)).to_pillow())
    return array[..., None] if array.ndim == 2 else array


@dataclasses.dataclass(frozen=True)
class HeifFamily(Family):
  """HEVC intra 4:4:4 at x265's qualities 0 to 100."""

  name: str
  settings: tuple

  def check(self, setting):
    check_range(self.name, setting, 0, 100)

  def make(self, setting):
    return HeifCodec(setting)

  def facts(self, setting):
    import pillow_heif
    info = pillow_heif.libheif_info()
    return {
        "tool": f"pillow-heif {version_of('pillow-heif')}",
        "library": f"libheif {info['libheif']}, {info['HEIF']}",
        "options": {"quality": setting, "chroma": 444}}

  def missing(self):
    reason = _unless_installed("pillow_heif")
    if reason is None:
      import pillow_heif
      if not pillow_heif.libheif_info().get("HEIF"):
        reason = "this pillow-heif was built without an HEVC encoder"
    return reason


def _unless_installed(module):
  if importlib.util.find_spec(module) is None:
    return f"pip install {module.replace('_', '-')}"
  return None


_FIVES = tuple(range(5, 100, 5))
_TENS = tuple(range(10, 100, 10))

# Anchors that any machine has. JPEG and WebP as in the published Kodak curves,
# at the libraries' defaults; JPEG 2000 by compression ratio to 24 bits a pixel,
# with the colour transform, without which it takes about twice the bytes.
FAMILIES = {
    family.name: family for family in (
        PillowFamily("jpeg", "JPEG", "libjpeg_turbo",
                     {"subsampling": "4:2:0"}, settings=_FIVES),
        PillowFamily("jpeg-optimized", "JPEG", "libjpeg_turbo",
                     {"subsampling": "4:2:0", "optimize": True},
                     settings=_FIVES),
        PillowFamily("jpeg444", "JPEG", "libjpeg_turbo",
                     {"subsampling": "4:4:4", "optimize": True},
                     settings=_FIVES),
        PillowFamily("webp", "WEBP", "webp", {"method": 4},
                     settings=(0, *_FIVES)),
        PillowFamily("webp-m6", "WEBP", "webp", {"method": 6},
                     settings=(0, *_TENS, 95)),
        PillowFamily("jpeg2000", "JPEG2000", "jpg_2000",
                     {"irreversible": True, "mct": 1, "quality_mode": "rates"},
                     "quality_layers", (1, 10000),
                     (240, 160, 96, 60, 40, 30, 24, 16, 12, 8)),
        PillowFamily("avif", "AVIF", "avif",
                     {"subsampling": "4:4:4", "speed": 6},
                     settings=_TENS),
        JpegXlFamily("jxl", settings=(*_TENS, 95)),
        HeifFamily("heif", settings=(5, *range(10, 80, 10))),
        PillowFamily("webp-lossless", "WEBP", "webp",
                     {"lossless": True, "method": 4},
                     keyword=None),
        JpegXlFamily("jxl-lossless", lossless=True),
        PillowFamily("png", "PNG", "zlib", {"optimize": True}, keyword=None),
    )}
