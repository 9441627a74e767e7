"""hu2020: coarse-to-fine hyperprior (Hu, Yang, Liu, AAAI 2020)."""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (192/192), narrow (64/192), tiny.

  "low" has the widths of the authors' networks for low rates. They train 256x256, batch
  8 to 16, Adam at 1e-4 and then 1e-5; their lmbda is not on our scale. The scales of z1
  learn ten times as fast, see `common.hyperprior`, which also says what widths can hold.
  """
  num_filters, latent_depth, z2_depth, z1_depth = {
      "low": (192, 192, 256, 128), "narrow": (64, 192, 128, 64),
      "tiny": (8, 8, 8, 8),
  }[variant]
  config = common.base("hu2020", num_filters=num_filters, latent_depth=latent_depth,
                       z2_depth=z2_depth, z1_depth=z1_depth)
  config.train.lmbda = common.LMBDAS["mse"][3]
  config.train.rates = {"z_codec/z_codec": 10.0}
  return common.tiny(config) if variant == "tiny" else config
