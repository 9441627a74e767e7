"""bmshj2018-factorized: factorized prior, four stages (Balle et al., ICLR 2018)."""

from tfc_models.configs import common

_EXPECTED = {
    "mse": {
        "bpp": (
            0.123, 0.189, 0.288, 0.440, 0.648, 0.967, 1.351, 1.833),
        "psnr": (
            26.91, 28.22, 29.62, 31.28, 32.96, 35.38, 37.40, 39.62),
        "ms_ssim": (
            0.9100, 0.9361, 0.9555, 0.9704, 0.9806, 0.9879, 0.9922, 0.9951),
    },
    "ms-ssim": {
        "bpp": (
            0.116, 0.173, 0.252, 0.359, 0.498, 0.669, 0.887, 1.178),
        "psnr": (
            25.30, 26.30, 27.22, 28.17, 29.05, 30.33, 31.43, 32.78),
        "ms_ssim": (
            0.9296, 0.9503, 0.9651, 0.9770, 0.9845, 0.9895, 0.9928, 0.9951),
    },
}


def get_config(variant="low"):
  """Returns the recipe; variants: low (128/192), high (192/320), narrow, tiny."""
  return common.hyperprior("bmshj2018-factorized", variant, _EXPECTED)
