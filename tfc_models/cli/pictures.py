"""Pictures that are more than 8-bit sRGB, and what `tfcm compress` is told of them."""

import os

import numpy as np

from tfc_models.cli.files import STREAM
from tfc_models.datasets.files import page_count, read_picture
from tfc_models.errors import UsageError

_LIGHT = 128


def add_arguments(parser):
  """Adds the flags."""
  parser.add_argument(
      "--depth", type=int, choices=[8, 16],
      help="of pictures of more than 8 bits a sample: 8 rounds them, 16 keeps all bits, "
      "without loss and at many more bytes, beside the picture of 8")
  parser.add_argument(
      "--alpha_quality", type=int, default=100, metavar="1..100",
      help="of transparency: 100 keeps it as it is (default), less keeps fewer levels")
  parser.add_argument(
      "--pages", action="store_true",
      help="of files of several pages or frames: code each into a file, photo.tif into "
      "photo-1.tfcm, photo-2.tfcm ...")
  parser.add_argument(
      "--srgb", action="store_true",
      help="convert pictures with an ICC profile, wide gamuts and CMYK too, to sRGB, and "
      "leave the profile out")


def mask(path):
  """Returns which pixels of a mask are light and seen, bool (H, W).

  Raises:
    ImageError: if it is no image.
  """
  pixels = read_picture(path, depth=8).pixels
  if pixels.shape[-1] in (2, 4):
    pixels = np.minimum(pixels[..., :-1], pixels[..., -1:])
  return pixels.max(axis=-1) >= _LIGHT


class Pages:
  """Which page of its input each output is of.

  Args:
    arguments: parsed.
  """

  def __init__(self, arguments):
    self._arguments = arguments
    self._numbers = {}

  def split(self, path, output):
    """Returns a pair (path, output) for each page of an input, if that is asked for.

    Raises:
      UsageError: if pages have no names.
    """
    if not self._arguments.pages:
      return [(path, output)]
    if path == STREAM:
      raise UsageError("--pages reads files, not stdin")
    count = page_count(path)
    if count == 1:
      return [(path, output)]
    if output == STREAM:
      raise UsageError(f"{path}: {count} pages have no place on stdout")
    stem, extension = os.path.splitext(output)
    pairs = []
    for number in range(1, count + 1):
      pairs.append((path, f"{stem}-{number}{extension}"))
      self._numbers[pairs[-1][1]] = number
    return pairs

  def read(self, data, name, output):
    """Returns the `datasets.files.Picture` for an output.

    Args:
      data: bytes of the input.
      name: of it.
      output: path.
    """
    page = self._numbers.get(output)
    return read_picture(
        data, name if page is None else f"{name} (page {page})",
        depth=self._arguments.depth, page=page, srgb=self._arguments.srgb)
