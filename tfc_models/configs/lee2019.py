"""lee2019: context-adaptive entropy model (Lee, Cho, Beack, ICLR 2019)."""

from tfc_models.configs import common

# The paper's loss is lambda R + (1 - lambda) D, with a constant in D that it does not
# state. Slopes of its published Kodak curve between neighbouring rates are 0.0014 to
# 0.0018 (1 - lambda) / lambda on our scale, over a range of a hundred.
_CONSTANT = 0.0017


def get_config(variant="base"):
  """Returns the recipe; variants: base (128/192), hybrid (192/192+192), narrow, tiny.

  The authors train about 1 M steps, batch 8 of 256x256, Adam at 5e-5, base models for
  lambda 0.5, 0.4, 0.3, 0.2, 0.12 and hybrid ones for 0.06, 0.03 (228 parallel channels),
  0.017 and 0.01 (408): lmbda 0.0017 to 0.17. base has the largest of the former, hybrid
  the first of the latter. "narrow" has fewer filters, see `common.hyperprior`.
  """
  num_filters, latent_depth, parallel_depth, weight = {
      "base": (128, 192, 0, 0.12), "hybrid": (192, 192, 192, 0.06),
      "narrow": (64, 192, 0, 0.12), "tiny": (8, 8, 4, 0.12),
  }[variant]
  config = common.base(
      "lee2019", num_filters=num_filters, latent_depth=latent_depth,
      parallel_depth=parallel_depth)
  config.train.lmbda = round(_CONSTANT * (1.0 - weight) / weight, 4)
  config.train.rates = {"z_codec": 10.0}
  config.expected = {"mse": "tfc/lee-2019-context-adaptive"}
  return common.tiny(config) if variant == "tiny" else config
