"""hific: generative compression with a hyperprior (Mentzer et al., NeurIPS 2020)."""

from tfc_models.configs import common

# Arguments, and the rate that training strives for.
_NARROW = dict(widths=[16, 24, 64, 128, 192], latent_depth=64, hyper_filters=64, blocks=6,
               judges=[32, 64, 128, 128])
_TINY = dict(widths=[8, 8, 12, 12, 16], latent_depth=6, hyper_filters=8, blocks=1,
             judges=[8, 8, 8, 8])
_VARIANTS = {
    "low": ({}, 0.14), "med": ({}, 0.3), "high": ({}, 0.45), "narrow": (_NARROW, 0.14),
    "tiny": (_TINY, 0.0),
}


def get_config(variant="low"):
  """Returns the recipe; variants: low, med, high, narrow, tiny; "-mse" is the first stage.

  Two stages, the second from the weights of the first:

      tfcm train --config=hific:low-mse --train_dir=first ...
      tfcm train --config=hific:low --train_dir=second --config.train.init=first ...

  The paper minimises r R + 0.002344 mse + LPIPS + 0.15 L_G, with r = 2 where the rate
  exceeds the target and r = 1/64 elsewhere: here over 2. Each stage has 1 M steps, batch
  8 of 256x256, Adam at 1e-4, a tenth of it from the middle on; in the first 50,000 steps
  the target is 0.2 instead of 0.14, and R costs half. Photographs are shrunk by 0.75 to
  0.95.

  Departs: by default the distance is the Wasserstein distortion of `metrics.wasserstein`,
  which needs no weights and is about a third of LPIPS, so it counts three times as much;
  `train.perceptual=lpips:...` with `train.perceptual_weight=0.5` is the paper's. The first
  stage has its target from the start. Discriminators have beta_1 of 0.5, the usual one.
  "narrow" is trained on a CPU, on small photographs that have more detail a pixel: at the
  weights of the paper they take 0.25 bpp.
  """
  variant, is_first = common.suffixes(variant, "mse")
  arguments, target_bpp = _VARIANTS[variant]
  config = common.base("hific", **arguments)
  config.data.max_downscale = 1.33
  config.train.lmbda = 0.00117
  config.train.target_bpp = target_bpp
  config.train.below_target = 1 / 128
  config.train.perceptual = "wasserstein"
  config.train.perceptual_weight = 1.5
  config.train.adversarial = 0.0 if is_first else 0.075
  config.train.schedule = "step"
  config.train.decay_at = (0.5,)
  config.train.steps = 1_000_000
  config.train.rates = {"z_codec": 10.0}
  config.train.networks = {"discriminator": {"beta_1": 0.5}}
  if variant == "narrow":
    config.data.patch_size = 128
    config.train.schedule = "cosine"
    config.train.learning_rate = 1e-3
    config.train.lmbda = 0.0007
    config.train.perceptual_weight = 1.0
  return common.tiny(config) if variant == "tiny" else config
