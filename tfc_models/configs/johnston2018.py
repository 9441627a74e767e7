"""johnston2018: recurrent codecs with priming (Johnston et al., CVPR 2018)."""

from tfc_models.configs import common


def get_config(variant="prime"):
  """Returns the recipe; variants: prime, diffusion, narrow, tiny."""
  arguments = {
      "prime": dict(priming=3, width=512),
      "diffusion": dict(priming=3, diffusion=3, width=512),
      "narrow": dict(priming=3, width=128),
      "tiny": dict(priming=1, diffusion=1, width=16, code_depth=4, iterations=2),
  }[variant]
  config = common.base("johnston2018", **arguments)
  # The paper: crops of 128x128, batch 32, about 1 M steps.
  config.data.patch_size = 64 if variant == "narrow" else 128
  config.data.batch_size = 16
  config.train.distortion = "ssim-mae"
  config.train.lmbda = 0.1
  config.train.learning_rate = 5e-4
  config.train.schedule = "cosine"
  config.train.steps = 1_000_000
  config.expected = {
      "mse": {
          "bpp": (0.10, 0.22, 0.34, 0.47, 0.61, 0.81, 1.01, 1.26, 1.51, 1.81),
          "psnr": (25.04, 27.26, 29.22, 30.37, 31.41, 33.08, 33.97, 35.07,
                   36.25, 36.87),
      },
      "source": "tensorflow/compression results/image_compression/kodak, with "
      "entropy coding",
  }
  return common.tiny(config) if variant == "tiny" else config
