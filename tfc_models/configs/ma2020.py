"""ma2020: lossless, subbands of a learned integer wavelet (Ma et al., TPAMI 2020)."""

from tfc_models.configs import common

_VARIANTS = {
    "lossless": dict(width=64, features=64, lifting_width=16, networks=4),
    "narrow": dict(),
    "tiny": dict(levels=2, width=4, features=4, lifting_width=2, networks=1),
}


def get_config(variant="lossless"):
  """Returns the recipe; variants: lossless, narrow, tiny.

  The loss is the bits alone, whatever lmbda is. The paper trains on patches of 128 to
  256, Adam at 1e-4, then 1e-5. "narrow" is trained on a CPU.
  """
  config = common.base("ma2020", **_VARIANTS[variant])
  config.data.patch_size = 128
  config.train.learning_rate = 1e-3
  config.train.schedule = "cosine"
  config.train.clip_norm = 1.0
  config.train.steps = 1_000_000
  return common.tiny(config) if variant == "tiny" else config
