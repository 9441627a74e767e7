"""bmshj2018-hyperprior: scale hyperprior (Balle et al., ICLR 2018)."""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (128/192), high (192/320), narrow, tiny."""
  return common.hyperprior("bmshj2018-hyperprior", variant)
