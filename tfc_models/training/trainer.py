"""Trains one model into a directory, from which an interrupted run goes on."""

import dataclasses
import json
import os

import tensorflow as tf

from tfc_models import registry
from tfc_models.datasets import crops
from tfc_models.errors import UsageError
from tfc_models.fileio import write_atomically
from tfc_models.metrics import MS_SSIM_MIN_SIZE
from tfc_models.models import base, weights
from tfc_models.pretrained import loader
from tfc_models.training import schedules
from tfc_models.training.callbacks import SaveModel

# Batches that `Model.prepare` looks at.
PREPARE_BATCHES = 100


@dataclasses.dataclass(frozen=True)
class DataOptions:
  """Where patches come from; the section `data` of a config."""

  train: str
  validation: str = ""
  patch_size: int = 256
  batch_size: int = 8
  max_downscale: float = 2.0
  cache_mib: int = 2048
  validation_batches: int = 16


@dataclasses.dataclass(frozen=True)
class TrainOptions:
  """How long and towards what; the section `train` of a config."""

  distortion: str = "mse"
  lmbda: float = 0.01
  learning_rate: float = 1e-4
  schedule: str = "constant"
  clip_norm: float = 1.0
  steps: int = 1_000_000
  steps_per_epoch: int = 200
  seed: int = 0
  init: str = ""


def train(train_dir, model_name, model_arguments, data, options, verbose=2):
  """Trains until `options.steps`; the directory then holds a model that codes.

  A directory that holds a checkpoint is continued: with the same options the
  result does not depend on where it was interrupted.

  Args:
    train_dir: directory for checkpoints, `config.json` and `model.npz`.
    model_name: registered name.
    model_arguments: dict of its keyword arguments.
    data: `DataOptions`.
    options: `TrainOptions`.
    verbose: as in Keras: 0 silent, 1 progress bar, 2 a line an epoch.

  Returns:
    path of the weight file.

  Raises:
    UsageError: if data or options cannot work, or the loss is not finite.
  """
  _check(model_name, data, options)
  store = crops.ImageStore(data.train, data.patch_size, data.cache_mib)
  validation = _validation(data, options)
  tf.keras.utils.set_random_seed(options.seed)  # Of the initial weights.
  model = registry.create(model_name, **model_arguments)
  model.build_variables()
  schedule = schedules.create(
      options.schedule, options.learning_rate, options.steps)
  model.compile(
      tf.keras.optimizers.Adam(
          schedule, global_clipnorm=options.clip_norm or None),
      lmbda=options.lmbda, distortion=options.distortion, seed=options.seed)
  model.optimizer.build(model.trainable_variables)

  def batches(first, count):
    return crops.crop_dataset(
        store, batch_size=data.batch_size, patch_size=data.patch_size,
        first_batch=first, num_batches=count, seed=options.seed,
        max_downscale=data.max_downscale)

  manager = tf.train.CheckpointManager(
      tf.train.Checkpoint(model=model),
      os.path.join(train_dir, "checkpoints"), max_to_keep=2)
  if manager.latest_checkpoint:
    manager.restore_or_initialize()
  else:
    _write_config(train_dir, model_name, model_arguments, data, options)
    _initialize(model, batches(0, PREPARE_BATCHES), options)
  start = int(model.optimizer.iterations)
  if start % options.steps_per_epoch:
    raise UsageError(
        f"{train_dir}: the checkpoint is at step {start}, which "
        f"train.steps_per_epoch={options.steps_per_epoch} does not divide")
  save = SaveModel(
      manager, os.path.join(train_dir, loader.TRAINED_FILE),
      lmbda=options.lmbda, distortion=options.distortion)
  if start < options.steps:
    model.fit(
        # Without an end: Keras counts a step in which the data run out.
        batches(start, None),
        initial_epoch=start // options.steps_per_epoch,
        epochs=options.steps // options.steps_per_epoch,
        steps_per_epoch=options.steps_per_epoch,
        validation_data=validation, verbose=verbose, callbacks=[save])
    if save.not_finite:
      raise UsageError(
          f"the loss became {save.not_finite} in the epoch that ends at step "
          f"{int(model.optimizer.iterations)}; the checkpoint before it is "
          "kept. A lower learning rate or clip_norm may help")
  else:
    save.save_model(model)
  return save.path


def _check(model_name, data, options):
  """Raises `UsageError` for options that contradict each other."""
  try:
    factor = registry.get(model_name).downsampling_factor
  except KeyError as error:
    raise UsageError(error.args[0]) from None
  if data.patch_size % factor:
    raise UsageError(
        f"data.patch_size must be a multiple of {factor} for {model_name}, "
        f"got {data.patch_size}")
  if options.distortion not in base.DISTORTIONS:
    raise UsageError(
        f"train.distortion must be one of {base.DISTORTIONS}, "
        f"got {options.distortion!r}")
  if options.distortion == "ms-ssim" and data.patch_size < MS_SSIM_MIN_SIZE:
    raise UsageError(
        f"MS-SSIM needs data.patch_size of at least {MS_SSIM_MIN_SIZE}, "
        f"got {data.patch_size}")
  if options.steps % options.steps_per_epoch:
    raise UsageError(
        f"train.steps must be a multiple of train.steps_per_epoch="
        f"{options.steps_per_epoch}, got {options.steps}")


def _validation(data, options):
  """Returns the batches to validate on, the same every time, or None."""
  if not data.validation:
    return None
  store = crops.ImageStore(data.validation, data.patch_size, data.cache_mib)
  return crops.crop_dataset(
      store, batch_size=data.batch_size, patch_size=data.patch_size,
      num_batches=data.validation_batches, seed=options.seed)


def _initialize(model, batches, options):
  """Starts from other weights, or from what the model makes of the data."""
  if not options.init:
    model.prepare(batches.as_numpy_iterator(), options.lmbda)
    return
  path, _ = loader.find_by_name(options.init)
  info = weights.assign_file(model, path)
  if "lmbda" in info:
    model.adapt(info["lmbda"], options.lmbda)


def _write_config(train_dir, model_name, model_arguments, data, options):
  text = json.dumps({
      "model": {"name": model_name, "arguments": model_arguments},
      "data": dataclasses.asdict(data),
      "train": dataclasses.asdict(options),
  }, indent=2)
  write_atomically(
      os.path.join(train_dir, "config.json"), text.encode(), overwrite=True)
