"""choi2019-mean: the same on the mean-scale backbone, without context."""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (128/192), high (192/320), narrow, tiny."""
  return common.conditional("choi2019-mean", variant, low=(128, 192))
