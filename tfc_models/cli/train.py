"""`tfcm train`: a model on your own images."""

import os
import sys

from absl import flags
from ml_collections import config_flags

from tfc_models import configs
from tfc_models.configs import options
from tfc_models.errors import UsageError
from tfc_models.fileio import read_json

# The names behind it are the model's, and hold slashes.
_RATES = "--config.train.rates."


def add_arguments(parser):
  parser.add_argument(
      "--config", metavar="RECIPE[:VARIANT]",
      help="recipe, see `tfcm models`; single values are set as "
      "--config.train.lmbda=0.01, --config.data.train=FOLDER ...")
  parser.add_argument(
      "--train_dir", metavar="DIR",
      help="directory for checkpoints and model.npz; one that holds a "
      "checkpoint is continued")
  parser.add_argument(
      "--export_bundle", metavar="DIR",
      help="instead of training, write what trains on another machine with "
      "`python run_bundle.py`; see `--bundle_mib`")
  parser.add_argument(
      "--bundle_mib", type=float, default=36.0, metavar="MIB",
      help="size of the bundle, filled up with images (default 36)")
  parser.add_argument(
      "--steps_per_call", type=int, default=1, metavar="N",
      help="steps that the bundle's program takes at once, for models whose "
      "step takes less than a millisecond there")
  parser.add_argument(
      "--import_bundle", metavar="DIR",
      help="take over what `run_bundle.py` wrote, and train what is left of "
      "the steps; needs no --config")
  parser.set_defaults(overrides=[])


def run(arguments):
  if arguments.import_bundle and arguments.export_bundle:
    raise UsageError("--import_bundle and --export_bundle exclude each other")
  if not arguments.train_dir and not arguments.export_bundle:
    raise UsageError("--train_dir must name a directory")
  config = override(_recipe(arguments), arguments.overrides)
  if not config.data.train:
    raise UsageError("--config.data.train must name a folder or a glob")
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models import bundles, training
  parts = (
      config.model.name, config.model.arguments.to_dict(),
      options.DataOptions(**config.data), options.TrainOptions(**config.train))
  if arguments.export_bundle:
    summary = bundles.export(
        arguments.export_bundle, *parts, train_dir=arguments.train_dir,
        limit_mib=arguments.bundle_mib,
        steps_per_call=arguments.steps_per_call)
    print(f"{arguments.export_bundle}: {summary}")
    return 0
  progress = "bar" if sys.stdout.isatty() else "lines"
  if arguments.import_bundle:
    bundles.take_over(arguments.import_bundle, arguments.train_dir, *parts)
  path = training.train(arguments.train_dir, *parts, progress=progress)
  print(f"{path}: ready; tfcm compress --model={arguments.train_dir} IMAGE")
  return 0


def _recipe(arguments):
  """Returns the recipe to start from: by name, or that of a bundle."""
  if arguments.config:
    return configs.get(arguments.config)
  if not arguments.import_bundle:
    raise UsageError("--config must name a recipe, see `tfcm models`")
  path = os.path.join(arguments.import_bundle, "results.json")
  results = read_json(path)
  if not isinstance(results, dict):
    raise UsageError(f"{path}: not of a bundle's run")
  config = configs.from_dict(results.get("config"))
  # Another machine's results do not say what this one fetches.
  config.data.download = False
  return config


def override(config, overrides):
  """Returns `config` with `--config.section.key=value` applied.

  Raises:
    UsageError: for other flags, unknown keys and values of a wrong type.
  """
  for word in overrides:
    if not word.startswith("--config.") or "=" not in word:
      raise UsageError(f"unknown argument {word}; --config.KEY=VALUE sets one")
    if not word.startswith(_RATES):
      _check_key(config, word.removeprefix("--config.").split("=")[0])
  for word in [word for word in overrides if word.startswith(_RATES)]:
    _set_rate(config, word)
  overrides = [word for word in overrides if not word.startswith(_RATES)]
  values = flags.FlagValues()
  try:
    config_flags.DEFINE_config_dict(
        "config", config, flag_values=values, sys_argv=["tfcm", *overrides])
    values(["tfcm", *overrides])
  except (flags.Error, TypeError, ValueError) as error:
    raise UsageError(str(error).split("\n", maxsplit=1)[0]) from None
  return values.config


def _set_rate(config, word):
  """Applies `--config.train.rates.PART=FACTOR`."""
  part, factor = word.removeprefix(_RATES).split("=", maxsplit=1)
  try:
    with config.unlocked():
      config.train.rates[part] = float(factor)
  except ValueError:
    raise UsageError(f"{word}: {factor!r} is no number") from None


def _check_key(config, path):
  """Raises `UsageError` unless `path`, dotted, is a key of `config`."""
  section = config
  for key in path.split("."):
    if not hasattr(section, "keys") or key not in section:
      known = ", ".join(sorted(section)) if hasattr(section, "keys") else "none"
      raise UsageError(f"--config.{path}: no key {key!r} there; known: {known}")
    section = section[key]
