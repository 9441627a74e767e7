"""The sections that all recipes share."""

import dataclasses

import ml_collections

from tfc_models.configs import options


def base(model, **arguments):
  """Returns a recipe for a registered model with its keyword arguments."""
  return ml_collections.ConfigDict({
      "model": {"name": model, "arguments": arguments},
      "data": dataclasses.asdict(options.DataOptions()),
      "train": dataclasses.asdict(options.TrainOptions()),
      # What training at the full widths should reach on Kodak: from distortion to
      # the name of a curve of evaluation.published.
      "expected": {},
  })


# The values of lmbda that the field trains at (CompressAI's documentation); the
# papers of Balle et al. do not state theirs.
LMBDAS = {
    "mse": (0.0018, 0.0035, 0.0067, 0.013, 0.025, 0.0483, 0.0932, 0.18),
    "ms-ssim": (2.4, 4.58, 8.73, 16.64, 31.73, 60.5, 115.37, 220.0),
}


def suffixes(variant, *known, default=None):
  """Returns a variant without suffixes, then whether it had each of them.

  Args:
    variant: such as "narrow-coded-tiny".
    known: "coded", "tiny", in the order in which they may follow a name.
    default: the name that "tiny" by itself is the tiny variant of.
  """
  if variant == "tiny" and default:
    variant = f"{default}-tiny"
  found = []
  for suffix in reversed(known):
    found.append(variant.endswith(f"-{suffix}"))
    variant = variant.removesuffix(f"-{suffix}")
  return variant, *reversed(found)


def hyperprior(model, variant, low=(128, 192)):
  """Returns the recipe of a model of Balle et al. or Minnen et al., 2018.

  Balle et al. train about 1 M steps, batch 8 of 256x256, Adam at 1e-4, the
  widths "low" for the five lower of `LMBDAS` and "high" (192/320) for
  the three others; re-trainings take 4 to 5 M steps. Models for MS-SSIM start
  from those for MSE, with a tenth of the learning rate. "narrow" has fewer filters,
  but not fewer channels: 96 of them cannot hold more than 31.5 dB of Kodak, 192
  hold 37.4. The density of z (of y, without a hyperprior) learns ten times as fast:
  its parameters are far from small, and their gradients are. The curves expected are
  of CompressAI's re-trained models, a point for each of `LMBDAS`.

  Args:
    model: registered name.
    variant: "low", "high", "narrow" or "tiny".
    low: widths of the variant of that name.
  """
  num_filters, latent_depth = {
      "low": low, "high": (192, 320), "narrow": (64, 192), "tiny": (8, 12),
  }[variant]
  config = base(model, num_filters=num_filters, latent_depth=latent_depth,
                origin="tfc_models")
  config.train.lmbda = LMBDAS["mse"][5 if variant == "high" else 3]
  config.train.rates = {"y_codec" if model.endswith("factorized") else "z_codec": 10.0}
  config.expected = {
      distortion: f"compressai/{model}_{distortion}" for distortion in LMBDAS}
  return tiny(config) if variant == "tiny" else config


def conditional(model, variant, low):
  """Returns the recipe of a model of Choi et al. 2019, on a backbone of `hyperprior`.

  lmbda is that of the middle one of five rates. No curve of theirs is in our tables.
  The paper trains 2 M steps, batch 8 of 256x256, Adam at 1e-4, a tenth of it from 40 %
  on and again from 80 % on, first with bins of 1 and then of all sizes; for MS-SSIM from
  those weights. What the widths can hold is as there.

  Args:
    model, variant, low: as of `hyperprior`.
  """
  config = hyperprior(model, variant, low)
  del config.model.arguments.origin
  config.train.lmbda = 0.025
  config.train.schedule = "step"
  config.train.decay_at = (0.4, 0.8)
  config.train.steps = 2_000_000
  config.expected = {}
  return tiny(config) if variant == "tiny" else config


def tiny(config):
  """Returns the recipe shrunk to seconds, for tests and first tries."""
  config.data.patch_size = 64
  config.data.batch_size = 2
  config.data.validation_batches = 1
  config.train.steps = 4
  config.train.steps_per_epoch = 2
  return config


def binary_rnn(is_coded):
  """Returns the arguments of a recurrent codec, with an entropy coder or without."""
  # The coder learns from the signs that it will see, not from random ones.
  return dict(binary_rnn_width=64 if is_coded else 0, stochastic=not is_coded)


# Of narrow networks with a state, where the papers of Toderici et al. and Johnston et
# al. have "one_shot": learns much faster, which counts in some thousand steps.
QUICK_RECONSTRUCTION = dict(reconstruction="additive", residual_scale=3.0)


def stage_loss(is_ours, paper):
  """Returns the distortion of a recurrent codec's variant: ours, or the paper's.

  A mean of errors over iterations is mostly that of the first: six times as much as
  of the sixteenth in our weights, so that short runs neglect the late ones.
  """
  return "log-mse" if is_ours else paper


def recurrent(model, arguments, is_coded, distortion, patch_size):
  """Returns the recipe of a recurrent codec of photographs.

  Args:
    model: registered name.
    arguments: its keyword arguments, a dict.
    is_coded: whether the entropy coder is trained, and nothing else.
    distortion: of `TrainOptions`.
    patch_size: for the codec; the coder sees larger ones.
  """
  config = base(model, **arguments)
  config.data.patch_size = patch_size
  config.data.batch_size = 16
  config.train.distortion = distortion
  config.train.lmbda = 0.1
  config.train.learning_rate = 5e-4
  config.train.schedule = "cosine"
  # Gradients through 16 iterations explode now and then.
  config.train.clip_norm = 1.0
  config.train.steps = 1_000_000
  if is_coded:
    config.data.patch_size = 128
    config.data.batch_size = 4
    config.train.learning_rate = 1e-3
    config.train.steps = 20_000
    config.train.freeze = ("encoders", "decoders") + (
        ("gain_network",) if arguments["reconstruction"] == "scaled" else ())
  return config


# Of Cheng et al. 2020: widths, and lmbda of the paper, three of each.
_CHENG = {
    "low": (dict(num_filters=128), 0.0075), "high": (dict(num_filters=192), 0.03),
    "narrow": (dict(num_filters=64, latent_depth=192, widths=[256, 256]), 0.0075),
    "tiny": (dict(num_filters=16, latent_depth=12, widths=[24, 20]), 0.0075),
}


def cheng(model, variant):
  """Returns the recipe of a model of Cheng et al., 2020.

  The paper trains 1 M steps, batch 8 of 256x256, Adam at 1e-4, a tenth of it at the
  end, at lmbda 0.0016, 0.0032, 0.0075 with 128 filters, and 0.015, 0.03, 0.045 with
  192; for MS-SSIM 3, 12, 40 and 120. "low" and "high" are its third and fifth. "narrow"
  has a third of the filters and 192 channels of y, as others here.

  Args:
    model: registered name.
    variant: low, high, narrow or tiny; with "-checkerboard" behind low, high and narrow
      two passes instead of fronts, with "-gdn" the transforms of `mbt2018`.
  """
  wanted, is_checkerboard, is_gdn = suffixes(variant, "checkerboard", "gdn")
  arguments, lmbda = _CHENG[wanted]
  config = base(model, **arguments)
  if is_checkerboard:
    config.model.arguments.context = "checkerboard"
  if is_gdn:
    config.model.arguments.update(transforms="gdn", attention=False)
  config.train.lmbda = lmbda
  config.train.rates = {"z_codec": 10.0}
  config.train.schedule = "step"
  config.train.decay_at = (0.92,)
  config.train.steps = 1_000_000
  return tiny(config) if wanted == "tiny" else config
