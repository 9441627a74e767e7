"""Image files to uint8 arrays, with nothing dropped silently."""

import glob
import io
import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tfc_models.errors import ImageError, UsageError
from tfc_models.fileio import find_files

EXTENSIONS = frozenset(
    ".avif .bmp .gif .jfif .jp2 .jpeg .jpg .png .pgm .pnm .ppm .tif .tiff .webp"
    .split())

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")


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


def read_image(source, name=None):
  """Returns an image as codecs take it, upright.

  Args:
    source: path, or bytes of a file.
    name: what to call bytes in messages.

  Returns:
    uint8 array (H, W, 1) for grey images, (H, W, 3) sRGB for all others.
    EXIF orientation is applied, palettes and CMYK are converted.

  Raises:
    ImageError: if it cannot be read, or holds transparency, more than 8 bits
      a sample, or several frames, which a codec of 8-bit RGB would drop.
  """
  image, name = _open(source, name)
  with image:
    if getattr(image, "n_frames", 1) > 1:
      raise ImageError(
          f"{name}: an animation of {image.n_frames} frames; "
          "extract the frames to code them one by one")
    if image.mode in _SIXTEEN_BIT or _bits(image) > 8:
      raise ImageError(
          f"{name}: more than 8 bits a sample (mode {image.mode}); "
          "convert it to 8 bits first")
    if image.has_transparency_data:
      raise ImageError(
          f"{name}: it has an alpha channel; flatten it onto a background "
          "first")
    try:
      image = ImageOps.exif_transpose(image)
      image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError
            ) as error:
      raise ImageError(f"{name}: broken image ({error})") from None
    array = np.asarray(image, dtype=np.uint8)
  return array[..., None] if array.ndim == 2 else array


def rgb_image(array):
  """Returns a PIL image in RGB from a uint8 array (H, W, 1 or 3)."""
  return Image.fromarray(
      np.broadcast_to(array, array.shape[:2] + (3,)).copy())


def image_size(path):
  """Returns (height, width) of an image from its header, upright.

  Raises:
    ImageError: if it cannot be read.
  """
  image, _ = _open(path, None)
  with image:
    width, height = image.size
    # EXIF orientations 5 to 8 lie on their side.
    if image.getexif().get(0x0112, 1) >= 5:
      width, height = height, width
  return height, width


def _open(source, name):
  """Returns an opened, not yet decoded PIL image and its name."""
  if isinstance(source, bytes):
    name = name or "<bytes>"
    if not source:
      raise ImageError(f"{name}: the file is empty")
    source = io.BytesIO(source)
  else:
    name = name or os.fspath(source)
  try:
    if not hasattr(source, "read") and os.path.getsize(source) == 0:
      raise ImageError(f"{name}: the file is empty")
    return Image.open(source), name
  except UnidentifiedImageError:
    raise ImageError(f"{name}: not an image that Pillow can read") from None
  except Image.DecompressionBombError as error:
    raise ImageError(f"{name}: {error}") from None
  except OSError as error:
    # Errors of the file system have a text of their own, Pillow's have not.
    reason = error.strerror or f"broken image ({error})"
    raise ImageError(f"{name}: {reason}") from None


def _bits(image):
  """Returns the bits a sample of the file, as far as Pillow tells.

  Pillow decodes 16-bit colour PNG and TIFF to 8 bits without a word; the raw
  mode of its decoder still says what the file holds.
  """
  for tile in image.tile:
    arguments = tile[3] if isinstance(tile[3], (tuple, list)) else (tile[3],)
    if any(isinstance(a, str) and ";16" in a for a in arguments):
      return 16
  return 8
