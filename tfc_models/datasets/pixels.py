"""Pixels of opened image files: their modes to arrays, transparency included."""

import numpy as np
from PIL import Image

from tfc_models.datasets import colours

_GREY = ("1", "L", "LA", "La")
# Rows that are converted at a time.
_STRIP = 256
# What PNG samples of fewer bits are multiplied by, by Pillow's raw modes.
_SCALES = {"L;2": 85, "L;4": 17}


def of_image(image):
  """Returns the uint8 array (H, W, 1 to 4) of a PIL image of 8 bits or fewer.

  Grey or RGB, and transparency behind them if there is any; palettes and CMYK are
  converted. In strips: Pillow's copies of large images take more than themselves.
  """
  mode = "L" if image.mode in _GREY else "RGB"
  if image.has_transparency_data:
    mode += "A"
  array = np.empty((image.height, image.width, len(mode)), np.uint8)
  for top in range(0, image.height, _STRIP):
    bottom = min(top + _STRIP, image.height)
    strip = image.crop((0, top, image.width, bottom)).convert(mode)
    array[top:bottom] = np.asarray(strip).reshape(array[top:bottom].shape)
  return array


def in_srgb(image, array, profile):
  """Returns the pixels of a PIL image by its profile, (H, W, 1 to 4) as `of_image`.

  Args:
    image: loaded.
    array: its pixels as they are, uint8 (H, W, 1 to 4).
    profile: bytes of its ICC profile.

  Raises:
    ValueError: if that is broken, or of other colours.
  """
  if image.mode == "CMYK":
    return colours.to_srgb(image, profile)
  count = array.shape[-1] // 3 * 2 + 1  # 1 of grey, 3 of colours.
  seen = array[..., 0] if count == 1 else np.ascontiguousarray(array[..., :3])
  return np.concatenate(
      [colours.to_srgb(Image.fromarray(seen), profile), array[..., count:]], axis=-1)


def mend_transparency(image):
  """Scales the transparent grey of PNG files of 2 and 4 bits, which Pillow does not.

  Args:
    image: opened, not yet decoded PIL image.
  """
  grey = image.info.get("transparency")
  if image.format == "PNG" and isinstance(grey, int) and image.tile:
    image.info["transparency"] = grey * _SCALES.get(image.tile[0][3], 1)
