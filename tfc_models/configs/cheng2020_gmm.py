"""cheng2020-gmm: attention and a mixture of Gaussians (Cheng et al., CVPR 2020)."""

from tfc_models.configs import common


def get_config(variant="high"):
  """Returns the recipe; variants: low (128), high (192), narrow (64/192), tiny.

  And low, high or narrow with -plain, without attention; then with -checkerboard, -gdn
  or -checkerboard-gdn, see `common.cheng`.
  """
  is_plain = "-plain" in variant
  config = common.cheng("cheng2020-gmm", variant.replace("-plain", "", 1))
  if is_plain:
    config.model.arguments.attention = False
  return config
