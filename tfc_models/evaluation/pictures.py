"""Pictures for people: images side by side."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfc_models.datasets.files import rgb_image

_MARGIN = 8
_TEXT_HEIGHT = 28


def side_by_side(rows):
  """Returns a PIL image of labelled images in rows.

  Args:
    rows: list of lists of (label, uint8 array (H, W, 1 or 3)).
  """
  font = ImageFont.load_default(size=16)
  heights = [
      max(image.shape[0] for _, image in row) + _TEXT_HEIGHT + _MARGIN
      for row in rows]
  width = max(
      sum(image.shape[1] + _MARGIN for _, image in row) for row in rows)
  sheet = Image.new("RGB", (width + _MARGIN, sum(heights) + _MARGIN), "white")
  draw = ImageDraw.Draw(sheet)
  top = _MARGIN
  for row, height in zip(rows, heights):
    left = _MARGIN
    for label, image in row:
      draw.text((left, top + 4), label, fill="black", font=font)
      sheet.paste(rgb_image(image), (left, top + _TEXT_HEIGHT))
      left += image.shape[1] + _MARGIN
    top += height
  return sheet


def difference(image, other, gain):
  """Returns where two images differ: grey where not, brighter or darker where so.

  Args:
    image, other: uint8 arrays (H, W, 1 or 3).
    gain: of the difference, other - image, for each channel.

  Returns:
    uint8 array (H, W, 3).
  """
  image, other = np.broadcast_arrays(image.astype(np.int32), other)
  shown = np.clip(128 + gain * (other - image), 0, 255).astype(np.uint8)
  return np.broadcast_to(shown, shown.shape[:2] + (3,))
