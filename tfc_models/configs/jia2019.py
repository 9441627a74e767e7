"""jia2019: layers of autoencoders, each of what those before left (MIPR 2019)."""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (48; 48, 48, 96, 96, 96), conditioned, single, tiny.

  The authors train 100,000 steps, batch 8 of 256x256, Adam at 1e-4, of the first layer,
  then each of the others, for hundreds of thousands more. lmbda is that of the first
  layer: the paper's 3000 weighs the rate against the sum of the errors of three
  channels. The density of y learns ten times as fast, see `common.hyperprior`.
  """
  widths = {
      "low": {}, "conditioned": dict(conditioned=True),
      "single": dict(latent_depths=[96]),  # One layer, to compare with.
      "tiny": dict(num_filters=8, latent_depths=[4, 4, 6], conditioned=True),
  }
  config = common.base("jia2019", **widths[variant])
  config.train.lmbda = 0.001
  config.train.truncate = 1
  config.train.rates = {"y_codecs": 10.0}
  return common.tiny(config) if variant == "tiny" else config
