"""All metrics of one pair of images at once."""

import dataclasses
import functools
from typing import Optional

import numpy as np

from tfc_models.errors import ImageError
from tfc_models.metrics import distortion, ssim
from tfc_models.metrics.lpips import LPIPS_MIN_SIZE
from tfc_models.metrics.perceptual import lpips_of
from tfc_models.metrics.wasserstein import WASSERSTEIN_MIN_SIZE, wasserstein
from tfc_models.ops import image as image_ops


@dataclasses.dataclass(frozen=True)
class Comparison:
  """How far an image is from the original.

  Attributes:
    mse: mean squared error over all samples of the 8-bit images.
    psnr: dB, of that; infinite for equal images.
    psnr_y: dB, of the luma of JFIF, not rounded.
    ms_ssim: 0 to 1, mean over channels; None where a side is below
      `MS_SSIM_MIN_SIZE`.
    ssim: likewise, one scale; None below `SSIM_MIN_SIZE`.
  """

  mse: float
  psnr: float
  psnr_y: float
  ms_ssim: Optional[float]
  ssim: Optional[float]


def compare(image, decoded):
  """Returns the `Comparison` of two uint8 images (H, W, 1 or 3).

  A grey image that came back in colour is compared in colour. Large ones are compared
  in strips.

  Raises:
    ImageError: if their sizes differ.
  """
  if image.shape[:2] != decoded.shape[:2]:
    raise ImageError(
        f"images of {image.shape[1]}x{image.shape[0]} and "
        f"{decoded.shape[1]}x{decoded.shape[0]} pixels cannot be compared")
  image, decoded = np.broadcast_arrays(image, decoded)
  ms_ssim, one_scale = ssim.similarity(image, decoded)
  return Comparison(
      mse=float(distortion.squared_error(image, decoded)),
      psnr=float(distortion.psnr(image, decoded)),
      psnr_y=float(distortion.psnr(image, decoded, distortion.luma)),
      ms_ssim=ms_ssim, ssim=one_scale)


@dataclasses.dataclass(frozen=True)
class Likeness:
  """How much an image looks like the original, 0 for equal ones.

  Attributes:
    wasserstein: see `metrics.wasserstein`; None below `WASSERSTEIN_MIN_SIZE`.
    lpips: see `metrics.Lpips`; None without its files, and below `LPIPS_MIN_SIZE`.
  """

  wasserstein: Optional[float]
  lpips: Optional[float]


def likeness(image, decoded, lpips=""):
  """Returns the `Likeness` of two uint8 images (H, W, 1 or 3) of one size.

  Args:
    image, decoded: the images; grey ones count as grey colours.
    lpips: "ALEXNET.pth,LINEAR.pth", see `perceptual.create`; "" for no LPIPS.

  Raises:
    UsageError: if there are no such files.
  """
  network = _lpips(lpips) if lpips else None
  x, x_hat = (image_ops.rgb_batch(one) for one in (image, decoded))
  side = min(image.shape[:2])
  return Likeness(
      float(wasserstein(x, x_hat)[0]) if side >= WASSERSTEIN_MIN_SIZE else None,
      float(network(x, x_hat)[0]) if network and side >= LPIPS_MIN_SIZE else None)


_lpips = functools.lru_cache(maxsize=1)(lpips_of)
