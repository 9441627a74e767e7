"""choi2019: one network for all rates (Choi, El-Khamy, Lee, ICCV 2019)."""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (192/192), high (192/320), narrow, tiny."""
  return common.conditional("choi2019", variant, low=(192, 192))
