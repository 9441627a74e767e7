"""Brings back what `run_bundle.py` wrote."""

import os

import tensorflow as tf

from tfc_models.bundles import naming, run_bundle
from tfc_models.errors import UsageError
from tfc_models.fileio import read_json
from tfc_models.training.run import Run
from tfc_models.weight_info import read_arrays


def take_over(folder, train_dir, model_name, model_arguments, data, options):
  """Makes a training directory that stands where a bundle's run has ended.

  Args:
    folder: that `run_bundle.py` wrote.
    train_dir: new training directory.
    model_name, model_arguments, data, options: as of `training.train`.

  Raises:
    UsageError: if the results are incomplete or of another model, or the
      directory already holds as many steps.
  """
  results = _read_results(folder)
  arrays = _read_shards(folder, results)
  run = Run(train_dir, model_name, model_arguments, data, options)
  if run.step >= results["step"]:
    raise UsageError(
        f"{train_dir}: is at step {run.step}, {folder} at {results['step']}; "
        "nothing to take over")
  named = naming.variables_by_name(run.model)
  for name, value in arrays.items():
    if name not in named or named[name].shape != value.shape:
      raise UsageError(
          f"{folder}: {name} {value.shape} does not fit {model_name} with "
          f"{model_arguments}")
  missing = [
      name for name, variable in named.items()
      if name not in arrays and variable.trainable
      and name.startswith(naming.WEIGHTS)]
  if missing:
    raise UsageError(f"{folder}: incomplete, without {missing[0]}")
  for name, value in arrays.items():
    named[name].assign(tf.cast(value, named[name].dtype))
  # Where there was no room for averages, they start anew.
  for name, variable in named.items():
    if name.startswith(naming.AVERAGES) and name not in arrays:
      variable.assign(
          named[naming.WEIGHTS + name.removeprefix(naming.AVERAGES)])
  run.model.optimizer.iterations.assign(results["step"])
  run.seconds.assign(results["seconds"])
  run.save(results["figures"])


def _read_shards(folder, results):
  """Returns a dict from name to array."""
  arrays = {}
  for file in results["shards"]:
    path = os.path.join(folder, file)
    arrays.update({
        run_bundle.unescape(key): array
        for key, array in read_arrays(path).items()})
  return arrays


def _read_results(folder):
  """Returns results.json, with the right types and shards in the same folder."""
  path = os.path.join(folder, run_bundle.RESULTS_FILE)
  results = read_json(path)
  try:
    good = (
        0 <= results["step"] < 2**62 and results["seconds"] >= 0
        and all(isinstance(value, (int, float))
                for value in results["figures"].values())
        and all(os.path.basename(file) == file for file in results["shards"]))
  except (AttributeError, KeyError, TypeError):
    good = False
  if not good:
    raise UsageError(f"{path}: not of a bundle's run")
  return results
