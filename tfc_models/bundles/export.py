"""Writes a bundle: program, variables, images, runner."""

import io
import os
import re
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from PIL import Image

from tfc_models.bundles import folder as folders
from tfc_models.bundles import naming, run_bundle
from tfc_models.datasets import patches
from tfc_models.errors import UsageError
from tfc_models.fileio import write_atomically, write_json
from tfc_models.training import schedules
from tfc_models.training.run import CONFIG_FILE, Run, versions

# Images are stored as JPEG 4:4:4, after shrinking, which removes old artefacts.
_JPEG = dict(quality=92, subsampling="4:4:4")
# Their shorter side is at most so many patches.
_LARGEST = 2.0
# An archive needs so many bytes for each file name and header.
_PER_ARRAY = 300


def export(folder, model_name, model_arguments, data, options, *,
           train_dir=None, limit_mib=36.0, steps_per_call=1):
  """Writes the training step of a recipe, ready to run by jax alone.

  Args:
    folder: of the bundle; an older bundle there is replaced once the new one is
      complete.
    model_name, model_arguments, data, options: as of `training.train`.
    train_dir: training directory whose checkpoint to go on from; None starts
      from new or `train.init` weights.
    limit_mib: size of the bundle, filled up with images.
    steps_per_call: steps of one call of the program. More than one save time
      where a step takes less than the call, a millisecond; the learning rate
      changes once a call.

  Returns:
    one line that says what was written.

  Raises:
    UsageError: if the bundle would be too large, the folder holds anything but
      an older bundle, or the images; or as `training.run.Run`.
  """
  if options.steps_per_epoch % steps_per_call:
    raise UsageError(
        f"steps_per_call={steps_per_call} must divide "
        f"train.steps_per_epoch={options.steps_per_epoch}")
  folders.check(folder)
  with (tempfile.TemporaryDirectory(prefix="tfcm-") as nowhere,
        folders.replaced(folder) as fresh):
    run = Run(
        train_dir or nowhere, model_name, model_arguments, data, options)
    folders.check_source(folder, getattr(run.images, "paths", ()))
    return _write(run, folder, fresh, int(limit_mib * 2**20), steps_per_call)


def _write(run, name, folder, limit, steps_per_call):
  """Writes a bundle called `name` of at most `limit` bytes; see `export`."""
  model = run.model
  if model.kind == "video":
    raise UsageError(
        f"{model.registered_name} trains on video, bundles hold images; train it by "
        "tfcm train")
  if not run.step:
    # Halves the file; what is trained from here starts at what the file holds.
    for variable in model.trainable_variables:
      variable.assign(tf.cast(tf.cast(variable, tf.float16), tf.float32))
  program, interface, values = _lower(model, run.data, steps_per_call)
  arrays, rebuilt = _arrays(values)
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  code = [run_bundle.__file__, patches.__file__, schedules.__file__]
  room = limit - len(program) - len(buffer.getbuffer()) - sum(
      map(os.path.getsize, code)) - 2**16
  if room < 0:
    raise UsageError(
        f"{name}: program and variables take {(limit - room) / 2**20:.1f} MiB, "
        f"more than {limit / 2**20:.3g}; to start from the weights alone, with "
        "train.init, leaves the optimizer behind", argument="limit_mib")
  count = _write_images(run, os.path.join(folder, run_bundle.IMAGE_DIR), room)
  write_atomically(os.path.join(folder, run_bundle.PROGRAM_FILE), program)
  write_atomically(
      os.path.join(folder, run_bundle.VARIABLES_FILE), buffer.getvalue())
  config = dict(run.config, versions=versions())
  write_json(os.path.join(folder, CONFIG_FILE), config)
  for path in code:
    shutil.copy(path, folder)
  files = [*folders.listed(folder), run_bundle.META_FILE]
  write_json(os.path.join(folder, run_bundle.META_FILE), dict(
      interface, **rebuilt, config=config, seconds=float(run.seconds),
      steps_per_call=steps_per_call, files=files,
      learning_rates=naming.learning_rates(run.options, model.networks)))
  size = sum(os.path.getsize(os.path.join(folder, file)) for file in files)
  return (f"{size / 2**20:.1f} MiB, step {run.step}, {count} images; "
          f"python {name}/run_bundle.py --out RESULTS runs it")


def _lower(model, data, steps_per_call):
  """Returns the program, what goes in and comes out, and the values to start at.

  Returns:
    bytes; dict for the meta file; dict from name to array, of the parameters of
    the program after the first, which are the images.
  """
  figures = []

  def step(images):
    if steps_per_call == 1:
      result = model.update(images)
      figures[:] = sorted(result)
      return tf.stack([result[name] for name in figures])
    figures[:] = sorted(name for name in model.means)
    total = tf.zeros([len(figures)])
    for i in tf.range(steps_per_call):
      result = model.update(images[i])
      total += tf.stack([result[name] for name in figures])
    return total / steps_per_call

  shape = [data.batch_size, data.patch_size, data.patch_size, 3]
  if steps_per_call > 1:
    shape = [steps_per_call, *shape]
  images = tf.zeros(shape, tf.uint8)
  function = tf.function(step, jit_compile=True)
  lower = function.experimental_get_compiler_ir(images)
  text = lower(stage="hlo")
  named = naming.variables_by_name(model)
  by_handle = {id(variable.handle): name for name, variable in named.items()}
  captured = []
  values = {}
  for number, tensor in enumerate(
      function.get_concrete_function(images).captured_inputs):
    name = by_handle.get(id(tensor))
    if name is None and tensor.dtype == tf.resource:
      raise UsageError(
          f"{model.registered_name}: its training step uses a variable that "
          "belongs to neither model nor optimizer; it cannot be exported")
    # Some layers keep constants of theirs as tensors.
    name = name or f"constant/{number}"
    captured.append(name)
    values[name] = named[name].numpy() if name in named else tensor.numpy()
  _check_order(text, captured, values)
  # Each updated variable shares its buffer with an output of the program.
  alias = re.search(r"input_output_alias=\{(.*?)\}, entry", text)
  pairs = re.findall(
      r"\{(\d*)\}: \((\d+), \{\}", alias.group(1) if alias else "")
  return lower(stage="hlo_serialized"), {
      "images": shape,
      "captured": captured,
      "updates": {
          captured[int(parameter) - 1]: int(output or 0)
          for output, parameter in pairs},
      "figures": list(figures),
  }, values


def _check_order(text, captured, values):
  """Raises `UsageError` unless parameter 1 + n has the shape of captured[n]."""
  entry = text[text.index("ENTRY"):]
  shapes = {
      int(number): shape for shape, number in re.findall(
          r"= \w+\[([\d,]*)\]\S* parameter\((\d+)\)", entry)}
  for number, name in enumerate(captured, start=1):
    wanted = ",".join(map(str, values[name].shape))
    if shapes.get(number) != wanted:
      raise UsageError(
          f"parameter {number} of the program has shape {shapes.get(number)}, "
          f"{name} has {wanted}; this TensorFlow orders them otherwise")


def _arrays(values):
  """Returns what the archive holds, and a dict of what the runner rebuilds."""
  arrays, zeros, same, dtypes, seen = {}, {}, {}, {}, {}
  for name, value in values.items():
    dtypes[name] = value.dtype.name
    if not value.any():
      zeros[name] = list(value.shape)
      continue
    key = (value.shape, value.tobytes())
    if key in seen:
      same[name] = seen[key]
      continue
    seen[key] = name
    with np.errstate(over="ignore"):
      half = value.astype(np.float16) if value.dtype == np.float32 else value
    arrays[run_bundle.escape(name)] = (
        half if np.array_equal(half, value) else value)
  return arrays, {"zeros": zeros, "same": same, "dtypes": dtypes}


def _write_images(run, folder, room):
  """Fills `room` bytes with shrunk images; returns how many."""
  os.makedirs(folder)
  count = 0
  for image in run.images.pictures(run.options.seed):
    buffer = io.BytesIO()
    _shrink(image, run.data).save(buffer, "JPEG", **_JPEG)
    if len(buffer.getbuffer()) + _PER_ARRAY > room:
      break
    room -= len(buffer.getbuffer()) + _PER_ARRAY
    write_atomically(
        os.path.join(folder, f"{count:06d}.jpg"), buffer.getvalue())
    count += 1
  if not count:
    raise UsageError(
        f"{run.data.train}: no room for an image in the bundle",
        argument="limit_mib")
  return count


def _shrink(image, data):
  """Returns a PIL image shrunk as far as patches and `max_downscale` allow."""
  short = min(image.size)
  side = max(data.patch_size,
             min(short / data.max_downscale, _LARGEST * data.patch_size))
  if side >= short:
    return image
  size = [max(data.patch_size, round(n * side / short)) for n in image.size]
  return image.resize(size, Image.Resampling.LANCZOS)
