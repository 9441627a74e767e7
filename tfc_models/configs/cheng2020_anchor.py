"""cheng2020-anchor: residual transforms, one Gaussian (Cheng et al., CVPR 2020)."""

from tfc_models.configs import common


def get_config(variant="high"):
  """Returns the recipe; variants: low (128), high (192), narrow (64/192), tiny.

  And low, high or narrow with -checkerboard, -gdn or -checkerboard-gdn, see
  `common.cheng`. The curve expected is of CompressAI's re-trained models, which depart
  from the paper in their lmbda.
  """
  config = common.cheng("cheng2020-anchor", variant)
  config.expected = {
      distortion: f"compressai/cheng2020-anchor_{distortion}"
      for distortion in common.LMBDAS}
  if variant == "tiny":  # The other context is that of the other model's.
    config.model.arguments.context = "checkerboard"
  return config
