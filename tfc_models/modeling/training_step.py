"""Training of a model: one step, its loss, what it logs."""

import contextlib
import dataclasses

import tensorflow as tf

from tfc_models import metrics
from tfc_models.modeling.averaging import MovingAverage
from tfc_models.modeling.settings import TrainingContext
from tfc_models.modeling.weights import variables_by_path
from tfc_models.ops import image as image_ops
from tfc_models.ops.noise import Noise

# From name to (B,) of the batches x, x_hat in [0, 1]; see `objective`.
DISTORTIONS = {
    "mse": metrics.mse,
    "mae": metrics.mae,
    "ssim-mae": metrics.dissimilar_mae,
    "ms-ssim": lambda x, x_hat: 1.0 - metrics.ms_ssim(x, x_hat),
}


@dataclasses.dataclass(frozen=True)
class Controls:
  """What a training step reads; no part of the model, so in no checkpoint.

  Attributes:
    lmbda, seed: variables, so that neither a graph nor an exported program holds
      them fixed.
    trained: the variables that the step changes.
  """

  lmbda: tf.Variable
  seed: tf.Variable
  trained: list


class TrainableModel(tf.keras.Model):
  """A model whose `call` gives a `ModelOutput` of its `latents`, see `base`."""

  def compile(self, optimizer, lmbda, distortion="mse", seed=0, average=0.0,
              freeze=(), **kwargs):
    """Prepares `fit`; the variables have their initial values by now.

    Args:
      optimizer: Keras optimizer, or a dict of them with the key "main" for
        models that train several networks against each other.
      lmbda: weight of the distortion, see `objective`.
      distortion: one of `DISTORTIONS`.
      seed: of the noise.
      average: momentum of the moving average of the weights, see `averaged`;
        0 keeps none.
      freeze: parts that are not trained, as object paths or beginnings of them:
        "analysis_transform", "y_codec/tables" ...
      **kwargs: as in Keras.

    Raises:
      ValueError: if nothing is called so.
    """
    if distortion not in DISTORTIONS:
      raise ValueError(
          f"`distortion` must be one of {tuple(DISTORTIONS)}, got "
          f"{distortion!r}.")
    optimizers = optimizer if isinstance(optimizer, dict) else {
        "main": optimizer}
    super().compile(optimizer=optimizers["main"], **kwargs)
    self.optimizers = optimizers
    self.distortion = distortion
    self.controls = Controls(
        tf.Variable(lmbda, trainable=False, dtype=tf.float32),
        tf.Variable(seed, trainable=False, dtype=tf.int32),
        self._without(freeze))
    self.moving_average = MovingAverage(
        self.trainable_variables, average) if average else None
    names = ("loss", "bpp", "mse", "psnr", "gradient_norm") + (
        ("ms_ssim",) if distortion == "ms-ssim" else ()) + tuple(
            f"bpp_{latent}" for latent in self.latents)
    self.means = {name: tf.keras.metrics.Mean(name=name) for name in names}

  @property
  def metrics(self):
    return list(self.means.values())

  def objective(self, x, output, context):
    """Returns the loss to minimise and the figures to log.

    The loss is bpp + lmbda * mse with mse on 0..255, likewise with the mean
    absolute error, as it is or weighted by lost structure, or bpp + lmbda * (1 -
    ms_ssim); the distortion is the mean over all stages. (Keras owns the attribute `Model.loss`.)

    Args:
      x: (B, H, W, 3) float in [0, 1].
      output: `ModelOutput`.
      context: `TrainingContext` with lmbda.

    Returns:
      Scalar loss, dict of scalars.
    """
    pixels = tf.cast(tf.shape(x)[1] * tf.shape(x)[2], tf.float32)
    figures = {
        f"bpp_{name}": tf.reduce_mean(output.bits[name]) / pixels
        for name in self.latents}
    bpp = tf.add_n(list(figures.values()))
    mse = metrics.mse(x, output.x_hat)
    psnr = tf.reduce_mean(metrics.psnr_from_mse(mse))
    figures.update(bpp=bpp, mse=tf.reduce_mean(mse), psnr=psnr)
    measure = DISTORTIONS[self.distortion]
    distortions = [
        tf.reduce_mean(measure(x, x_hat))
        for x_hat in output.stages or (output.x_hat,)]
    if self.distortion == "ms-ssim":
      figures["ms_ssim"] = 1.0 - distortions[-1]
    loss = bpp + context.lmbda * tf.add_n(distortions) / len(distortions)
    return loss, dict(figures, loss=loss)

  def update(self, x):
    """Takes one optimizer step; models with several networks override it.

    Args:
      x: (B, H, W, 3) uint8.

    Returns:
      dict of scalars: the figures of `objective` before the step, and
      gradient_norm, before clipping.
    """
    x = image_ops.to_float(x)
    context = self.training_context(tf.shape(x)[0])
    with tf.GradientTape() as tape:
      output = self(x, training=True, context=context)
      loss, figures = self.objective(x, output, context)
    gradients = tape.gradient(loss, self.controls.trained)
    self.optimizer.apply_gradients(zip(gradients, self.controls.trained))
    if self.moving_average:
      self.moving_average.update(self.optimizer.iterations)
    return dict(figures, gradient_norm=tf.linalg.global_norm(gradients))

  def averaged(self):
    """Returns a context in which the weights are their moving average, if any."""
    if self.moving_average:
      return self.moving_average.applied()
    return contextlib.nullcontext()

  def train_step(self, x):
    return self._log(self.update(x))

  def test_step(self, x):
    x = image_ops.to_float(x)
    output = self(x, training=False)
    output = output._replace(
        x_hat=tf.clip_by_value(output.x_hat, 0.0, 1.0),
        stages=tuple(tf.clip_by_value(x, 0.0, 1.0) for x in output.stages))
    _, figures = self.objective(
        x, output, TrainingContext(lmbda=self.controls.lmbda))
    return self._log(figures)

  def _without(self, freeze):
    """Returns the trainable variables outside of the paths `freeze`."""
    frozen = set()
    for part in freeze:
      found = {
          id(variable) for path, variable in variables_by_path(self).items()
          if f"{path}/".startswith(f"{part}/")}
      if not found:
        raise ValueError(f"freeze: no variables below {part!r}")
      frozen |= found
    return [v for v in self.trainable_variables if id(v) not in frozen]

  def training_context(self, batch):
    """Returns the `TrainingContext` of the next step, of `batch` samples."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    samples = tf.cast(replica, tf.int32) * batch + tf.range(batch)
    noise = Noise(self.controls.seed, self.optimizer.iterations, samples)
    return TrainingContext(lmbda=self.controls.lmbda, noise=noise)

  def _log(self, figures):
    for name, value in figures.items():
      self.means[name].update_state(value)
    return {name: self.means[name].result() for name in figures}
