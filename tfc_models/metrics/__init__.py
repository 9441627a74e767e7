"""Distortion and rate, with their units in their names."""

from tfc_models.metrics.comparison import (
    Comparison,
    Likeness,
    compare,
    likeness,
)
from tfc_models.metrics.distortion import (
    log_mse,
    luma,
    mae,
    mse,
    psnr,
    psnr_from_mse,
)
from tfc_models.metrics.lpips import LPIPS_MIN_SIZE, Lpips
from tfc_models.metrics.rate import bits_per_pixel
from tfc_models.metrics.realism import (
    PATCH,
    frechet_distance,
    kernel_distance,
    patches,
)
from tfc_models.metrics.ssim import (
    MS_SSIM_MIN_SIZE,
    SSIM_MIN_SIZE,
    dissimilar_mae,
    ms_ssim,
    ssim,
)
from tfc_models.metrics.wasserstein import WASSERSTEIN_MIN_SIZE, wasserstein

__all__ = [
    "LPIPS_MIN_SIZE",
    "MS_SSIM_MIN_SIZE",
    "PATCH",
    "SSIM_MIN_SIZE",
    "WASSERSTEIN_MIN_SIZE",
    "Comparison",
    "Likeness",
    "Lpips",
    "bits_per_pixel",
    "compare",
    "dissimilar_mae",
    "frechet_distance",
    "kernel_distance",
    "likeness",
    "log_mse",
    "luma",
    "mae",
    "ms_ssim",
    "mse",
    "patches",
    "psnr",
    "psnr_from_mse",
    "ssim",
    "wasserstein",
]
