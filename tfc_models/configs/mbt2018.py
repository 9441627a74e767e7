"""mbt2018: joint prior (Minnen, Balle, Toderici, NeurIPS 2018)."""

from tfc_models.configs import common

_EXPECTED = {
    "mse": {
        "bpp": (
            0.111, 0.187, 0.288, 0.432, 0.639, 0.885, 1.200, 1.587),
        "psnr": (
            28.09, 29.65, 31.36, 33.09, 35.09, 36.99, 38.93, 40.64),
        "ms_ssim": (
            0.9207, 0.9432, 0.9628, 0.9752, 0.9836, 0.9892, 0.9929, 0.9953),
    },
    "ms-ssim": {
        "bpp": (
            0.098, 0.156, 0.234, 0.326, 0.457, 0.615, 0.850, 1.141),
        "psnr": (
            25.54, 26.72, 27.91, 28.96, 29.57, 30.49, 32.02, 33.50),
        "ms_ssim": (
            0.9372, 0.9585, 0.9725, 0.9810, 0.9871, 0.9913, 0.9941, 0.9960),
    },
}


def get_config(variant="low"):
  """Returns the recipe; variants: low (192/192), high (192/320), narrow, tiny."""
  return common.hyperprior("mbt2018", variant, _EXPECTED, low=(192, 192))
