"""strumpler2020: better JPEG files (Strumpler, Yang, Timofte, ECCV Workshops 2020)."""

from tfc_models.configs import common

KIND = "editor"


def get_config(variant="base"):
  """Returns the recipe; variants: base, tiny.

  The authors train each of six models 20,000 steps, batch 8 of 256x256, Adam at 1e-6,
  which counts 1e5 times for tables. The loss here is in bits, and steps learn by their
  logarithms.
  """
  config = common.base("strumpler2020", width={"base": 64, "tiny": 8}[variant])
  config.train.lmbda = 0.04
  config.train.learning_rate = 1e-3
  config.train.schedule = "cosine"
  config.train.steps = 20_000
  config.train.rates = {"log_steps": 5.0}
  return common.tiny(config) if variant == "tiny" else config
