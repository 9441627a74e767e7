"""tfcm-base: our small model, trained on a CPU in an hour.

  tfcm train --config=tfcm_base --config.data.train=PHOTOS --train_dir=DIR

How the shipped rates were trained stands in data/zoo.json and, with what they
reach, in pretrained/manifest.json.
"""

from tfc_models.configs import common


def get_config(variant="default"):
  """Returns the recipe; variants: default, tiny."""
  widths = {
      "default": dict(
          analysis_blocks=2, synthesis_blocks=3, distortion_weight=20.0),
      "tiny": dict(width=8, analysis_blocks=1, synthesis_blocks=1,
                   hyper_width=8, hyper_depth=4, distortion_weight=20.0),
  }
  config = common.base("tfcm-base", exact=True, **widths[variant])
  # The network has a receptive field of about 100 pixels; small patches give
  # more of them for the same time.
  config.data.patch_size = 128
  config.train.lmbda = 0.004
  # Entries of all kernels are near 1 (layers.scaled_conv).
  config.train.learning_rate = 1e-3
  config.train.schedule = "cosine"
  config.train.steps = 6000
  config.train.steps_per_epoch = 500
  return common.tiny(config) if variant == "tiny" else config
