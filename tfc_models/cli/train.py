"""`tfcm train`: a model on your own images."""

import sys

from absl import flags
from ml_collections import config_flags

from tfc_models import configs
from tfc_models.errors import UsageError


def add_arguments(parser):
  parser.add_argument(
      "--config", required=True, metavar="RECIPE[:VARIANT]",
      help="recipe, see `tfcm models`; single values are set as "
      "--config.train.lmbda=0.01, --config.data.train=FOLDER ...")
  parser.add_argument(
      "--train_dir", required=True,
      help="directory for checkpoints and model.npz; one that holds a "
      "checkpoint is continued")
  parser.set_defaults(overrides=[])


def run(arguments):
  config = _override(configs.get(arguments.config), arguments.overrides)
  if not config.data.train:
    raise UsageError("--config.data.train must name a folder or a glob")
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models import training
  path = training.train(
      arguments.train_dir, config.model.name,
      config.model.arguments.to_dict(),
      training.DataOptions(**config.data),
      training.TrainOptions(**config.train),
      verbose=1 if sys.stdout.isatty() else 2)
  print(f"{path}: ready; tfcm compress --model={arguments.train_dir} IMAGE")
  return 0


def _override(config, overrides):
  """Returns `config` with `--config.section.key=value` applied.

  Raises:
    UsageError: for other flags, unknown keys and values of a wrong type.
  """
  for word in overrides:
    if not word.startswith("--config.") or "=" not in word:
      raise UsageError(f"unknown argument {word}; --config.KEY=VALUE sets one")
    _check_key(config, word.removeprefix("--config.").split("=")[0])
  values = flags.FlagValues()
  try:
    config_flags.DEFINE_config_dict(
        "config", config, flag_values=values, sys_argv=["tfcm", *overrides])
    values(["tfcm", *overrides])
  except (flags.Error, TypeError, ValueError) as error:
    raise UsageError(str(error).split("\n", maxsplit=1)[0]) from None
  return values.config


def _check_key(config, path):
  """Raises `UsageError` unless `path`, dotted, is a key of `config`."""
  section = config
  for key in path.split("."):
    if not hasattr(section, "keys") or key not in section:
      known = ", ".join(sorted(section)) if hasattr(section, "keys") else "none"
      raise UsageError(f"--config.{path}: no key {key!r} there; known: {known}")
    section = section[key]
