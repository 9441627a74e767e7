"""Training patches, each a function of its number; needs NumPy and Pillow.

Training bundles carry this file, so that other machines train on equal patches.
"""

import functools

import numpy as np
from PIL import Image


def locate(index, count, seed):
  """Returns the number of the image that patch `index` is cut from.

  Every `count` consecutive patches use every image once, in another order.

  Args:
    index: int, from 0 without end.
    count: number of images.
    seed: int.
  """
  epoch, position = divmod(index, count)
  return int(_order(seed, epoch, count)[position])


# Two: at the seam of two epochs both are in use.
@functools.lru_cache(maxsize=2)
def _order(seed, epoch, count):
  return np.random.default_rng([seed, 0, epoch]).permutation(count)


def cut(image, index, *, patch_size, seed, max_downscale):
  """Returns patch number `index`, cut from an image.

  Args:
    image: PIL image in RGB, no side below `patch_size`.
    index: int; decides place, size and whether the patch is mirrored.
    patch_size: side in pixels.
    seed: int.
    max_downscale: the image is shrunk by a random factor of 1 to this, as far
      as its size allows.

  Returns:
    uint8 array (patch_size, patch_size, 3).
  """
  rng = np.random.default_rng([seed, 1, index])
  largest = min(max_downscale, min(image.size) / patch_size)
  window = patch_size * rng.uniform(1.0, max(largest, 1.0))
  left = rng.uniform(0.0, image.width - window)
  top = rng.uniform(0.0, image.height - window)
  if max_downscale == 1.0:
    left, top = int(left), int(top)
    patch = image.crop((left, top, left + patch_size, top + patch_size))
  else:
    patch = image.resize(
        (patch_size, patch_size), Image.Resampling.BICUBIC,
        box=(left, top, left + window, top + window))
  patch = np.asarray(patch)
  return patch[:, ::-1] if rng.integers(2) else patch
