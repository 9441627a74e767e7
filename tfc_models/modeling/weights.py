"""Weight files: a model's variables by object path, with what it was made from.

A file is an npz archive: one array per variable and one of JSON. Values are
float16 unless that overflows, or float32 if asked for; integers (tables) are int32.
Kernels of integer networks are two arrays, int8 and a scale for each output channel;
with 8 bits the others are too, with a scale for each of their last axis.
"""

import logging

import numpy as np
import tensorflow as tf

from tfc_models import registry, weight_info
from tfc_models.errors import UsageError
from tfc_models.fileio import write_atomically
from tfc_models.layers import ExactConv2D, ExactConv2DTranspose
from tfc_models.modeling import table_check

_LOG = logging.getLogger(__name__)

# Arrays that stand for a kernel of 8 bits, behind its path.
_CODES, _SCALES = ":codes", ":scales"
_CODE_LIMIT = 127
# Smaller ones are not worth two arrays.
_SMALLEST_KERNEL = 1024

# Children that are not part of the codec, or another name of its parts.
_NOT_WEIGHTS = frozenset([
    "keras_api", "latent_codec", "means", "moving_average", "optimizer", "optimizers"])


def variables_by_path(model, training_only=False):
  """Returns a dict from object path to variable, sorted by path.

  A path names attributes and list positions from the model down, as in
  `tf.train.Checkpoint`; of several paths the shortest counts, then the first
  in the alphabet. It does not depend on variable names, which are not unique.

  Args:
    model: `TrainableModel`.
    training_only: whether to look into the parts that are for training only, too.
  """
  found = {}
  left_out = () if training_only else model.training_only
  seen = {id(model)}
  level = [("", model)]
  while level:
    below = []
    for prefix, parent in level:
      children = tf.train.TrackableView(parent).children(parent)
      for name, child in sorted(children.items()):
        if id(child) in seen or name in _NOT_WEIGHTS or (
            parent is model and name in left_out):
          continue
        seen.add(id(child))
        path = f"{prefix}{name}"
        if isinstance(child, tf.Variable):
          found[path] = child
        else:
          below.append((path + "/", child))
    level = sorted(below, key=lambda item: item[0])
  return dict(sorted(found.items()))


def is_below(path, parts):
  """Returns whether an object path is one of some parts, or lies in one."""
  return any(f"{path}/".startswith(f"{part}/") for part in parts)


def save(model, path, bits=16, fine=(), **facts):
  """Writes `model` with its coding tables to `path`; returns its info.

  Args:
    model: a built model from `registry.create`.
    path: of the new file; replaced as a whole or not at all.
    bits, fine, **facts: as of `packed`.
  """
  model.fix_tables()
  info, data = packed(model, bits, fine, **facts)
  write_atomically(path, data, overwrite=True)
  return info


def packed(model, bits=16, fine=(), **facts):
  """Returns the info and the bytes of a weight file, of a model with its tables.

  Args:
    model: a built model from `registry.create`, whose tables are as they shall be.
    bits: 16; 32; or 8 for kernels. Those of integer networks always have 8, which
      is what they compute with.
    fine: object paths of parts whose kernels have no 8 bits for all that, such as those
      that other weights have too (`pretrained.sharing`); the model's `fine_parts` join
      them.
    **facts: JSON values to keep beside the weights (lmbda, steps ...).
  """
  arrays = {}
  variables = variables_by_path(model)
  trainable = [variable for variable in variables.values() if variable.trainable]
  kernels = _integer_kernels(model)
  if bits == 8:
    coarse = [variable for name, variable in variables.items() if variable.trainable
              and not is_below(name, (*fine, *model.fine_parts))]
    kernels = {**_kernels_of_eight_bits(coarse), **kernels}
  for name, variable in variables.items():
    if id(variable) in kernels:
      arrays[name + _CODES], arrays[name + _SCALES] = kernels[id(variable)]
    else:
      arrays[name] = _stored(variable.numpy(), bits)
  info = dict(
      facts, model=model.registered_name, kind=model.kind,
      capabilities=sorted(model.capabilities), arguments=model.arguments,
      parameters=int(sum(np.prod(v.shape) for v in trainable)))
  if "progressive" in model.capabilities:
    info["iterations"] = model.iterations
  info["fingerprint"] = weight_info.fingerprint(info, arrays)
  return info, weight_info.pack(info, arrays)


def load(path):
  """Returns the model stored at `path`, ready to code, and its info.

  Raises:
    UsageError: if the file is missing, damaged, or of an unknown model.
  """
  info, arrays = _read(path)
  if info["model"] not in registry.names():
    raise UsageError(
        f"{path}: holds the model {info['model']!r}, which is not registered")
  try:
    model = registry.create(info["model"], **info["arguments"])
    model.build_variables()
  # Whatever a model makes of arguments that are not of its file.
  except Exception as error:
    raise UsageError(
        f"{path}: damaged weight file ({info['model']} with {info['arguments']}: "
        f"{str(error).strip().splitlines()[0] if str(error).strip() else error!r})"
    ) from None
  try:
    assign(model, arrays)
  except ValueError as error:
    raise UsageError(f"{path}: {error}") from None
  if info.get("distortion", "mse") == "mse":
    model.lmbda = info.get("lmbda")
  return model, info


def assign(model, arrays):
  """Sets all variables of a built model.

  Args:
    model: from `registry.create`.
    arrays: dict from object path to array.

  Raises:
    ValueError: if the model has others, or of other shapes.
  """
  variables = variables_by_path(model)
  if variables.keys() != arrays.keys() or not all(
      _fits(variable, arrays[name]) for name, variable in variables.items()):
    raise ValueError(
        f"weights of another structure: {model.registered_name} with "
        f"{model.arguments}")
  for name, variable in variables.items():
    variable.assign(tf.cast(arrays[name], variable.dtype))


def warm_start(model, path, only=()):
  """Sets those variables of a built `model` that a file has; returns its info.

  Args:
    model: `TrainableModel`.
    path: of a weight file.
    only: parts, as object paths or beginnings of them; the others are left alone.

  A deeper or wider model, or another paper's, takes what agrees in path and
  shape and keeps its initial values elsewhere. A kernel of fewer taps becomes the
  middle of one with more, which then does the same.

  Raises:
    UsageError: if the file is damaged, or nothing that is trained agrees.
  """
  info, arrays = _read(path)
  variables = variables_by_path(model)
  missing, taken = [], False
  for name, variable in variables.items():
    if only and not is_below(name, only):
      continue
    array = _widened(arrays.get(name), variable.shape)
    if array is not None and _fits(variable, array):
      variable.assign(tf.cast(array, variable.dtype))
      taken |= variable.trainable
    else:
      missing.append(name)
  if not taken:
    raise UsageError(
        f"{path}: no variable of {info['model']} fits "
        f"{model.registered_name} with {model.arguments}")
  # Scales of integer networks suit the kernels that have just come.
  model.fix_tables()
  if missing:
    _LOG.warning(
        "%s has no %s; they keep their initial values", path,
        ", ".join(parts(missing, variables.keys() - set(missing))))
  return info


def parts(missing, found):
  """Returns the shortest paths, sorted, that hold some variables and no others.

  Args:
    missing: paths of these variables.
    found: paths of the others.
  """
  shortest = set()
  for name in missing:
    names = name.split("/")
    shortest.add(next(part for part in (
        "/".join(names[:n]) for n in range(1, len(names) + 1))
                   if not any(is_below(other, [part]) for other in found)))
  return sorted(shortest)


def _read(path):
  """Returns info and arrays of a weight file, checked against damage."""
  info, arrays = weight_info.read(path)
  try:
    for name in [name for name in arrays if name.endswith(_CODES)]:
      scales = arrays.pop(name.removesuffix(_CODES) + _SCALES)
      arrays[name.removesuffix(_CODES)] = np.float32(arrays.pop(name)) * scales
    table_check.check(arrays)
  except (KeyError, ValueError) as error:
    raise UsageError(f"{path}: damaged weight file ({error})") from None
  return info, arrays


def _widened(array, shape):
  """Returns a kernel with zeros around it, if that makes it fit `shape`."""
  if array is None or array.ndim != 4 or len(shape) != 4:
    return array
  missing = np.subtract(shape[:2], array.shape[:2])
  if np.any(missing < 0) or np.any(missing % 2) or not np.all(np.mod(shape[:2], 2)):
    return array
  return np.pad(array, [*((n // 2, n // 2) for n in missing), (0, 0), (0, 0)])


def _fits(variable, array):
  return variable.shape.is_compatible_with(array.shape)


def _stored(array, bits):
  """Returns the array as the file holds it."""
  if array.dtype.kind in "iu":
    return array.astype(np.int32)
  if bits == 32:
    return array
  with np.errstate(over="ignore"):
    half = array.astype(np.float16)
  return half if np.all(np.isfinite(half)) else array.astype(np.float32)


def _kernels_of_eight_bits(variables):
  """Returns a dict from id of a variable to codes, int8, and scales, float32.

  Codes times scales, of the last axis, are about the kernel.
  """
  found = {}
  for variable in variables:
    if len(variable.shape) > 1 and variable.shape.num_elements() >= _SMALLEST_KERNEL:
      kernel = variable.numpy()
      largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
      scales = np.maximum(largest, np.finfo(np.float16).tiny) / _CODE_LIMIT
      found[id(variable)] = _coded(np.round(kernel / scales), scales)
  return found


def _integer_kernels(model):
  """Returns the same of the kernels of integer networks, which lose nothing."""
  found = {}
  for layer in model.submodules:
    if isinstance(layer, (ExactConv2D, ExactConv2DTranspose)) and layer.exact:
      found[id(layer.kernel)] = _coded(
          layer.integers()[0].numpy(), layer.kernel_unit())
  return found


def _coded(codes, scales):
  return codes.astype(np.int8), scales.astype(np.float32)
