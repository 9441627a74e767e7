"""Where published layouts differ by who trained them, for weights to fit."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Conventions:
  """What the same network of a paper leaves open.

  Attributes:
    centred: how windows lie, see `layers.Centred`. What follows a latent under a
      density of its own then adds the medians of that latent, which was rounded
      without them.
    relu, leaky_relu: the integer layers' activations in the places where papers have
      these, see `layers.exact`.
    slope: of leaky ReLU in the hyper analyses of Minnen et al.
    density: widths of the hidden layers of `FactorizedCodec`.
    linear_scales: whether what predicts a scale means the scale itself, not its
      index on a log axis.
    starts: whether networks start as a transform codec, see `TransformModel.prepare`;
      otherwise at random, or as the weights they are made for.
  """

  centred: bool
  relu: str
  leaky_relu: str
  slope: float
  density: tuple
  linear_scales: bool
  starts: bool


_CONVENTIONS = {
    "tfc_models": Conventions(
        centred=False, relu="leaky", leaky_relu="leaky", slope=0.2, density=(3, 3),
        linear_scales=False, starts=True),
    # As of version 1.2.8.
    "compressai": Conventions(
        centred=True, relu="relu", leaky_relu="faint", slope=0.01,
        density=(3, 3, 3, 3), linear_scales=True, starts=False),
    # As of version 1.3; the density, which published files lack, is fitted to tables.
    "tfc": Conventions(
        centred=True, relu="relu", leaky_relu="fifth", slope=0.2,
        density=(3, 3, 3), linear_scales=True, starts=False),
}


def conventions_of(origin):
  """Returns the `Conventions` of "tfc_models", ours, "compressai" or "tfc".

  Raises:
    ValueError: if nobody is called so.
  """
  if origin not in _CONVENTIONS:
    raise ValueError(
        f"`origin` must be one of {', '.join(_CONVENTIONS)}, got {origin!r}.")
  return _CONVENTIONS[origin]
