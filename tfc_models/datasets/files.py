"""Image files to uint8 arrays, with nothing dropped silently."""

import contextlib
import glob
import io
import math
import os
import threading
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from tfc_models.datasets import (
    deep,
    deep_files,
    depth,
    exif,
    metadata,
    pixels,
    turns,
)
from tfc_models.errors import ImageError, TfcmError, UsageError
from tfc_models.fileio import find_files, read_bytes

EXTENSIONS = frozenset(
    ".avif .bmp .gif .jfif .jp2 .jpeg .jpg .png .pgm .pnm .ppm .tif .tiff .webp"
    .split())

# Their formats, as Pillow calls them. It knows more, and of some, as EPS, it
# starts other programs to read them, whatever a file's name is.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# How files begin.
PNG_MAGIC, JPEG_MAGIC = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"

# As many as a .tfcm file may hold.
MAX_PIXELS = 2**28

_pillow_limit = threading.Lock()


class Picture(NamedTuple):
  """What an image file holds.

  Attributes:
    pixels: uint8 array, or uint16 if that was asked for, (H, W, 1) grey, (H, W, 3) sRGB, (H, W, 2) or (H, W, 4) with
      transparency in the last channel, 0 where nothing is seen.
    metadata: dict of bytes by name, as `codecs.FileOptions` takes it: icc, exif, xmp,
      as far as the file has them; see `metadata.checked`.
    dropped: list of texts, which metadata of the file is not there, and why.
  """

  pixels: np.ndarray
  metadata: dict
  dropped: list


def find_images(pattern, recursive=True):
  """Returns the sorted paths of image files.

  Args:
    pattern: a folder, a glob, or a file.
    recursive: whether folders are searched below their first level.

  Raises:
    UsageError: if nothing is found.
  """
  if os.path.isdir(pattern):
    paths = find_files(pattern, EXTENSIONS, recursive)
  else:
    paths = [
        path for path in glob.glob(os.path.expanduser(pattern), recursive=True)
        if os.path.isfile(path)]
  if not paths:
    raise UsageError(f"{pattern}: no image files there")
  return sorted(paths)


def read_image(source, name=None, max_pixels=MAX_PIXELS):
  """Returns an image as codecs take it, upright.

  Args:
    source: path, or bytes of a file.
    name: what to call bytes in messages.
    max_pixels: images that claim to be larger are refused before they are
      decoded. It stands in for Pillow's own limit.

  Returns:
    uint8 array (H, W, 1) for grey images, (H, W, 3) sRGB for all others.
    EXIF orientation is applied, palettes and CMYK are converted.

  Raises:
    ImageError: if it cannot be read, or holds transparency, more than 8 bits
      a sample, or several frames, which a codec of 8-bit RGB would drop; also
      if it is of a format other than those of `EXTENSIONS`.
  """
  return _read(source, name, max_pixels, False).pixels


def read_picture(source, name=None, max_pixels=MAX_PIXELS, depth=None, page=None,
                 srgb=False):
  """Returns the `Picture` of an image file: its pixels, transparency and metadata.

  Metadata are of JPEG, PNG, WebP, AVIF and TIFF files. Broken or too large ones are
  dropped, with a text, and so is an ICC profile that is not of the colours of the
  pixels: CMYK is converted without its profile.

  Args:
    source: as of `read_image`, whose pixels these are but for transparency.
    name: likewise.
    max_pixels: likewise.
    depth: of files of more than 8 bits a sample: 8 rounds them, 16 gives uint16 pixels
      in 0..65535. Most need imagecodecs, see `deep`.
    page: of files of several pictures, the number of one from 1 on.
    srgb: whether pixels of other colours become sRGB by their ICC profile, which is
      then of no use and left out; see `colours.to_srgb`.

  Raises:
    ImageError: as of `read_image`, but for transparency.
  """
  if depth not in (None, 8, 16):
    raise UsageError(f"depth must be 8 or 16, got {depth}")
  return _read(source, name, max_pixels, True, depth, page, srgb)


def _read(source, name, max_pixels, is_whole, wanted_depth=None, page=None,
          wants_srgb=False):
  """Returns the `Picture` of a file; without transparency and metadata if not whole."""
  if not isinstance(source, bytes):
    source, name = _content(source), name or os.fspath(source)
  name = name or "<bytes>"
  with _errors(name), _open(source, name, max_pixels) as image:
    _turn_to(page, image, name, is_whole)
    _check_pixels(image, max_pixels, name)
    _check_size(image, len(source), name)
    bits = depth.bits(image, source)
    _check_bits(bits, image, name, is_whole, wanted_depth)
    if image.mode == "LAB":
      raise ImageError(f"{name}: colours of CIELAB (mode LAB); convert it to RGB first")
    if image.has_transparency_data and not is_whole:
      raise ImageError(
          f"{name}: it has an alpha channel; flatten it onto a background "
          "first")
    array, is_srgb, failed = _pixels(
        image, source, bits, name, wanted_depth, wants_srgb)
    if not is_whole:
      return Picture(array, {}, [])
    found, dropped = metadata.of_image(image, array.shape[-1])
  if is_srgb and "exif" in found:
    found["exif"] = exif.as_srgb(found["exif"])
  return Picture(array, found, failed + dropped)


def _pixels(image, source, bits, name, wanted_depth, wants_srgb):
  """Returns upright pixels, whether a profile made them sRGB, and why not, texts."""
  pixels.mend_transparency(image)
  lies = turns.stored_orientation(image) if bits > 8 else None
  image.load()
  profile, is_srgb, failed = image.info.get("icc_profile"), False, []
  if bits > 8:
    array = deep.read(image, source, bits, lies, name)
    array = array if wanted_depth == 16 else deep.to_8_bits(array)
  else:
    array = pixels.of_image(image)
  if wants_srgb and profile:
    if array.dtype != np.uint8:
      raise ImageError(
          f"{name}: an ICC profile is applied to 8 bits a sample alone",
          argument="depth")
    try:
      array, is_srgb = pixels.in_srgb(image, array, profile), True
      del image.info["icc_profile"]  # It says nothing of these pixels.
    except ValueError as error:
      failed.append(f"colours are not converted by its ICC profile ({error})")
  if bits <= 8:
    array = turns.upright(array, turns.orientation(image))
  return array, is_srgb, failed


def page_count(path):
  """Returns how many pictures a file holds; 1 if it is not an image or cannot be read.

  Args:
    path: of the file.
  """
  try:
    with _errors(path), _open(path, path, MAX_PIXELS) as image:
      return getattr(image, "n_frames", 1)
  except ImageError:
    return 1  # What is wrong will be said when its turn comes.


def _turn_to(page, image, name, is_whole):
  """Turns a file of several pictures to one.

  Raises:
    ImageError: if it has several and nobody says which, or not so many.
  """
  count = getattr(image, "n_frames", 1)
  if page is not None:
    if not 1 <= page <= count:
      raise ImageError(f"{name}: there is no page {page} of {count}")
    image.seek(page - 1)
  elif count > 1:
    text = f"{name}: an animation of {count} frames, or as many pages"
    if is_whole:
      raise ImageError(text, argument="page")
    raise ImageError(f"{text}; extract the frames to code them one by one")


def _check_bits(bits, image, name, is_whole, wanted_depth):
  """Raises ImageError if samples have more bits than are wanted."""
  if bits <= 8 or bits <= 16 and wanted_depth and not (
      image.mode == "F" or image.mode == "I" and image.format != "PPM"):
    return
  text = f"{name}: {bits} bits a sample (mode {image.mode}), more than "
  if wanted_depth:
    raise ImageError(text + "the 16 of integers that are read; convert it first")
  if is_whole:
    raise ImageError(text + "8", argument="depth")
  raise ImageError(text + "8; convert it to 8 bits first")


def rgb_image(array):
  """Returns a PIL image in RGB from a uint8 array (H, W, 1 or 3)."""
  return Image.fromarray(
      np.broadcast_to(array, array.shape[:2] + (3,)).copy())


def any_rgb_image(data, name="<bytes>"):
  """Returns the bytes of a file as a PIL image in RGB, whatever that drops.

  Raises:
    ImageError: if it cannot be read.
  """
  try:
    return rgb_image(read_image(data, name))
  except ImageError:
    with _errors(name), _open(data, name, MAX_PIXELS) as image:
      _check_size(image, len(data), name)
      return image.convert("RGB")


def image_size(source, name=None):
  """Returns (height, width) of an image from its header, upright.

  Args:
    source: path, or bytes of a file.
    name: what to call bytes in messages.

  Raises:
    ImageError: if it cannot be read.
  """
  if not isinstance(source, bytes):
    name = name or os.fspath(source)
  name = name or "<bytes>"
  with _errors(name), _open(source, name, MAX_PIXELS) as image:
    width, height = image.size
    orientation = image.getexif().get(0x0112)
    # EXIF orientations 5 to 8 lie on their side.
    if isinstance(orientation, int) and 5 <= orientation <= 8:
      width, height = height, width
  return height, width


def claimed_pixels(data):
  """Returns how many pixels an image claims to have; 0 if it is none.

  Of the header alone: nothing is decoded, and there is no limit.

  Args:
    data: bytes of a file.
  """
  try:
    with _open(data, "<bytes>", math.inf) as image:
      return image.width * image.height
  except MemoryError:
    raise
  except Exception:  # Whatever Pillow raises, it says that there is no image.
    return 0


def image_bytes(array, format, name, **options):
  """Returns the bytes of a file.

  Args:
    array: uint8 (H, W, 1 to 4), or uint16 of `deep_files.FORMATS`.
    format: Pillow's name of it.
    name: of the file, for messages.
    **options: of Pillow's `save`.

  Raises:
    ImageError: if Pillow cannot write such an image.
  """
  buffer = io.BytesIO()
  try:
    if array.dtype == np.uint16:
      return deep_files.file_bytes(array, format, **options)
    if format == "PPM" and array.shape[-1] in (1, 3):
      return _ppm(array)
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(
        buffer, format, **options)
  # Whatever the writer of a format raises, it is about this image.
  except Exception as error:
    raise ImageError(
        f"{name}: Pillow cannot write this image as {format} ({error})"
    ) from None
  return buffer.getvalue()


def _ppm(array):
  """Returns what Pillow writes, in 3 bytes a pixel, not 7.

  Source: netpbm, pgm(5) and ppm(5).
  """
  height, width, channels = array.shape
  head = b"P%d\n%d %d\n255\n" % (6 if channels == 3 else 5, width, height)
  return b"".join([head, np.ascontiguousarray(array)])


def _check_size(image, num_bytes, name):
  """Raises ImageError if a JPEG file is too short for what it claims.

  Its decoder makes up what is missing, of half a gigabyte from three kilobytes.
  Huffman codes take at least a bit for each of the 8x8 blocks.
  """
  width, height = image.size
  if image.format in ("JPEG", "MPO") and width * height > 64 * 8 * num_bytes:
    raise ImageError(
        f"{name}: broken image ({num_bytes} bytes cannot hold "
        f"{width}x{height} pixels)")


def _content(path):
  try:
    return read_bytes(path)
  except UsageError as error:
    raise ImageError(str(error)) from None


@contextlib.contextmanager
def _errors(name):
  """Turns whatever Pillow raises about a file into ImageError."""
  try:
    yield
  except (TfcmError, MemoryError):
    raise
  except UnidentifiedImageError:
    raise ImageError(
        f"{name}: not an image, or of none of the formats "
        f"{', '.join(FORMATS)}") from None
  except Exception as error:
    # Errors of the file system have a text of their own, Pillow's have not.
    reason = getattr(error, "strerror", None) or f"broken image ({error})"
    raise ImageError(f"{name}: {reason}") from None


def _open(source, name, max_pixels):
  """Returns an opened, not yet decoded PIL image of at most `max_pixels`."""
  empty = not source if isinstance(source, bytes) else (
      os.path.getsize(source) == 0)
  if empty:
    raise ImageError(f"{name}: the file is empty")
  if isinstance(source, bytes):
    source = io.BytesIO(source)
  # Pillow warns of, or refuses, images below our limit too; its own is a setting
  # of the whole process, which others may rely on.
  with _pillow_limit, warnings.catch_warnings():
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    # Of metadata that Pillow passes over; they name no file.
    warnings.simplefilter("ignore")
    try:
      image = Image.open(source, formats=FORMATS)
    finally:
      Image.MAX_IMAGE_PIXELS = limit
  try:
    _check_pixels(image, max_pixels, name)
  except ImageError:
    image.close()
    raise
  return image


def _check_pixels(image, max_pixels, name):
  """Raises ImageError if an image that is not yet decoded claims to be too large."""
  if image.width * image.height > max_pixels:
    raise ImageError(
        f"{name}: claims {image.width}x{image.height} pixels, more than the "
        f"{max_pixels} that are read")
