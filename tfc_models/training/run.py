"""A training directory, and all that is needed to go on in it."""

import json
import math
import os
import platform
import shutil

import numpy as np
import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import registry
from tfc_models.configs.common import LMBDAS
from tfc_models.datasets import sources, video
from tfc_models.errors import UsageError
from tfc_models.fileio import (
    is_leftover,
    read_bytes,
    read_json,
    remove_leftovers,
    write_atomically,
    write_json,
)
from tfc_models.modeling import weights
from tfc_models.pretrained import loader
from tfc_models.training import optimizers, schedules
from tfc_models.training.checks import check_options
from tfc_models.upstream import require_whole
from tfc_models.version import __version__

CHECKPOINTS = "checkpoints"
CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"
BEST_FILE = "best.npz"

# Batches that `Model.prepare` looks at.
PREPARE_BATCHES = 100


class Run:
  """Model, data and optimizer of a training directory, at its last checkpoint.

  Without a checkpoint the model is new: from `train.init`, or from what it
  makes of the data.

  Args:
    train_dir: directory; made if missing.
    model_name: registered name.
    model_arguments: dict of its keyword arguments.
    data: `configs.options.DataOptions`.
    options: `configs.options.TrainOptions`.

  Attributes:
    model: compiled, with `optimizer.iterations` steps behind it.
    images: with `batches`, from `datasets.sources`.
    seconds: float variable, what training has taken so far.
    best_loss: float variable, the least validation loss so far.

  Raises:
    UsageError: if data or options cannot work, or the directory holds
      something else; where models only code, see `upstream`.
  """

  def __init__(self, train_dir, model_name, model_arguments, data, options):
    require_whole()
    self.train_dir = train_dir
    self.data = data
    self.options = options
    self.config = {
        "model": {"name": model_name, "arguments": model_arguments},
        "data": vars(data), "train": vars(options)}
    check_options(model_name, data, options)
    self.images = self._open(data.train)
    self._validation = self._open(data.validation) if data.validation else None
    tf.keras.utils.set_random_seed(options.seed)  # Of the initial weights.
    self.model = registry.create(model_name, **model_arguments)
    self.model.build_variables()
    self.seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)
    self.best_loss = tf.Variable(np.inf, trainable=False, dtype=tf.float64)
    folder = self.path(CHECKPOINTS)
    self._tidy(folder)
    latest = tf.train.latest_checkpoint(folder)
    if latest:
      self._check_same_model()
    else:
      self._initialize()
    try:
      self.model.compile(
          {network: optimizers.create(options.of_optimizer(network))
           for network in self.model.networks},
          lmbda=options.lmbda, distortion=options.distortion,
          seed=options.seed, average=options.average, freeze=options.freeze,
          target_bpp=options.target_bpp, below_target=options.below_target,
          perceptual=options.perceptual, perceptual_weight=options.perceptual_weight,
          adversarial=options.adversarial, rates=options.rates,
          truncate=options.truncate)
    except ValueError as error:
      raise UsageError(f"train.{error}") from None
    if not self.model.controls.trained["main"]:
      raise UsageError("train.freeze leaves nothing to train")
    self._checkpoint = tf.train.Checkpoint(
        model=self.model, seconds=self.seconds, best_loss=self.best_loss)
    self._manager = tf.train.CheckpointManager(
        self._checkpoint, folder, max_to_keep=2)
    if latest:
      self._restore(latest)
    write_json(
        self.path(CONFIG_FILE), dict(self.config, versions=versions()))

  @property
  def step(self):
    """Number of steps taken."""
    return int(self.model.optimizer.iterations)

  def path(self, name):
    """Returns the path of a file of the training directory."""
    return os.path.join(self.train_dir, name)

  def batches(self, first, count=None):
    """Returns the training batches from number `first` on."""
    return self.images.batches(
        batch_size=self.data.batch_size, patch_size=self.data.patch_size,
        first_batch=first, num_batches=count, seed=self.options.seed,
        max_downscale=self.data.max_downscale)

  def validation(self):
    """Returns the batches to validate on, the same every time, or None."""
    if self._validation is None:
      return None
    return self._validation.batches(
        batch_size=self.data.batch_size, patch_size=self.data.patch_size,
        num_batches=self.data.validation_batches, seed=self.options.seed)

  def learning_rate(self, seconds, network="main"):
    """Returns the rate of a network in the next step.

    Args:
      seconds: that training has taken so far.
      network: one of the model's `networks`; all follow one schedule.
    """
    options = self.options
    return schedules.learning_rate(
        options.of_optimizer(network).learning_rate, options.schedule, options.decay_at,
        schedules.progress(self.step, options.steps, seconds, options.minutes))

  def is_over(self):
    """Returns whether all steps are done or the time is used up."""
    options = self.options
    return self.step >= options.steps or bool(
        options.minutes and float(self.seconds) >= 60.0 * options.minutes)

  def save(self, figures):
    """Writes model, results and, last of all, the checkpoint.

    The checkpoint last: once it is there, nothing before it is missing.

    Args:
      figures: dict of what the last epoch measured; with "val_loss", the model
        with the least one is kept as best.npz.

    Returns:
      info of the weight file, see `modeling.weights.save`.
    """
    path = self.path(loader.TRAINED_FILE)
    with self.model.averaged():
      info = weights.save(
          self.model, path, steps=self.step, lmbda=self.options.lmbda,
          distortion=self.options.distortion, bits=self.options.weight_bits,
          fine=self.options.freeze, tfc_models=__version__)
    if figures.get("val_loss", np.inf) < self.best_loss:
      self.best_loss.assign(figures["val_loss"])
      write_atomically(self.path(BEST_FILE), read_bytes(path), overwrite=True)
    write_json(self.path(RESULTS_FILE), self._results(figures, info))
    self._manager.save(checkpoint_number=self.step)
    return info

  def _results(self, figures, info):
    """Returns what results.json says."""
    seconds = float(self.seconds)
    best = float(self.best_loss)
    return {
        "finished": self.is_over(),
        "steps": self.step,
        "seconds": round(seconds, 3),
        "patches_per_second": round(
            self.step * self.data.batch_size / seconds, 3) if seconds else None,
        "figures": {name: float(value) for name, value in figures.items()},
        "best_val_loss": best if np.isfinite(best) else None,
        "below_epsilon": self.model.below_epsilon(),
        "weights": loader.TRAINED_FILE,
        "fingerprint": info["fingerprint"],
        "parameters": info["parameters"],
        "config": self.config,
        "versions": versions(),
    }

  def _open(self, pattern):
    if registry.get(self.config["model"]["name"]).kind == "video":
      return video.SequenceStore(
          pattern, self.data.patch_size, self.data.frames)
    return sources.open_images(
        pattern, self.data.patch_size, cache_mib=self.data.cache_mib,
        image_key=self.data.image_key, download=self.data.download)

  def _tidy(self, folder):
    """Removes what a killed run left half-written, not what another writes."""
    remove_leftovers(self.train_dir)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for path in [os.path.join(folder, name) for name in names]:
      if path.endswith("_temp") and is_leftover(path):
        shutil.rmtree(path, ignore_errors=True)

  def _check_same_model(self):
    """Raises `UsageError` if the directory was made for another model."""
    stored = read_json(self.path(CONFIG_FILE))["model"]
    if stored != json.loads(json.dumps(self.config["model"])):
      raise UsageError(
          f"{self.train_dir}: holds a checkpoint of {stored['name']} with "
          f"{stored['arguments']}; another model needs another directory")

  def _initialize(self):
    """Starts from other weights, or from what the model makes of the data."""
    if not self.options.init:
      self.model.prepare(
          self.batches(0, PREPARE_BATCHES).as_numpy_iterator(),
          mse_weight(self.options.distortion, self.options.lmbda))
      return
    path, _ = loader.find_by_name(self.options.init)
    info = weights.warm_start(self.model, path, self.options.init_parts)
    if self.options.init_parts:
      self.model.prepare_rest(
          self.batches(0, PREPARE_BATCHES).as_numpy_iterator(), self.options.init_parts)
      return
    if info.get("distortion", "mse") == self.options.distortion == "mse" and (
        "lmbda" in info):
      self.model.adapt(info["lmbda"], self.options.lmbda)

  def _restore(self, path):
    """Reads a checkpoint.

    Raises:
      UsageError: if it is of a model or optimizer of another structure.
    """
    try:
      self._checkpoint.restore(path).assert_existing_objects_matched()
    except (AssertionError, ValueError):
      raise UsageError(
          f"{path}: does not fit these options; continue with the ones that "
          f"{self.path(CONFIG_FILE)} holds") from None


def mse_weight(distortion, lmbda):
  """Returns the lmbda of a mean square error that leads to about the same rate."""
  if distortion == "ms-ssim":
    known = LMBDAS["ms-ssim"], LMBDAS["mse"]
    ratio = np.interp(np.log(lmbda), np.log(known[0]), np.divide(*known))
    return lmbda / ratio
  if distortion in ("mae", "ssim-mae"):
    # The step d that minimises 3 (const - log2 d) + lmbda d / 4, see `high_rate_step`.
    return lmbda**2 * math.log(2.0) / 8.0
  return lmbda


def versions():
  """Returns a dict of the versions that a result depends on."""
  return {
      "tfc_models": __version__,
      "tensorflow": tf.__version__,
      "python": platform.python_version(),
  }
