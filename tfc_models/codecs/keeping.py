"""Masks of what of a picture is coded, checked."""

import numpy as np

from tfc_models.bitstream import mask
from tfc_models.errors import UsageError


def noted(model, keep, image, options):
  """Returns what the header of a file says of a mask, a dict of settings.

  Nothing, where there is no mask or it keeps all: the file is then the same.

  Args:
    model: `CompressionModel` with the capability "keep".
    keep: of `Settings`.
    image: (H, W, C), the picture.
    options: `FileOptions`.

  Raises:
    UsageError: if it is no mask of the picture, or keeps nothing.
  """
  if keep is None:
    return {}
  keep, (height, width, _) = np.asarray(keep), image.shape
  if keep.ndim != 2 or keep.dtype.kind not in "biuf":
    raise UsageError(
        "a mask must be an array (H, W) of numbers, got "
        f"{keep.dtype} of shape {keep.shape}", argument="keep")
  if keep.shape != (height, width):
    raise UsageError(
        f"the mask has {keep.shape[1]}x{keep.shape[0]} pixels, the picture "
        f"{width}x{height}", argument="keep")
  if options.tile:
    raise UsageError("a picture of which a mask keeps parts is not in tiles",
                     argument="tile")
  sites = mask.sites_of(keep, model.downsampling_factor)
  if not sites.any():
    raise UsageError("the mask keeps nothing of the picture", argument="keep")
  return {} if sites.all() else {"keep": mask.write(sites, model.downsampling_factor)}
