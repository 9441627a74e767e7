"""mbt2018: joint prior (Minnen, Balle, Toderici, NeurIPS 2018)."""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (192/192), high (192/320), narrow, tiny."""
  config = common.hyperprior("mbt2018", variant, low=(192, 192))
  config.model.arguments.context_bits = 3
  return config
