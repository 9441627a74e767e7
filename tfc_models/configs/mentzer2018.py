"""mentzer2018: importance map, six centres, 3D context (Mentzer et al., CVPR 2018)."""

from tfc_models.configs import common

# Arguments, and the rate that costs nothing; none where bpp + lmbda mse is minimised.
_VARIANTS = {
    "low": (dict(latent_depth=32), 0.2), "med": (dict(latent_depth=32), 0.6),
    "high": (dict(latent_depth=64), 1.0), "narrow": (dict(num_filters=48, batch_statistics=False), 0.0),
    "tiny": (dict(num_filters=8, latent_depth=4, context_features=4), 0.0),
}


def get_config(variant="med"):
  """Returns the recipe; variants: low, med, high, narrow, tiny.

  The paper minimises 5000 (1 - MS-SSIM) + 500 max(H - H_target, 0), with H bits a symbol,
  of which 32 channels have half a one a pixel: as here, over 1000. About six epochs of
  ImageNet, batch 30 of 160x160, Adam at 8e-5, a tenth of it every second epoch; the
  context model at 1e-4. MS-SSIM of five scales needs patches of 176 here.
  "narrow" is trained on a CPU, for squared errors and at any rate (bpp + lmbda mse), in
  batches too small to take statistics of.
  """
  arguments, target_bpp = _VARIANTS[variant]
  config = common.base("mentzer2018", **arguments)
  config.train.learning_rate = 1e-3
  if target_bpp:
    config.train.distortion = "ms-ssim"
    config.train.lmbda = 5.0
    config.train.target_bpp = target_bpp
    config.train.learning_rate = 8e-5
    config.data.patch_size = 192
    config.data.batch_size = 30
  config.train.schedule = "step"
  config.train.decay_at = (1 / 3, 2 / 3)
  config.train.rates = {"context_network": 1.25}
  return common.tiny(config) if variant == "tiny" else config
