"""bls2017: factorized prior, three stages (Balle et al., ICLR 2017).

The authors' script trains 1 M steps, batch 8 of 256x256, Adam at 1e-4, lmbda
0.01. No curve of this network is public: the one that circulates as "Balle 2017"
is point for point that of `bmshj2018-factorized`, so no curve is expected here: a
little less than that one. `common.LMBDAS` holds the usual rates.
"""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (N=128), high (N=256), narrow, tiny."""
  widths = {"low": 128, "high": 256, "narrow": 64, "tiny": 8}
  config = common.base("bls2017", num_filters=widths[variant])
  config.train.rates = {"y_codec": 10.0}  # As `common.hyperprior` says.
  return common.tiny(config) if variant == "tiny" else config
