"""Densities fitted to tables, where there is nothing else of them.

In double precision, by a few damped Gauss-Newton steps, and then rounded: what another
machine computes in the last bits has not grown to more than 1e-10 of a parameter.
"""

import numpy as np

from tfc_models.convert import tables

_WIDTHS = (1, 3, 3, 3, 1)  # See `families.origin`.
_STEPS = 12
# Added to the squares of slopes: at first, and at least.
_DAMPING, _LEAST_DAMPING = 1e-2, 1e-3
_UNIT = 2.0**-12  # Of the parameters.
_LEAST = 1e-12  # Of probabilities whose logarithms are taken.


def density_of(cdf, offsets):
  """Returns the variables of `tfc.NoisyDeepFactorized`, widths (3, 3, 3), for tables.

  Args:
    cdf, offsets: see `tables.joined`.

  Returns:
    a dict from path below the density without noise to array.
  """
  symbols, masses = tables.masses(cdf, offsets)
  theta = _fitted(_logistic(symbols, masses), symbols, masses)
  theta = np.round(theta / _UNIT) * _UNIT
  return {path: np.float32(array) for path, array in _variables(theta).items()}


def _variables(theta):
  """Returns what parameters, (C, P), are, a dict from path to (C, out, in or 1)."""
  found, start = {}, 0
  last = len(_WIDTHS) - 2
  for number, (inputs, outputs) in enumerate(zip(_WIDTHS, _WIDTHS[1:])):
    shapes = {"_matrices": inputs, "_biases": 1}
    if number < last:
      shapes["_factors"] = 1
    for name, columns in shapes.items():
      end = start + outputs * columns
      found[f"{name}/{number}"] = theta[:, start:end].reshape(-1, outputs, columns)
      start = end
  return found


def _logistic(symbols, masses):
  """Returns parameters of logistic densities with the moments of tables.

  All hidden units see the same, around different middles.
  """
  # The last layer has no factors.
  count = sum((before + 2) * after for before, after in zip(_WIDTHS, _WIDTHS[1:])) - 1
  theta = np.zeros([len(masses), count])
  mean = (masses * symbols).sum(axis=1) / masses.sum(axis=1)
  variance = (masses * (symbols - mean[:, None])**2).sum(axis=1)
  rate = np.sqrt(np.pi**2 / 3 / (variance + 0.05))
  for path, array in _variables(theta).items():
    name, number = path.split("/")
    if name == "_matrices":
      value = rate[:, None, None] if number == "0" else 1.0 / array.shape[2]
      array[:] = value + np.log(-np.expm1(-value))  # The inverse of softplus.
    elif name == "_biases" and array.shape[1] > 1:
      array[:] = np.arange(-1.0, 2.0)[:, None]
      if number == "0":
        array -= (rate * mean)[:, None, None]
  return theta


def _fitted(theta, symbols, masses):
  """Returns parameters whose log probabilities are nearest, weighted by `masses`."""
  root, wanted = np.sqrt(masses), np.log(np.maximum(masses, _LEAST))
  damping = np.full(len(theta), _DAMPING)

  def residuals(theta):
    log, slopes = _log_masses(theta, symbols)
    return root * (log - wanted), root[..., None] * slopes

  error, slopes = residuals(theta)
  for _ in range(_STEPS):
    turned = slopes.swapaxes(1, 2)
    square = turned @ slopes + damping[:, None, None] * np.eye(theta.shape[1])
    step = np.linalg.solve(square, turned @ error[..., None])[..., 0]
    trial = theta - np.clip(step, -1.0, 1.0)
    found, found_slopes = residuals(trial)
    better = (found**2).sum(axis=1) < (error**2).sum(axis=1)
    theta = np.where(better[:, None], trial, theta)
    error = np.where(better[:, None], found, error)
    slopes = np.where(better[:, None, None], found_slopes, slopes)
    damping = np.maximum(damping * np.where(better, 0.3, 10.0), _LEAST_DAMPING)
  return theta


def _log_masses(theta, symbols):
  """Returns log probabilities of symbols, (C, S), and their slopes, (C, S, P)."""
  edges = np.concatenate([symbols - 0.5, symbols[:, -1:] + 0.5], axis=1)
  logits, slopes = _logits(theta, edges)
  below, above = logits[:, :-1], logits[:, 1:]
  # Of the tail that has less, where no digits cancel.
  sign = np.where(below + above > 0.0, -1.0, 1.0)
  low, high = _sigmoid(sign * below), _sigmoid(sign * above)
  mass = np.maximum(np.abs(high - low), _LEAST)
  slopes = (high * (1.0 - high))[..., None] * slopes[:, 1:] - (
      low * (1.0 - low))[..., None] * slopes[:, :-1]
  return np.log(mass), slopes / mass[..., None]


def _logits(theta, x):
  """Returns logits of the distribution function at (C, S), and their slopes."""
  variables, (channels, count) = _variables(theta), x.shape
  value = x[:, None]  # (C, width, S).
  slopes = np.zeros([channels, 1, count, theta.shape[1]])
  places = _variables(np.arange(theta.shape[1])[None])
  for number, outputs in enumerate(_WIDTHS[1:]):
    raw = variables[f"_matrices/{number}"]
    matrix = np.logaddexp(0.0, raw)
    rows = np.arange(outputs)
    inner = (matrix @ slopes.reshape(channels, slopes.shape[1], -1)).reshape(
        channels, outputs, count, -1)
    for unit, place in enumerate(places[f"_matrices/{number}"][0].T):
      inner[:, rows, :, place] += (
          _sigmoid(raw[:, :, unit]).T[:, :, None] * value[None, :, unit])
    inner[:, rows, :, places[f"_biases/{number}"][0, :, 0]] += 1.0
    value = matrix @ value + variables[f"_biases/{number}"]
    if f"_factors/{number}" in variables:
      bend, curve = np.tanh(variables[f"_factors/{number}"]), np.tanh(value)
      inner *= (1.0 + bend * (1.0 - curve**2))[..., None]
      place = places[f"_factors/{number}"][0, :, 0]
      inner[:, rows, :, place] += (curve * (1.0 - bend**2)).swapaxes(0, 1)
      value = value + bend * curve
    slopes = inner
  return value[:, 0], slopes[:, 0]


def _sigmoid(x):
  return 0.5 * (1.0 + np.tanh(0.5 * x))
