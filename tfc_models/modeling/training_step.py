"""Training of a model: one step, its loss, what it logs."""

import contextlib
import dataclasses

import tensorflow as tf

from tfc_models import metrics
from tfc_models.metrics.perceptual import create as perceptual_distance
from tfc_models.modeling import rates as rates_lib
from tfc_models.modeling.averaging import MovingAverage
from tfc_models.modeling.settings import TrainingContext
from tfc_models.modeling.weights import is_below, variables_by_path
from tfc_models.ops import image as image_ops
from tfc_models.ops.noise import Noise
from tfc_models.upstream import require_whole

# From name to (B,) of the batches x, x_hat in [0, 1]; see `objective`.
DISTORTIONS = {
    "mse": metrics.mse,
    "mae": metrics.mae,
    "log-mse": metrics.log_mse,
    "ssim-mae": metrics.dissimilar_mae,
    "ms-ssim": lambda x, x_hat: 1.0 - metrics.ms_ssim(x, x_hat),
}


@dataclasses.dataclass(frozen=True)
class Controls:
  """What a training step reads; no part of the model, so in no checkpoint.

  Attributes:
    lmbda, seed: variables, so that neither a graph nor an exported program holds
      them fixed.
    trained: from each of the model's `networks` to the list of variables that its
      optimizer changes.
    factors: likewise to pairs of such a variable and a factor on its learning rate,
      of those that have one.
  """

  lmbda: tf.Variable
  seed: tf.Variable
  trained: dict
  factors: dict


class TrainableModel(tf.keras.Model):
  """A model whose `call` gives a `ModelOutput` of its `latents`, see `base`.

  Class facts:
    networks: from the name of an optimizer to the parts that it trains, as object
      paths or beginnings of them; "main" trains all that no other does.
    training_only: names of attributes that training alone uses, such as a
      discriminator. Checkpoints hold them; weight files, moving averages and
      fingerprints do not.
    fine_parts: object paths of parts whose kernels keep 16 bits in weight files of 8,
      since a picture shows their errors as they are.
    figure_names: of figures that `update` gives beside those of `objective`.
  """

  networks = {"main": ()}
  training_only = ()
  fine_parts = ()
  figure_names = ()

  def compile(self, optimizer, lmbda, distortion="mse", seed=0, average=0.0,
              freeze=(), rates=None, truncate=0, target_bpp=0.0, below_target=0.0,
              perceptual="", perceptual_weight=0.0, adversarial=0.0, **kwargs):
    """Prepares `fit`; the variables have their initial values by now.

    Args:
      optimizer: Keras optimizer, or a dict of them, one for each of `networks`.
      lmbda: weight of the distortion, see `objective`.
      distortion: one of `DISTORTIONS`.
      seed: of the noise.
      average: momentum of the moving average of the weights, see `averaged`;
        0 keeps none.
      freeze: parts that are not trained, as object paths or beginnings of them:
        "analysis_transform", "y_codec/tables" ...
      rates: dict from such paths to factors on the learning rate; of several that
        hold a variable the longest counts.
      truncate: see `TrainingContext`.
      target_bpp, below_target: rate that costs little or nothing, see `objective`.
      perceptual: a distance as of `metrics.perceptual.create`, or "" for none.
      perceptual_weight: its weight in the loss.
      adversarial: that of the loss of models that have a discriminator.
      **kwargs: as in Keras.

    Raises:
      ValueError: if nothing is called so, or optimizers and networks differ.
      UsageError: where models only code, see `upstream`; if files of weights of a
        perceptual distance cannot be read.
    """
    require_whole()
    if distortion not in DISTORTIONS:
      raise ValueError(
          f"`distortion` must be one of {tuple(DISTORTIONS)}, got "
          f"{distortion!r}.")
    optimizers = optimizer if isinstance(optimizer, dict) else {
        "main": optimizer}
    if optimizers.keys() != self.networks.keys():
      raise ValueError(
          f"`optimizer` must hold one for each of {', '.join(self.networks)}, got "
          f"{', '.join(optimizers)}.")
    if adversarial and "discriminator" not in self.networks:
      raise ValueError("`adversarial` is for models that have a discriminator.")
    super().compile(optimizer=optimizers["main"], **kwargs)
    self.optimizers = optimizers
    self.distortion = distortion
    self.truncate = truncate
    self.target_bpp = target_bpp
    self.below_target = below_target
    self.perceptual = perceptual_distance(perceptual) if perceptual else None
    self.perceptual_weight = perceptual_weight
    self.adversarial = adversarial
    self.build_training_variables()
    trained = self._trained(freeze)
    self.controls = Controls(
        tf.Variable(lmbda, trainable=False, dtype=tf.float32),
        tf.Variable(seed, trainable=False, dtype=tf.int32),
        trained, self._factors(rates or {}, trained))
    for network, variables in self.controls.trained.items():
      optimizers[network].build(variables)
    kept = {id(variable) for variable in variables_by_path(self).values()}
    self.moving_average = MovingAverage(
        [v for v in self.trainable_variables if id(v) in kept],
        average) if average else None
    names = ("loss", "bpp", "mse", "psnr", "gradient_norm") + (
        ("ms_ssim",) if distortion == "ms-ssim" else ()) + (
            ("perceptual",) if perceptual else ()) + tuple(
            f"bpp_{latent}" for latent in self.latents) + self.figure_names
    self.means = {name: tf.keras.metrics.Mean(name=name) for name in names}

  def build_training_variables(self):
    """Creates the variables of `training_only`; may be called again.

    Running these networks once does it. By default, for models without.
    """

  @property
  def metrics(self):
    return list(self.means.values())

  def objective(self, x, output, context):
    """Returns the loss to minimise and the figures to log.

    The loss is bpp + lmbda * mse with mse on 0..255, likewise with its logarithm or
    the mean absolute error, as it is or weighted by lost structure, or bpp + lmbda * (1 -
    ms_ssim); the distortion is that of all stages, by `stage_weights`. Each sample is
    weighed by its own lmbda, and its loss by `balance`. Of video, bpp is per pixel and
    frame, and distortions and PSNR are means over frames. With a target, the mean of bpp
    counts by what exceeds it, and by the share `below_target` of the rest. A perceptual
    distance of x_hat comes on top. (Keras owns the attribute `Model.loss`.)

    Args:
      x: (B, H, W, 3) float in [0, 1], of video (B, T, H, W, 3).
      output: `ModelOutput`.
      context: `TrainingContext` with lmbda.

    Returns:
      Scalar loss, dict of scalars.
    """
    pixels = tf.cast(tf.reduce_prod(tf.shape(x)[1:-1]), tf.float32)
    rates = {name: output.bits[name] / pixels for name in self.latents}
    bpp = sum(rates.values(), tf.zeros(tf.shape(x)[:1]))  # (B,)
    mse = metrics.mse(_frames(x), _frames(output.x_hat))  # Of each frame.
    measure = DISTORTIONS[self.distortion]
    distortions = [
        tf.reduce_mean(tf.reshape(
            measure(_frames(x), _frames(x_hat)), [tf.shape(x)[0], -1]), axis=1)
        for x_hat in output.stages or (output.x_hat,)]
    distortion = tf.add_n([weight * each for weight, each in zip(
        self.stage_weights(len(distortions)), distortions)])
    loss = self._rate(bpp) + context.lmbda * distortion
    distances = {}
    if self.perceptual:
      distances["perceptual"] = self.perceptual(_frames(x), _frames(output.x_hat))
      loss += self.perceptual_weight * tf.reduce_mean(
          tf.reshape(distances["perceptual"], [tf.shape(x)[0], -1]), axis=1)
    loss *= self.balance(context.lmbda)
    figures = {f"bpp_{name}": rate for name, rate in rates.items()}
    figures.update(
        loss=loss, bpp=bpp, mse=mse, psnr=metrics.psnr_from_mse(mse), **distances)
    if self.distortion == "ms-ssim":
      figures["ms_ssim"] = 1.0 - distortions[-1]
    figures = {name: tf.reduce_mean(each) for name, each in figures.items()}
    return figures["loss"], figures

  def _rate(self, bpp):
    """Returns what bpp, (B,), costs: (B,), or with a target a scalar."""
    if not self.target_bpp:
      return bpp
    bpp = tf.reduce_mean(bpp)
    return tf.nn.relu(bpp - self.target_bpp) + self.below_target * tf.minimum(
        bpp, self.target_bpp)

  def stage_weights(self, count):
    """Returns the weights of the distortions of `count` stages; all alike by default."""
    return [1.0 / count] * count

  def update(self, x):
    """Takes one step of each network; models with several override it.

    Args:
      x: (B, H, W, 3) uint8, of video (B, T, H, W, 3).

    Returns:
      dict of scalars: the figures of `objective` before the step, gradient_norm of
      the main network, before clipping, and those of `figure_names`.
    """
    x = image_ops.to_float(x)
    context = self.training_context(tf.shape(x)[0])
    with tf.GradientTape() as tape:
      output = self(x, training=True, context=context)
      loss, figures = self.objective(x, output, context)
    return dict(figures, gradient_norm=self.minimize(loss, tape))

  def minimize(self, loss, tape, network="main"):
    """Takes an optimizer's step; returns the norm of the gradient before clipping.

    Args:
      loss: scalar, of which `network` takes the gradient with respect to what it
        trains, and to nothing else.
      tape: `tf.GradientTape`; persistent if it serves several networks.
      network: one of `networks`. A step of "main" is what counts as one, and what
        moving averages follow; it comes once an update.
    """
    variables = self.controls.trained[network]
    if not variables:  # All are frozen.
      return tf.zeros([])
    gradients = tape.gradient(loss, variables)
    with rates_lib.scaled(self.controls.factors[network]):
      self.optimizers[network].apply_gradients(zip(gradients, variables))
    if self.moving_average and network == "main":
      self.moving_average.update(self.optimizer.iterations)
    return tf.linalg.global_norm(gradients)

  def averaged(self):
    """Returns a context in which the weights are their moving average, if any."""
    if self.moving_average:
      return self.moving_average.applied()
    return contextlib.nullcontext()

  def below_epsilon(self):
    """Returns the paths of variables that stand still, see `rates.below_epsilon`."""
    still = {
        id(variable) for network, variables in self.controls.trained.items()
        for variable in rates_lib.below_epsilon(self.optimizers[network], variables)}
    return [path for path, variable in variables_by_path(
        self, training_only=True).items() if id(variable) in still]

  def train_step(self, x):
    figures = self.update(x)
    missing = self.means.keys() - figures.keys()
    if missing:
      raise ValueError(
          f"`update` of {type(self).__name__} gives no {', '.join(sorted(missing))}.")
    return self._log(figures)

  def test_step(self, x):
    x = image_ops.to_float(x)
    output = self(x, training=False)
    output = output._replace(
        x_hat=tf.clip_by_value(output.x_hat, 0.0, 1.0),
        stages=tuple(tf.clip_by_value(x, 0.0, 1.0) for x in output.stages))
    _, figures = self.objective(
        x, output, TrainingContext(lmbda=self.controls.lmbda))
    return self._log(figures)

  def _trained(self, freeze):
    """Returns what `Controls.trained` holds: all but the paths `freeze`."""
    owners = {}
    for network, parts in [*self.networks.items(), ("freeze", freeze)]:
      for part in parts:
        owners.update(dict.fromkeys(self._below(part, network), network))
    return {
        network: [v for v in self.trainable_variables
                  if owners.get(id(v), "main") == network]
        for network in self.networks}

  def _factors(self, rates, trained):
    """Returns what `Controls.factors` holds."""
    factors = {}
    for part in sorted(rates, key=len):
      factors.update(dict.fromkeys(self._below(part, "rates"), rates[part]))
    return {
        network: [(v, factors[id(v)]) for v in variables if id(v) in factors]
        for network, variables in trained.items()}

  def _below(self, part, wanted_by):
    """Returns the ids of the variables of a part, an object path."""
    found = [
        id(variable)
        for path, variable in variables_by_path(self, training_only=True).items()
        if is_below(path, [part])]
    if not found:
      raise ValueError(f"{wanted_by}: no variables below {part!r}")
    return found

  def training_context(self, batch):
    """Returns the `TrainingContext` of the next step, of `batch` samples."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    samples = tf.cast(replica, tf.int32) * batch + tf.range(batch)
    noise = Noise(self.controls.seed, self.optimizer.iterations, samples)
    return TrainingContext(
        lmbda=self.draw_lmbda(noise), noise=noise, truncate=self.truncate)

  def draw_lmbda(self, noise):
    """Returns the weights of the distortion in a step: a scalar, or (B,).

    Models of variable rate draw one for each sample, from `noise` alone, and call
    sees them in its context. At the quality that `Settings` have by default the
    weight is `controls.lmbda`, with which validation weighs.

    Args:
      noise: `Noise` of the step.
    """
    del noise
    return self.controls.lmbda

  def balance(self, lmbda):
    """Returns factors on the losses of samples, a scalar or (B,), given their lmbda.

    Models of variable rate hold the large losses of high rates against the small ones
    of low rates with it. At `controls.lmbda` it is 1.
    """
    del lmbda
    return 1.0

  def _log(self, figures):
    unknown = figures.keys() - self.means.keys()
    if unknown:
      raise ValueError(
          f"{type(self).__name__} gives {', '.join(sorted(unknown))}, which its "
          "`figure_names` do not name.")
    for name, value in figures.items():
      self.means[name].update_state(value)
    return {name: self.means[name].result() for name in figures}


def _frames(x):
  """Returns (B, ..., H, W, 3) as (N, H, W, 3): images, or frames of all samples."""
  if len(x.shape) == 4:
    return x
  return tf.reshape(x, tf.concat([[-1], tf.shape(x)[-3:]], axis=0))
