"""What a published graph says of a picture, and whether ours says the same."""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tfc_models.convert import metagraph
from tfc_models.entropy_models import SCALE_MIN
from tfc_models.errors import UsageError

# What may differ: of samples in 0..1, and, in units of one and a part of what
# it is, of all that is before them.
_TOLERANCE = 1e-3
# Of the picture: rows, columns, multiples of 64.
_SIDES = 128, 192


class Seen(NamedTuple):
  """What a graph says of a picture.

  Attributes:
    image: (H, W, 3) uint8.
    y, z: (1, h, w, C) symbols; z is None without a hyperprior.
    outputs: (1, h, w, M or 2 M) of the hyper synthesis, or None.
    scale: (1, h, w, M), or None.
    centre: what y_hat is where the symbols are zero.
    x_hat: (1, H, W, 3), before it becomes a picture.
    picture: (1, H, W, 3), 0..255.
  """

  image: np.ndarray
  y: np.ndarray
  z: Optional[np.ndarray]
  outputs: Optional[np.ndarray]
  scale: Optional[np.ndarray]
  centre: np.ndarray
  x_hat: np.ndarray
  picture: np.ndarray


def look(network):
  """Returns what a `metagraph.Network` says of a picture of noise and edges."""
  graph, hyper = network.graph, network.z is not None
  image = _picture()
  dtype = tf.as_dtype(graph.attribute(network.image.node, "dtype").type)
  coarse = [network.z.symbols] if hyper else []
  numbers = [name for name in network.shapes
             if tf.as_dtype(graph.attribute(name, "dtype").type).is_integer]
  y, *found = graph.evaluate(
      [network.y.symbols, *coarse, *(network.shapes[name] for name in numbers)],
      {network.image.node: image[None].astype(dtype.as_numpy_dtype)})
  z = found.pop(0) if hyper else None
  told = dict(zip(numbers, found))
  outputs = scale = None
  if hyper:
    told[network.z.decoded] = z
    outputs, scale = graph.evaluate(
        [network.received[2].output, metagraph.scale_of(network)], told)
  first = network.received[-7]
  (centre,) = graph.evaluate([first.inputs], {**told, network.y.decoded: 0 * y})
  x_hat, picture = graph.evaluate(
      [network.received[-1].output, network.picture], {**told, network.y.decoded: y})
  return Seen(image, y, z, outputs, scale, centre, x_hat, np.float32(picture))


def medians_of(network):
  """Returns what is added to symbols that a density prices, (C,) floats."""
  latent, stage = network.z or network.y, network.received[0]
  zeros = np.zeros([1, 2, 2, stage.kernel.shape[3]], np.int32)
  zero, one = (
      network.graph.evaluate([stage.inputs], {latent.decoded: zeros + number})[0]
      for number in (0, 1))
  medians = zero[0, 0, 0]
  if zero.shape != zeros.shape or np.any(zero != medians) or (
      np.abs(one - medians - 1.0).max() > _TOLERANCE):
    raise UsageError("symbols that become a latent by more than their medians")
  return medians


def are_scales_first(seen):
  """Returns whether outputs are scales, or scales and then means, not means first.

  Raises:
    UsageError: if they are neither.
  """
  if seen.outputs is None or seen.outputs.shape == seen.scale.shape:
    return True
  one, other = np.split(seen.outputs, 2, axis=-1)
  for scale, mean in ((one, other), (other, one)):
    if _is_near(_bounded(scale), _bounded(seen.scale)) and _is_near(mean, seen.centre):
      return scale is one
  raise UsageError("what prices y is neither scales and means, nor means and scales")


def check(seen, model):
  """Raises UsageError if a real network of ours says anything else than a graph."""
  y = model.analyze(model.to_batch(seen.image))
  y = np.asarray(y[0] if isinstance(y, tuple) else y)
  loc = np.zeros_like(y)
  if seen.z is not None:
    codec = model.latent_codec
    _check_symbols("z", codec.analyze(y), seen.z)
    outputs = np.asarray(codec.synthesis(np.float32(seen.z)))
    scale = outputs[..., :y.shape[-1]] / 2.0**8
    if outputs.shape[-1] > y.shape[-1]:
      loc = outputs[..., y.shape[-1]:] / 2.0**6
    _check("scales", _bounded(scale), _bounded(seen.scale))
    _check("means", loc, seen.centre)
  _check_symbols("y", y - loc, seen.y)
  x_hat = np.asarray(model.synthesize(np.float32(seen.y + loc)))
  _check("x_hat", x_hat, seen.x_hat)
  error = np.abs(255.0 * np.clip(x_hat, 0.0, 1.0) - seen.picture)
  if error.shape != seen.picture.shape or error.max() > 0.5 + 255.0 * _TOLERANCE:
    raise UsageError("its picture is not x_hat in 0..255")


def _picture():
  random = np.random.RandomState(0)
  rough = np.kron(random.randint(0, 256, [side // 16 for side in _SIDES] + [3]),
                  np.ones([16, 16, 1], int))
  return np.clip(rough + random.randint(-16, 17, rough.shape), 0, 255).astype(np.uint8)


def _bounded(scale):
  return np.maximum(scale, SCALE_MIN)


def _is_near(one, other, tolerance=_TOLERANCE):
  return one.shape == other.shape and bool(
      np.all(np.abs(one - other) <= tolerance * (1.0 + np.abs(other))))


def _check(name, ours, theirs):
  if not _is_near(ours, theirs):
    reason = f"{np.abs(ours - theirs).max():.2g}" if ours.shape == theirs.shape else (
        f"{ours.shape}, not {theirs.shape}")
    raise UsageError(f"computes other {name} than the network we take it for ({reason})")


def _check_symbols(name, ours, theirs):
  """As `_check`, of what theirs are rounded from."""
  ours = np.asarray(ours)
  away = np.abs(ours - theirs).max() - 0.5 if ours.shape == theirs.shape else np.inf
  if not away <= _TOLERANCE * (1.0 + np.abs(theirs).max()):
    raise UsageError(
        f"computes other {name} than the network we take it for ({away:.2g})")
