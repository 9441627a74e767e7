"""agustsson2019: GANs at extremely low rates (Agustsson et al., ICCV 2019)."""

from tfc_models.configs import common

_PAPER = {f"c{depth}": dict(latent_depth=depth) for depth in (2, 4, 8, 16)}
_VARIANTS = {
    **_PAPER,
    "narrow": dict(num_filters=16, latent_depth=8, num_blocks=4, boxes=0.25,
                   norm="channel", judges=[24, 48, 96, 96]),
    "tiny": dict(num_filters=4, latent_depth=4, num_blocks=1, boxes=1.0,
                 judges=[4, 4, 4, 4]),
}


def get_config(variant="c4"):
  """Returns the recipe; variants: c2, c4, c8, c16 (channels of the code), narrow, tiny.

  And c2, c4, c8 or c16 with -selective: of a quarter of the patches a random box is kept,
  which makes weights that take masks, as narrow and tiny do. Any with -mse behind it is a
  first stage without a discriminator, which the paper does without, and which short runs
  gain from; with -frozen a last one, of which the generator's norms keep still. "narrow"
  has HiFiC's norm, so that what a mask keeps is not changed by what it leaves out, and a
  KLT to start from: 19.5 dB of training patches, where random weights reach 17.8 dB of
  validation after 8 minutes of the first stage on two cores (17.5 with the paper's norm).

  The authors train some 280 k steps of one image, of OpenImages with a longer side of
  768, Adam at 2e-4; the generator's norms are frozen after 140 k. The loss against the
  discriminator counts 1, and 10 times the squared error of samples in -1..1: lmbda is
  that for 0..255. There is no weight of the entropy, see `entropy` of the model. VGG's
  features count 12 there and nothing here, see `train.perceptual`. Discriminators have
  beta_1 of 0.5, the usual one.
  """
  variant, is_selective, is_first, is_last = common.suffixes(
      variant, "selective", "mse", "frozen")
  arguments = dict(_PAPER[variant], boxes=0.25) if is_selective else _VARIANTS[variant]
  config = common.base(
      "agustsson2019", **{"norm": "instance", "boxes": 0.0, "entropy": 0.0, **arguments})
  config.train.lmbda = 10.0 * (2.0 / 255.0)**2
  config.train.learning_rate = 2e-4
  config.train.rates = {"y_codec": 10.0}
  config.train.steps = 280_000
  config.train.adversarial = 0.0 if is_first else 1.0
  config.train.networks = {"discriminator": {"beta_1": 0.5}}
  config.data.batch_size = 1
  if is_last:
    config.train.freeze = _norms(arguments.get("num_blocks", 9))
  if variant == "narrow":
    config.train.learning_rate = 1e-3
    config.train.schedule = "cosine"
    config.data.batch_size = 8
  return common.tiny(config) if variant == "tiny" else config


def _norms(blocks):
  """Returns the object paths of the generator's norms."""
  parts = ["head", *(f"up/{number}" for number in range(4)), *(
      f"body/{number}/branch/{place}" for number in range(blocks) for place in range(2))]
  return tuple(f"synthesis_transform/{part}/normalization" for part in parts)
