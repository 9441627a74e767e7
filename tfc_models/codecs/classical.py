"""Codecs that Pillow brings along, as anchors."""

import io

import numpy as np
from PIL import Image

from tfc_models.codecs.base import Codec, check_image


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
    image = check_image(image)
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
        buffer, self.format, **{**self.options, **(settings or {})})
    return buffer.getvalue()

  def decode(self, data):
    array = np.asarray(Image.open(io.BytesIO(data)))
    return array[..., None] if array.ndim == 2 else array


def jpeg(quality):
  """Returns baseline JPEG 4:2:0 with optimised Huffman tables."""
  return PillowCodec(
      "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
