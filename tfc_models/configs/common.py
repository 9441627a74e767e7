"""The sections that all recipes share."""

import ml_collections


def base(model, **arguments):
  """Returns a recipe for a registered model with its keyword arguments."""
  config = ml_collections.ConfigDict()
  config.model = ml_collections.ConfigDict(
      {"name": model, "arguments": arguments})
  config.data = ml_collections.ConfigDict({
      "train": "",  # Folder (recursive) or glob of training images.
      "validation": "",  # Likewise; "" validates on nothing.
      "patch_size": 256,
      "batch_size": 8,
      # Images are shrunk by a random factor of 1 to this, see datasets.crops.
      "max_downscale": 2.0,
      "cache_mib": 2048,  # Decoded images kept in memory.
      "validation_batches": 16,
  })
  config.train = ml_collections.ConfigDict({
      # loss = bpp + lmbda * mse, mse on 0..255 ("mse"), or
      # loss = bpp + lmbda * (1 - ms_ssim) ("ms-ssim").
      "distortion": "mse",
      "lmbda": 0.01,
      "learning_rate": 1e-4,
      "schedule": "constant",  # or "cosine", to a hundredth.
      "clip_norm": 1.0,
      "steps": 1_000_000,
      # After every so many steps: log, validate, checkpoint, save a model.
      "steps_per_epoch": 200,
      "seed": 0,
      "init": "",  # Weight file or training directory to start from.
  })
  return config


def bmshj2018(model, variant):
  """Returns the recipe of a model of Balle et al., ICLR 2018.

  The paper trains about 1 M steps, batch 8 of 256x256, Adam at 1e-4, the
  widths "low" (128/192) for its five lower rates and "high" (192/320) for the
  three others. It does not state its values of lmbda; the field uses 0.0018,
  0.0035, 0.0067, 0.013, 0.025, 0.0483, 0.0932, 0.18, and for MS-SSIM 2.4, 4.58,
  8.73, 16.64, 31.73, 60.5, 115.37, 220 (CompressAI's documentation).
  """
  num_filters, latent_depth = {
      "low": (128, 192), "high": (192, 320), "narrow": (64, 96), "tiny": (8, 12),
  }[variant]
  config = base(model, num_filters=num_filters, latent_depth=latent_depth)
  config.train.lmbda = 0.013
  return tiny(config) if variant == "tiny" else config


def tiny(config):
  """Returns the recipe shrunk to seconds, for tests and first tries."""
  config.data.patch_size = 64
  config.data.batch_size = 2
  config.data.validation_batches = 1
  config.train.steps = 4
  config.train.steps_per_epoch = 2
  return config
