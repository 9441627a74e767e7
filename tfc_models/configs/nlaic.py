"""nlaic: non-local attention, joint 3D context (Liu et al. 2019)."""

from tfc_models.configs import common


def get_config(variant="low"):
  """Returns the recipe; variants: low (M=192), high (M=256), narrow, tiny.

  And low, high or narrow with -gdn: the transforms of `mbt2018` under the same prior.

  The authors minimise lambda mse, mse on 0..1, and bits by 0.01: their 0.02 to 2.56 are
  0.003 to 0.39 of lmbda. Adam at 5e-5, halved every third epoch, norms of gradients
  clipped at 5, batch 12; a rate starts from its neighbour.
  """
  variant, is_gdn = common.suffixes(variant, "gdn")
  width, depth, side_depth = {
      "low": (192, 192, 128), "high": (256, 256, 192), "narrow": (64, 192, 64),
      "tiny": (8, 8, 4)}[variant]
  config = common.base(
      "nlaic", num_filters=width, latent_depth=depth, side_depth=side_depth)
  if is_gdn:
    config.model.arguments.transforms = "gdn"
  config.train.lmbda = 0.05 if variant == "high" else 0.0125
  config.train.learning_rate = 5e-5 if variant in ("low", "high") else 5e-4
  config.train.schedule = "cosine"
  config.train.clip_norm = 5.0
  config.data.batch_size = 12
  if variant == "tiny":
    config.model.arguments.num_blocks = 1
    return common.tiny(config)
  return config
