"""Trains one model into a directory, from which an interrupted run goes on."""

import tensorflow as tf

from tfc_models.errors import UsageError
from tfc_models.pretrained import loader
from tfc_models.training import callbacks
from tfc_models.training.run import Run

LOG_DIR = "logs"

# Patches whose pictures TensorBoard shows.
_SAMPLES = 4


def train(train_dir, model_name, model_arguments, data, options, progress=None):
  """Trains until `options` say so; the directory then holds a model that codes.

  A directory that holds a checkpoint is continued: with the same options the
  result does not depend on where it was interrupted.

  Args:
    train_dir: directory for `model.npz` (the weights), `best.npz` (those with
      the least validation loss), `results.json`, `config.json`, `checkpoints/`
      and `logs/` for TensorBoard.
    model_name: registered name.
    model_arguments: dict of its keyword arguments.
    data: `configs.options.DataOptions`.
    options: `configs.options.TrainOptions`.
    progress: "bar", "lines" or None.

  Returns:
    path of the weight file.

  Raises:
    UsageError: if data or options cannot work, or the loss is not finite.
  """
  return go_on(
      Run(train_dir, model_name, model_arguments, data, options), progress)


def go_on(run, progress=None):
  """Trains a `Run` to its end; arguments and results as of `train`."""
  options = run.options
  if run.is_over():
    run.save({})
    return run.path(loader.TRAINED_FILE)
  log_dir = run.path(LOG_DIR)
  validation = run.validation()
  samples = next(iter(run.batches(0, 1) if validation is None else validation))
  conduct = callbacks.Conduct(run)
  shown = [callbacks.Progress(run, progress == "bar")] if progress else []
  watchers = [
      conduct,
      tf.keras.callbacks.TensorBoard(log_dir, write_graph=False),
      callbacks.Samples(samples.numpy()[:_SAMPLES], log_dir),
      *shown]
  # One epoch too short where another machine left off in the middle.
  while not run.is_over() and not conduct.failure:
    epoch, offset = divmod(run.step, options.steps_per_epoch)
    run.model.fit(
        # Without an end: Keras counts a step in which the data run out.
        run.batches(run.step), initial_epoch=epoch,
        epochs=epoch + 1 if offset else options.steps // options.steps_per_epoch,
        steps_per_epoch=options.steps_per_epoch - offset,
        validation_data=validation, verbose=0, callbacks=watchers)
  if conduct.failure:
    raise UsageError(
        f"{conduct.failure}; the checkpoint before it is kept. A lower "
        "train.learning_rate or train.clip_norm may help")
  return run.path(loader.TRAINED_FILE)
