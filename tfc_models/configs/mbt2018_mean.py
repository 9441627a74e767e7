"""mbt2018-mean: mean-scale hyperprior (Minnen, Balle, Toderici, NeurIPS 2018)."""

from tfc_models.configs import common

_EXPECTED = {
    "mse": {
        "bpp": (
            0.124, 0.198, 0.307, 0.461, 0.662, 0.914, 1.234, 1.619),
        "psnr": (
            27.70, 29.36, 31.13, 32.95, 34.97, 36.91, 38.84, 40.63),
        "ms_ssim": (
            0.9178, 0.9431, 0.9615, 0.9752, 0.9836, 0.9892, 0.9930, 0.9953),
    },
    "ms-ssim": {
        "bpp": (
            0.102, 0.162, 0.242, 0.342, 0.464, 0.638, 0.862, 1.159),
        "psnr": (
            25.44, 26.57, 27.57, 28.50, 29.52, 30.85, 32.24, 33.83),
        "ms_ssim": (
            0.9338, 0.9570, 0.9718, 0.9808, 0.9866, 0.9912, 0.9941, 0.9961),
    },
}


def get_config(variant="low"):
  """Returns the recipe; variants: low (128/192), high (192/320), narrow, tiny."""
  return common.hyperprior("mbt2018-mean", variant, _EXPECTED)
