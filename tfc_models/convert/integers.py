"""From networks of real numbers to networks of integers, by rounding alone.

ReLU and leaky ReLU are homogeneous: a layer whose kernel and bias are s times as large
has outputs s times as large, and the next kernel may be 1 / s of what it was. So the
outputs of each layer can be brought to what 8 bits hold (`layers.exact`) without any
change to the function. s is a power of two, so that two conversions do not differ in
the last bits of it, and the outputs that decide on it come from no images: z is drawn
from its own tables, y_hat from what they say of it.
"""

import math

import numpy as np

from tfc_models.convert import tables
from tfc_models.layers import ACTIVATION_LIMIT
from tfc_models.models.families.origin import conventions_of
from tfc_models.ops import wavefront

# Activations are in units of 1/16.
_LARGEST = ACTIVATION_LIMIT / 16.0
# Of the side latents drawn: how many, and their sides.
_DRAWN, _SIDE = 8, 4
# No y_hat drawn is larger, should they grow from site to site.
_MOST = 2.0**10
_HYPER, _CONTEXT = "hyper_synthesis_transform/layer-", "context_network/"


def scaled(weights):
  """Returns the arrays of a network of integers, and by how much they differ.

  Args:
    weights: `weights.Weights`, with a hyper synthesis.

  Returns:
    a dict like `weights.arrays`; a dict from layer to the factor on its outputs; how
    finely the context sees y_hat, None without one.
  """
  random = np.random.RandomState(0)
  z = tables.draw(
      *weights.tables, (_DRAWN, _SIDE, _SIDE, weights.num_filters), random)
  arrays = {path: np.float64(array) for path, array in weights.arrays.items()
            if path.startswith((_HYPER, _CONTEXT))}
  relu = weights.model == "bmshj2018-hyperprior"
  slope = 0.0 if relu else conventions_of(weights.origin).slope
  factors, bits = {}, None
  x = z + weights.medians
  for number in range(2):
    kernel, bias = _layer(arrays, f"{_HYPER}{number}")
    # Without the plane that adds the medians, which are in x.
    x = _activated(_up(x, kernel[..., :x.shape[-1]], bias), slope)
    factors[f"{_HYPER}{number}"] = _factor(x)
  x = _same(x, *_layer(arrays, f"{_HYPER}2"))
  if weights.model == "mbt2018":
    factors[f"{_HYPER}2"] = _factor(x)
    more, bits = _walk(arrays, x[:, ::-1, ::-1], slope, random)
    factors.update(more)
  return _absorbed(weights, factors), factors, bits


def _absorbed(weights, factors):
  """Returns arrays whose outputs are `factors` as large, but for the last ones."""
  arrays = dict(weights.arrays)

  def scale(path, before):
    """Scales a layer whose inputs are `before` times as large."""
    after = factors.get(path, 1.0)
    kernel = arrays[f"{path}/kernel"]
    arrays[f"{path}/kernel"] = np.float32(kernel * (after / before))
    arrays[f"{path}/bias"] = np.float32(arrays[f"{path}/bias"] * after)
    return after

  before = 1.0
  for number in range(3):
    before = scale(f"{_HYPER}{number}", before)
  if weights.model == "mbt2018":
    of_context = scale(f"{_CONTEXT}context", 1.0)
    half = 2 * weights.latent_depth  # Side information, then context.
    before = np.repeat([before, of_context], half)[:, None]
    for number in range(3):
      before = scale(f"{_CONTEXT}entropy_parameters/{number}", before)
  return arrays


def _walk(arrays, side, slope, random):
  """Draws y_hat site by site; returns factors of the layers, and the context's bits.

  Args:
    side: (B, H, W, 2 M), outputs of the hyper synthesis.
  """
  batch, height, width, _ = side.shape
  kernel, bias = _layer(arrays, f"{_CONTEXT}context")
  depth, offsets = kernel.shape[2], wavefront.causal_offsets(5)
  kernel = np.stack([kernel[2 + row, 2 + column] for row, column in offsets])
  layers = [_layer(arrays, f"{_CONTEXT}entropy_parameters/{n}") for n in range(3)]
  # With the margins that the mask reaches into.
  y_hat = np.zeros((batch, height + 2, width + 4, depth))
  most = dict.fromkeys([_CONTEXT + "context"] + [
      f"{_CONTEXT}entropy_parameters/{n}" for n in range(2)], 0.0)
  for row, column in np.ndindex(height, width):
    seen = np.concatenate(
        [y_hat[:, row + 2 + a, column + 2 + b] for a, b in offsets], axis=-1)
    x = seen @ kernel.reshape(-1, kernel.shape[-1]) + bias
    outputs = [x]
    x = np.concatenate([side[:, row, column], x], axis=-1)
    for number, (matrix, bias_1x1) in enumerate(layers):
      x = x @ matrix[0, 0] + bias_1x1
      if number < 2:
        x = _activated(x, slope)
        outputs.append(x)
    for path, values in zip(most, outputs):
      most[path] = max(most[path], np.abs(values).max())
    scale, loc = np.split(x, 2, axis=-1)
    # Not rounded: a tie would send two machines different ways.
    drawn = loc + np.maximum(scale, 0.11) * random.standard_normal(loc.shape)
    y_hat[:, row + 2, column + 2] = np.clip(drawn, -_MOST, _MOST)
  bits = min(max(_exponent(ACTIVATION_LIMIT, np.abs(y_hat).max()), 0), 3)
  return {path: _factor(value) for path, value in most.items()}, bits


def _layer(arrays, path):
  return arrays[f"{path}/kernel"], arrays[f"{path}/bias"]


def _factor(x):
  """Returns the largest power of two that keeps |x| within what 8 bits hold."""
  return 2.0**_exponent(_LARGEST, np.abs(x).max())


def _exponent(limit, most):
  # Exact, where a logarithm would be rounded.
  return math.frexp(limit / most)[1] - 1 if most > 0 else 0


def _activated(x, slope):
  return np.maximum(x, slope * x)


def _same(x, kernel, bias):
  """Returns a convolution of 3x3, zero padded."""
  _, height, width, _ = x.shape
  x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return bias + sum(
      x[:, a:a + height, b:b + width] @ kernel[a, b] for a, b in np.ndindex(3, 3))


def _up(x, kernel, bias):
  """Returns a transposed convolution of 5x5 and strides of 2, padded as "same"."""
  batch, height, width, _ = x.shape
  y = np.zeros((batch, 2 * height + 3, 2 * width + 3, kernel.shape[2]))
  for a, b in np.ndindex(5, 5):
    y[:, a:a + 2 * height:2, b:b + 2 * width:2] += x @ kernel[a, b].T
  return y[:, 1:1 + 2 * height, 1:1 + 2 * width] + bias
