"""balle-li: importance map in front of a factorized prior (Graham and Decoto)."""

from tfc_models.configs import common

# What the poster compares, with a map or without.
_PARTS = {
    "low": {}, "baseline": dict(levels=0), "deeper": dict(deeper=True),
    "deeper-baseline": dict(levels=0, deeper=True), "tiny": dict(levels=4),
}


def get_config(variant="low"):
  """Returns the recipe; variants: low, deeper, baseline, deeper-baseline, tiny.

  Widths 128/192; "baseline" has no map, "deeper" residual blocks in the encoder. The
  parent's script trains 1 M steps, batch 8 of 256x256, Adam at 1e-4.
  """
  config = common.hyperprior("balle-li", "tiny" if variant == "tiny" else "low")
  del config.model.arguments.origin
  config.model.arguments.update(_PARTS[variant])
  part = "y_codec" if config.model.arguments.get("levels", 16) == 0 else "y_codec/codec"
  config.train.rates = {part: 10.0}
  config.expected = {}
  return config
