"""ma2020: subbands of a learned integer wavelet, iWave++ (Ma et al., TPAMI 2020)."""

from tfc_models.configs import common

_WIDE = dict(width=64, features=64, lifting_width=16, networks=4)
_VARIANTS = {
    "lossless": _WIDE, "lossy": dict(lossless=False, **_WIDE), "narrow": dict(),
    "tiny": dict(levels=1, width=4, features=4, lifting_width=2, networks=1),
}
# That of quality 50 of "lossy", 18 / (step^2 ln 2) as of a uniform quantiser.
_LMBDA = 0.024


def get_config(variant="lossless"):
  """Returns the recipe; variants: lossless, lossy, narrow, tiny.

  The loss of all but "lossy" is the bits alone, whatever lmbda is. The paper trains on
  patches of 128 to 256, Adam at 1e-4, then 1e-5. "narrow" is lossless too, and trained
  on a CPU.
  """
  config = common.base("ma2020", **_VARIANTS[variant])
  config.data.patch_size = 96 if variant == "narrow" else 128
  config.train.lmbda = _LMBDA
  config.train.learning_rate = 2e-3 if variant == "narrow" else 1e-3
  config.train.schedule = "cosine"
  config.train.clip_norm = 1.0
  config.train.steps = 1_000_000
  return common.tiny(config) if variant == "tiny" else config
