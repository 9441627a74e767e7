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


def tiny(config):
  """Returns the recipe shrunk to seconds, for tests and first tries."""
  config.data.patch_size = 64
  config.data.batch_size = 2
  config.data.validation_batches = 1
  config.train.steps = 4
  config.train.steps_per_epoch = 2
  return config
