"""tfcm-flex: our default, one set of weights for all qualities.

  tfcm train --config=tfcm_flex --config.data.train=PHOTOS --train_dir=DIR

How the shipped weights were trained stands in data/zoo.json and, with what they
reach, in pretrained/manifest.json.
"""

from tfc_models.configs import common


def get_config(variant="default"):
  """Returns the recipe; variants: default, tiny."""
  widths = {
      "default": dict(analysis_blocks=5, synthesis_blocks=5),
      "tiny": dict(width=8, analysis_blocks=1, synthesis_blocks=1, hyper_width=8,
                   hyper_depth=4, groups=[2, 4], context_width=8),
  }
  config = common.base("tfcm-flex", **widths[variant])
  # Small patches give more of them for the same time; see `tfcm_base`.
  config.data.patch_size = 128
  # That of the quality that nothing else says; the others are drawn about it.
  config.train.lmbda = 0.004
  config.train.optimizer = "soap"
  config.train.learning_rate = 8e-4
  config.train.beta_1 = config.train.beta_2 = 0.95
  config.train.epsilon = 1e-8
  config.train.clip_norm = 1.0
  config.train.schedule = "cosine"
  config.train.steps = 20000
  config.train.steps_per_epoch = 500
  return common.tiny(config) if variant == "tiny" else config
