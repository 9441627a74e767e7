"""balle-li: importance map in front of a factorized prior (Graham and Decoto)."""

from tfc_models.configs import common

# What the poster compares, with a map or without.
_PARTS = {
    "low": {}, "baseline": dict(levels=0), "deeper": dict(deeper=True),
    "deeper-baseline": dict(levels=0, deeper=True), "searched": dict(searched=True),
    "tiny": dict(levels=4),
}


def get_config(variant="low"):
  """Returns the recipe; variants: low, deeper, baseline, deeper-baseline, searched,
  narrow, tiny.

  Widths 128/192; "baseline" has no map, "deeper" residual blocks in the encoder, the map
  of "searched" no network; "narrow", alone or before any of these, has 64 filters, as our
  weights of the parent. The parent's script trains 1 M steps, batch 8 of 256x256, Adam at
  1e-4.
  """
  width = next((width for width in ("narrow", "tiny") if variant.startswith(width)), "low")
  config = common.hyperprior("balle-li", width)
  del config.model.arguments.origin
  part = variant.removeprefix("narrow").removeprefix("-") or "low"
  config.model.arguments.update(_PARTS[part])
  has_map = config.model.arguments.get("levels", 16)
  config.train.rates = (
      {"y_codec/codec": 10.0, "map_codec": 10.0} if has_map else {"y_codec": 10.0})
  config.expected = {}
  return config
