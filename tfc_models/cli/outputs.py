"""Image files that `tfcm decompress` writes: their formats, and what these hold."""

import os

import numpy as np
from PIL import Image, ImageColor

from tfc_models.cli import files, metadata
from tfc_models.datasets import deep_files
from tfc_models.errors import ImageError, UsageError

# By what `--format` calls them: the extension of files.
FORMATS = {
    "avif": ".avif", "bmp": ".bmp", "jp2": ".jp2", "jpeg": ".jpg", "jpg": ".jpg",
    "png": ".png", "ppm": ".ppm", "tif": ".tif", "tiff": ".tif", "webp": ".webp"}
# Of decoded Kodak pictures it takes 0.4 of the time of Pillow's 6, 2 % more bytes.
PNG_LEVEL = 4
# Formats that a flag says something to.
_TAKES = {"png_level": ("PNG",), "output_quality": ("AVIF", "JPEG", "WEBP")}
# Those of Pillow's formats that hold transparency as it is.
_WITH_ALPHA = ("AVIF", "JPEG2000", "PNG", "TIFF", "WEBP")
# Those into which we write more than 8 bits.
_DEEP = deep_files.FORMATS


def add_arguments(parser):
  """Adds the flags."""
  parser.add_argument(
      "--format", choices=FORMATS, metavar="NAME",
      help="of the images, in place of the extension that -o names: "
      f"{', '.join(FORMATS)} (default png)")
  parser.add_argument(
      "--png_level", type=int, choices=range(10), metavar="0..9",
      help="of PNG files: 0 is fast and large; 9 takes 5 to 20 times as long as the "
      f"default, {PNG_LEVEL}, for 2 to 5 %% fewer bytes")
  parser.add_argument(
      "--output_quality", type=int, choices=range(1, 101), metavar="1..100",
      help="of JPEG, WebP and AVIF files (default: that of Pillow, 75 or 80)")
  parser.add_argument(
      "--background", metavar="COLOUR",
      help="put transparent pictures onto it, as white, #ffcc00 or rgb(0,0,0); JPEG, PPM "
      "and BMP files hold no transparency")
  parser.add_argument(
      "--depth", type=int, choices=[8],
      help="8 writes the picture of 8 bits of files that keep more; without it they "
      f"become {' or '.join(_DEEP)} files of 16 bits")


def check(arguments, outputs):
  """Raises UsageError if no output can be written as arguments ask.

  Args:
    arguments: parsed.
    outputs: paths of image files, or `files.STREAM`.
  """
  _colour(arguments.background)
  formats = {_format(output, arguments) for output in outputs}
  for name, taking in _TAKES.items():
    if formats and getattr(arguments, name) is not None and not formats & set(taking):
      raise UsageError(f"--{name} goes with {', '.join(taking)} files")


def extension(arguments):
  """Returns that of images whose names nobody says."""
  return FORMATS[arguments.format or "png"]


def _format(output, arguments):
  """Returns Pillow's name of the format that an output file is of."""
  ending = extension(arguments)
  if output != files.STREAM and arguments.format is None:
    ending = os.path.splitext(output)[1].lower()
  known = Image.registered_extensions()
  if known.get(ending) not in Image.SAVE:
    raise UsageError(
        f"{output}: Pillow writes no {ending or 'nameless'} images; "
        "try .png, or --format")
  return known[ending]


def file_bytes(image, found, arguments, name, output):
  """Returns the bytes of an image file.

  Args:
    image: uint8 or uint16 (H, W, 1 to 4).
    found: metadata, as of `metadata.file_bytes`.
    arguments: parsed.
    name: of the input.
    output: path of the file, or `files.STREAM`.

  Raises:
    ImageError: if the format cannot hold the image.
  """
  format = _format(output, arguments)
  name = name if output == files.STREAM else output
  if image.shape[-1] in (2, 4):
    if arguments.background is not None:
      image = flattened(image, _colour(arguments.background))
    elif format not in _WITH_ALPHA:
      raise ImageError(
          f"{name}: {format} files hold no transparency; --background COLOUR puts the "
          "picture onto one, .png keeps it")
  if image.dtype != np.uint8 and format not in _DEEP:
    raise ImageError(
        f"{name}: 16 bits a sample, {format} files are not written with these; "
        "--depth 8 takes the picture of 8 bits, .png and .tif keep all")
  how = {}
  if format == "PNG":
    level = arguments.png_level
    how["compress_level"] = PNG_LEVEL if level is None else level
  elif arguments.output_quality is not None:
    how["quality"] = arguments.output_quality
  return metadata.file_bytes(image, found, format, name, **how)


def flattened(image, colour):
  """Returns an image on a colour, (H, W, 1 or 3); values are mixed as they are, sRGB.

  Args:
    image: uint8 or uint16 (H, W, 2 or 4).
    colour: red, green, blue, 0..255; one that is not grey makes grey images RGB.
  """
  alpha, largest = image[..., -1:].astype(np.int64), np.iinfo(image.dtype).max
  grey = image.shape[-1] == 2 and len(set(colour)) == 1
  below = (largest - alpha) * np.array(colour[:1] if grey else colour) * (largest // 255)
  return ((alpha * image[..., :-1] + below + largest // 2) // largest).astype(image.dtype)


def _colour(text):
  """Returns (red, green, blue) of a text; of None, None.

  Raises:
    UsageError: if it names no colour.
  """
  if text is None:
    return None
  try:
    colour = ImageColor.getrgb(text)
  except ValueError:
    colour = ()
  if len(colour) != 3:
    raise UsageError(
        f"--background must be a colour as white, #ffcc00 or rgb(0,0,0), got {text}")
  return colour
