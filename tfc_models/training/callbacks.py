"""Keras callbacks: learning rate, saved models, progress, TensorBoard."""

import datetime
import logging
import math
import time

import tensorflow as tf
import tqdm

from tfc_models.modeling import weights

_LOG = logging.getLogger(__name__)


class Conduct(tf.keras.callbacks.Callback):
  """Sets the learning rate of each step, counts the time, stops at an end.

  The first epoch ends with the names of variables that stand still. A step whose
  figures are not finite ends training before anything of it is saved.

  Args:
    run: `run.Run`.

  Attributes:
    failure: text that says where training broke, or None.
  """

  def __init__(self, run):
    super().__init__()
    self.run = run
    self.failure = None
    self._before = float(run.seconds)
    self._start = None

  def on_train_begin(self, logs=None):
    self._start = time.monotonic()

  def on_train_batch_begin(self, batch, logs=None):
    seconds = self._seconds()
    for network, optimizer in self.model.optimizers.items():
      optimizer.learning_rate = self.run.learning_rate(seconds, network)

  def on_train_batch_end(self, batch, logs=None):
    # Means over the epoch so far: not finite from the first such step on.
    wrong = [name for name, value in logs.items() if not math.isfinite(value)]
    if wrong:
      self.failure = (
          f"step {self.run.step}: not finite: {', '.join(sorted(wrong))}")
      self.model.stop_training = True

  def on_test_begin(self, logs=None):
    self._averaged = self.model.averaged()
    self._averaged.__enter__()
    self.model.fix_scales()

  def on_test_end(self, logs=None):
    self._averaged.__exit__(None, None, None)

  def on_epoch_end(self, epoch, logs=None):
    logs["learning_rate"] = float(self.model.optimizer.learning_rate)
    if self.failure:
      return
    still = self.model.below_epsilon()
    logs["below_epsilon"] = len(still)
    if still and epoch == 0:
      others = weights.variables_by_path(self.model, training_only=True).keys()
      _LOG.warning(
          "step %d: gradients are below train.epsilon, so that these hardly move: %s",
          self.run.step, ", ".join(weights.parts(still, others - set(still))))
    self.run.seconds.assign(self._seconds())
    self.run.save(logs)
    if self.run.is_over():
      self.model.stop_training = True

  def _seconds(self):
    return self._before + time.monotonic() - self._start


class Progress(tf.keras.callbacks.Callback):
  """Shows how far the run is and when it will end.

  Args:
    run: `run.Run`.
    bar: True for a progress bar, False for a line an epoch.
  """

  def __init__(self, run, bar):
    super().__init__()
    self.run = run
    self.bar = bar
    self._bar = None
    self._start = None

  def on_train_begin(self, logs=None):
    self._start = (time.monotonic(), self.run.step)
    if self.bar:
      self._bar = tqdm.tqdm(
          total=self.run.options.steps, initial=self.run.step, unit="step",
          dynamic_ncols=True)

  def on_train_batch_end(self, batch, logs=None):
    if self._bar is not None:
      self._bar.update()
      if self._bar.n % 10 == 0:
        self._bar.set_postfix_str(self._figures(logs), refresh=False)

  def on_epoch_end(self, epoch, logs=None):
    if self._bar is None:
      print(f"step {self.run.step}/{self.run.options.steps} {self._figures(logs)} "
            f"{self._rate():.2f} steps/s, {self._left()} left", flush=True)

  def on_train_end(self, logs=None):
    if self._bar is not None:
      self._bar.close()

  def _figures(self, logs):
    """Returns the figures that people watch, in one line."""
    names = ("loss", "bpp", "psnr", "ms_ssim", *self.model.figure_names,
             "val_loss", "val_psnr")
    return " ".join(
        f"{name} {logs[name]:.4g}" for name in names if name in logs)

  def _rate(self):
    start, step = self._start
    return (self.run.step - step) / (time.monotonic() - start)

  def _left(self):
    """Returns the time to the end, by steps or by time: the shorter."""
    options = self.run.options
    seconds = (options.steps - self.run.step) / self._rate()
    if options.minutes:
      seconds = min(
          seconds, max(60.0 * options.minutes - float(self.run.seconds), 0.0))
    return datetime.timedelta(seconds=round(seconds))


class Samples(tf.keras.callbacks.Callback):
  """Writes pictures and coded bits to TensorBoard, of the model just saved.

  Args:
    images: uint8 batch, what to code.
    log_dir: of TensorBoard.
  """

  def __init__(self, images, log_dir):
    super().__init__()
    self.images = images
    self._writer = tf.summary.create_file_writer(log_dir)

  def on_epoch_end(self, epoch, logs=None):
    if not all(map(math.isfinite, logs.values())):
      return
    with self.model.averaged():
      trials = [self.model.trial(image) for image in self.images]
    pictures, estimated, coded = zip(*trials)
    pixels = self.images[..., 0].size
    with self._writer.as_default(step=epoch):
      tf.summary.image(
          "original and decoded", tf.stack(pictures), max_outputs=len(pictures))
      tf.summary.scalar("bpp estimated", sum(estimated) / pixels)
      tf.summary.scalar("bpp coded", sum(coded) / pixels)
    self._writer.flush()
