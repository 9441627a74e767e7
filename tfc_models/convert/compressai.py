"""Names and layouts of CompressAI's checkpoints, and ours.

Source: CompressAI 1.2.8, models/google.py and entropy_models/entropy_models.py, and
  zoo/pretrained.py for older names.
"""

import re

import numpy as np

from tfc_models.convert import tables, weights
from tfc_models.errors import UsageError

# What the weights in its zoo are under, by its own LICENSE.
LICENCE = (
    "weights (c) InterDigital, BSD-3-Clause-Clear, no patents licensed; see "
    "github.com/InterDigitalInc/CompressAI/blob/master/LICENSE")

# Constants, and tables that are made anew.
_UNUSED = re.compile(
    r"gaussian_conditional\..*|.*_reparam\..*|context_prediction\.mask|"
    r"entropy_bottleneck\.(target|.*bound.*)")
_FACTORS = 4  # Hidden layers of a density.
_NAME = re.compile(
    r"(?P<model>bmshj2018-factorized|bmshj2018-hyperprior|mbt2018-mean|mbt2018)"
    r"(-prior)?(-(?P<metric>mse|ms-ssim))?-(?P<quality>[1-8])"
    r"(-(?P<digest>[0-9a-f]{8}))?\.pth(\.tar)?")


def parse_name(name):
  """Returns the `weights.FileName` of a name without folders."""
  match = _NAME.fullmatch(name)
  if not match:
    return weights.FileName()
  return weights.FileName(match["model"], match["metric"] or "mse", int(match["quality"]),
                          match["digest"])


def weights_of(arrays):
  """Returns the `Weights` of the arrays of a checkpoint.

  Raises:
    UsageError: if they are of another network, or not all there.
  """
  state = _State(arrays)
  model, n, m = state.identify()
  found = _transforms(state, n, m)
  if model != "bmshj2018-factorized":
    found.update(_hyper(state, model, n, m))
  if model == "mbt2018":
    found.update(_context(state, m))
  depth = m if model == "bmshj2018-factorized" else n
  quantiles = state.take("entropy_bottleneck.quantiles", depth, 1, 3)[:, 0]
  density, coding = _density(state, depth, quantiles)
  state.check_rest()
  return weights.assembled(
      "compressai", model, n, m, found, quantiles[:, 1], density, coding)


class _State:
  """The arrays of a checkpoint, each to be taken once."""

  def __init__(self, arrays):
    self._left = {_renamed(key): value for key, value in arrays.items()}

  def identify(self):
    """Returns registered name, N, M."""
    shapes = {key: value.shape for key, value in self._left.items()}
    for key in ("g_a.0.weight", "g_a.6.weight", "g_s.6.weight"):
      if len(shapes.get(key, ())) != 4:
        raise UsageError(
            f"no network that we know: no kernel {key}; bmshj2018-factorized, "
            "bmshj2018-hyperprior, mbt2018-mean and mbt2018 have one")
    if "g_a.1.beta" not in shapes:
      raise UsageError("a network without GDN, which no model of ours is")
    n, m = shapes["g_a.0.weight"][0], shapes["g_a.6.weight"][0]
    if "h_a.0.weight" not in shapes:
      return "bmshj2018-factorized", n, m
    if "context_prediction.weight" in shapes:
      return "mbt2018", n, m
    outputs = shapes.get("h_s.4.weight", (0,))[0]
    return ("mbt2018-mean" if outputs == 2 * m else "bmshj2018-hyperprior"), n, m

  def take(self, key, *shape):
    """Returns an array of numbers that has to be there, and of a shape."""
    if key not in self._left:
      raise UsageError(f"no {key}")
    array = self._left.pop(key)
    if array.shape != shape:
      raise UsageError(f"{key} is {array.shape}, wanted {shape}")
    return array.astype(np.float32) if array.dtype.kind == "f" else array

  def take_stored(self, channels):
    """Returns the tables in the file, or None if it was saved without."""
    names = [f"entropy_bottleneck.{name}"
             for name in ("_quantized_cdf", "_cdf_length", "_offset")]
    cdf, lengths, offsets = (self._left.pop(name, np.zeros(0)) for name in names)
    if not cdf.size:
      return None
    if cdf.ndim != 2 or any(a.shape != (channels,) for a in (lengths, offsets)) or (
        len(cdf) != channels) or any(
            a.dtype.kind != "i" for a in (cdf, lengths, offsets)):
      raise UsageError(f"{names[0]} is not of {channels} tables")
    return tables.stored_tables(cdf, lengths, offsets)

  def check_rest(self):
    """Raises UsageError if anything is left that the network would need."""
    rest = [key for key in self._left if not _UNUSED.fullmatch(key)]
    if rest:
      raise UsageError(f"{rest[0]} belongs to no network that we know")


def _renamed(key):
  """Returns the name in 1.2.8 of what older versions and DataParallel wrote."""
  key = key.removeprefix("module.")
  match = re.fullmatch(
      r"entropy_bottleneck\._?(matri|bias|factor)(ces|x|es|s)?\.?(\d)", key)
  if not match:
    return key
  name = {"matri": "matrices", "bias": "biases", "factor": "factors"}[match[1]]
  return f"entropy_bottleneck.{name}.{match[3]}"


def _kernel(state, key, size, inputs, outputs, transposed=False):
  """Returns kernel, (k, k, ...) as in TensorFlow, and bias."""
  shape = (inputs, outputs) if transposed else (outputs, inputs)
  kernel = state.take(f"{key}.weight", *shape, size, size)
  return kernel.transpose(2, 3, 1, 0), state.take(f"{key}.bias", outputs)


def _centred(state, key, path, *shape, transposed=False):
  return weights.centred(path, *_kernel(state, key, *shape, transposed=transposed))


def _transforms(state, n, m):
  """Returns analysis and synthesis."""
  found = {}
  for theirs, ours, transposed, widths in (
      ("g_a", "analysis_transform", False, (3, n, n, n, m)),
      ("g_s", "synthesis_transform", True, (m, n, n, n, 3))):
    for number in range(0, 7, 2):
      inputs, outputs = widths[number // 2:number // 2 + 2]
      found.update(_centred(
          state, f"{theirs}.{number}", f"{ours}/layer-{number}", 5, inputs, outputs,
          transposed=transposed))
      if number < 6:
        key, path = f"{theirs}.{number + 1}", f"{ours}/layer-{number + 1}"
        found[f"{path}/_beta_parameter/variable"] = state.take(f"{key}.beta", n)
        found[f"{path}/_gamma_parameter/variable"] = state.take(
            f"{key}.gamma", n, n).T
  return found


def _hyper(state, model, n, m):
  """Returns hyper analysis and synthesis."""
  path, found = "hyper_analysis_transform/layer", {}
  for number, (size, inputs) in enumerate(((3, m), (5, n), (5, n))):
    found.update(_centred(
        state, f"h_a.{2 * number}", f"{path}-{number}", size, inputs, n))
  path = "hyper_synthesis_transform/layer"
  wide = model != "bmshj2018-hyperprior"
  widths = (n, m, m * 3 // 2, 2 * m) if wide else (n, n, n, m)
  for number in range(3):
    found.update(_centred(
        state, f"h_s.{2 * number}", f"{path}-{number}", 3 if number == 2 else 5,
        *widths[number:number + 2], transposed=number < 2))
  return found


def _context(state, m):
  """Returns the networks that see what was coded before; they are not turned."""
  found = {}
  widths = (4 * m, m * 10 // 3, m * 8 // 3, 2 * m)
  layers = [("context_prediction", "context", 5, m, 2 * m)] + [
      (f"entropy_parameters.{2 * number}", f"entropy_parameters/{number}", 1,
       *widths[number:number + 2]) for number in range(3)]
  for key, path, *shape in layers:
    kernel, bias = _kernel(state, key, *shape)
    found[f"context_network/{path}/kernel"] = kernel
    found[f"context_network/{path}/bias"] = bias
  return found


def _density(state, channels, quantiles):
  """Returns the variables of a density of what lacks its medians, and tables."""
  widths = (1, *[3] * _FACTORS, 1)
  key = "entropy_bottleneck"
  matrices, biases = (
      [state.take(f"{key}.{name}.{i}", channels, widths[i + 1], *(last or widths[i:i + 1]))
       for i in range(_FACTORS + 1)]
      for name, last in (("matrices", ()), ("biases", (1,))))
  factors = [state.take(f"{key}.factors.{i}", channels, 3, 1) for i in range(_FACTORS)]
  medians = np.float64(quantiles[:, 1])
  biases[0] = np.float32(
      biases[0] + np.logaddexp(0.0, np.float64(matrices[0])) * medians[:, None, None])
  found = {f"_{name}/{i}": array for name, arrays in (
      ("matrices", matrices), ("biases", biases), ("factors", factors))
           for i, array in enumerate(arrays)}
  stored = state.take_stored(channels)
  if stored is None:
    stored = tables.density_tables(
        tables.Density(matrices, biases, factors), np.float64(quantiles))
  return found, stored
