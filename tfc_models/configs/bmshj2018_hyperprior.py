"""bmshj2018-hyperprior: scale hyperprior (Balle et al., ICLR 2018)."""

from tfc_models.configs import common

_EXPECTED = {
    "mse": {
        "bpp": (
            0.131, 0.209, 0.320, 0.478, 0.669, 0.939, 1.259, 1.660),
        "psnr": (
            27.58, 29.20, 30.97, 32.84, 34.53, 36.74, 38.58, 40.56),
        "ms_ssim": (
            0.9174, 0.9421, 0.9611, 0.9749, 0.9836, 0.9892, 0.9929, 0.9955),
    },
    "ms-ssim": {
        "bpp": (
            0.109, 0.167, 0.248, 0.350, 0.474, 0.638, 0.859, 1.160),
        "psnr": (
            24.87, 25.99, 27.07, 28.11, 28.99, 30.22, 31.60, 33.17),
        "ms_ssim": (
            0.9347, 0.9551, 0.9707, 0.9806, 0.9866, 0.9907, 0.9938, 0.9959),
    },
}


def get_config(variant="low"):
  """Returns the recipe; variants: low (128/192), high (192/320), narrow, tiny."""
  return common.hyperprior("bmshj2018-hyperprior", variant, _EXPECTED)
