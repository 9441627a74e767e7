"""bmshj2018-factorized: factorized prior, four stages (Balle et al., ICLR 2018).

The paper trains about 1 M steps, batch 8 of 256x256, Adam at 1e-4, the widths
"low" for its five lower rates and "high" for the three others. Its values of
lmbda are not stated; the field uses 0.0018, 0.0035, 0.0067, 0.013, 0.025,
0.0483, 0.0932, 0.18, and 2.4, 4.58, 8.73, 16.64, 31.73, 60.5, 115.37, 220 for
MS-SSIM (CompressAI's documentation).
"""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (128/192), high (192/320), narrow, tiny."""
  num_filters, latent_depth = {
      "low": (128, 192), "high": (192, 320), "narrow": (64, 96), "tiny": (8, 12),
  }[variant]
  config = common.base(
      "bmshj2018-factorized", num_filters=num_filters, latent_depth=latent_depth)
  config.train.lmbda = 0.013
  return common.tiny(config) if variant == "tiny" else config
