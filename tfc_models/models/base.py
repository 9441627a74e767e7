"""The contract of a compression model, and all that follows from it."""

import abc
import contextlib
import dataclasses
from typing import NamedTuple, Optional

import tensorflow as tf

from tfc_models import metrics
from tfc_models.bitstream import LATENT, Chunk
from tfc_models.entropy_models import LatentCodec
from tfc_models.errors import BitstreamError
from tfc_models.models.averaging import MovingAverage
from tfc_models.models.weights import variables_by_path
from tfc_models.ops import image as image_ops
from tfc_models.ops import padding
from tfc_models.ops.noise import Noise

# From name to (B,) of the batches x, x_hat in [0, 1]; see `objective`.
DISTORTIONS = {
    "mse": metrics.mse,
    "mae": metrics.mae,
    "ssim-mae": metrics.dissimilar_mae,
    "ms-ssim": lambda x, x_hat: 1.0 - metrics.ms_ssim(x, x_hat),
}


class ModelOutput(NamedTuple):
  """What a model makes of a batch.

  Attributes:
    x_hat: (B, H, W, 3) float reconstruction; may leave [0, 1].
    bits: name of a latent to its (B,) bits; the keys are `Model.latents`.
    stages: for models that reconstruct in several stages, the x_hat of each; the
      loss averages their distortions. Otherwise empty.
    extras: further tensors that a loss or an evaluator of this model reads.
  """

  x_hat: tf.Tensor
  bits: dict
  stages: tuple = ()
  extras: dict = {}


@dataclasses.dataclass(frozen=True)
class Settings:
  """What one call may vary without other weights.

  Attributes:
    quality: 1..100, or None for the model's default; of models with the
      capability "quality". Fixed-rate models carry it into the header.
    iterations: at most so many, of models with the capability "progressive";
      None for as many as `quality` says, or all.
    target_bytes: of these, the last iteration with which the file has no more
      bytes is the last one.
    target_psnr: likewise, the first with which the image has as many dB.
    tile_psnr: of progressive models with an entropy coder: tiles of the image that
      have as many dB take no further bits.
    raw_bits: write the bits of such models as they are.
    thumbnail: write a file of the thumbnail profile, see `bitstream/FORMAT.md`; of
      progressive models whose iterations have a fixed size.
    lmbda: weight of the distortion in training.
    noise: random numbers of training.
  """

  quality: Optional[int] = None
  iterations: Optional[int] = None
  target_bytes: Optional[int] = None
  target_psnr: Optional[float] = None
  tile_psnr: Optional[float] = None
  raw_bits: bool = False
  thumbnail: bool = False
  lmbda: object = None
  noise: Optional[Noise] = None


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


class CompressionModel(tf.keras.Model, abc.ABC):
  """A learned codec: images to chunks of bytes and back.

  A paper writes `call`, `encode`, `decode` and the class facts; the rest
  follows. `registry.register` sets `registered_name` and `kind`.

  Class facts:
    downsampling_factor: int, sides of padded images are multiples of it.
    capabilities: subset of {"quality", "progressive", "lossless",
      "exact_pixels"}; what the conformance suite tests and callers may ask for.
      Progressive models have an attribute `iterations`, how many there are.
    latents: names of the coded latents, in the order of the stream.
  """

  downsampling_factor = None
  capabilities = frozenset()
  latents = ()

  # What the registered class was created with; kept in weight files.
  arguments = None

  @abc.abstractmethod
  def call(self, x, training=False, settings=None):
    """Returns the `ModelOutput` of a batch.

    Args:
      x: (B, H, W, 3) float in [0, 1], sides multiples of
        `downsampling_factor`.
      training: whether latents are noisy (then `settings.noise` is needed).
      settings: `Settings`.
    """

  @abc.abstractmethod
  def encode(self, x, settings):
    """Returns the list of `bitstream.Chunk` of one image.

    Args:
      x: (1, H, W, 3) float in [0, 1], padded.
      settings: `Settings`.
    """

  @abc.abstractmethod
  def decode(self, chunks, header):
    """Returns x_hat, (1, H, W, 3) float and padded, from `encode`'s chunks.

    Args:
      chunks: list of `bitstream.Chunk`.
      header: `bitstream.Header`, sizes before padding.

    Raises:
      BitstreamError: if chunks are missing or too many.
    """

  def encode_progressively(self, x, settings):
    """Yields chunks as of `encode`, each with the x_hat of all so far.

    Models that are not progressive yield once, no x_hat but None.
    """
    (chunk,) = self.encode(x, settings)
    yield chunk, None

  def decode_progressively(self, chunks, header):
    """Yields ever better x_hat; once, unless the model is progressive."""
    yield self.decode(chunks, header)

  def iteration_bytes(self, height, width):
    """Returns the bytes of each iteration of an image; None if they vary."""
    return None

  def prepare(self, images, lmbda):
    """Sets variables from data before the first step; by default, none.

    Args:
      images: iterator of uint8 batches (B, H, W, 3).
      lmbda: weight of the distortion that training will use.
    """

  def adapt(self, old_lmbda, new_lmbda):
    """Readies trained weights for training at another lmbda; by default as is."""

  def latent_codecs(self):
    """Returns the latent codecs, found among the attributes."""
    return [
        module for module in self.submodules if isinstance(module, LatentCodec)]

  def fix_tables(self):
    """Builds all that coding takes as integers; done whenever the model is saved.

    That is the tables of latent codecs, and the scales of `layers.exact`.
    """
    for module in self.submodules:
      if hasattr(module, "fix_tables"):
        module.fix_tables()

  def build_variables(self):
    """Creates all variables, by running a black image of the least size."""
    side = self.downsampling_factor
    # Without AutoGraph, which nothing here needs and which takes half a second.
    tf.autograph.experimental.do_not_convert(self)(
        tf.zeros((1, side, side, 3)))
    return self

  # Training.

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

  def objective(self, x, output, settings):
    """Returns the loss to minimise and the figures to log.

    The loss is bpp + lmbda * mse with mse on 0..255, likewise with the mean
    absolute error, as it is or weighted by lost structure, or bpp + lmbda * (1 -
    ms_ssim); the distortion is the mean over all stages. (Keras owns the attribute `Model.loss`.)

    Args:
      x: (B, H, W, 3) float in [0, 1].
      output: `ModelOutput`.
      settings: `Settings` with lmbda.

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
    loss = bpp + settings.lmbda * tf.add_n(distortions) / len(distortions)
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
    settings = self._training_settings(tf.shape(x)[0])
    with tf.GradientTape() as tape:
      output = self(x, training=True, settings=settings)
      loss, figures = self.objective(x, output, settings)
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
    _, figures = self.objective(x, output, Settings(lmbda=self.controls.lmbda))
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

  def _training_settings(self, batch):
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    samples = tf.cast(replica, tf.int32) * batch + tf.range(batch)
    noise = Noise(self.controls.seed, self.optimizer.iterations, samples)
    return Settings(lmbda=self.controls.lmbda, noise=noise)

  def _log(self, figures):
    for name, value in figures.items():
      self.means[name].update_state(value)
    return {name: self.means[name].result() for name in figures}

  # Coding.

  def compress(self, image, settings=Settings()):
    """Returns the chunks of a uint8 image (H, W, 1 or 3)."""
    return self.encode(self._enter(image), settings)

  def compress_progressively(self, image, settings=Settings()):
    """Yields the chunks of `compress`, each with the uint8 image of all so far."""
    for chunk, x_hat in self.encode_progressively(self._enter(image), settings):
      yield chunk, None if x_hat is None else self._leave(x_hat, image.shape)

  def decompress(self, chunks, header):
    """Returns the uint8 image (H, W, 1 or 3) that `compress` coded."""
    return self._leave(self.decode(chunks, header), _shape(header))

  def decompress_progressively(self, chunks, header):
    """Yields ever better uint8 images, see `decode_progressively`."""
    for x_hat in self.decode_progressively(chunks, header):
      yield self._leave(x_hat, _shape(header))

  def reconstruct(self, image):
    """Returns the image that `decompress` will, and the estimated bits.

    Args:
      image: uint8 (H, W, 1 or 3).

    Returns:
      uint8 array of the same shape; float, -log2 p of all symbols.
    """
    output = self(self._enter(image), training=False)
    bits = sum(float(bits[0]) for bits in output.bits.values())
    return self._leave(output.x_hat, image.shape), bits

  def _enter(self, image):
    """uint8 (H, W, C) to (1, H', W', 3) float, padded."""
    x = image_ops.to_float(image[None])
    if x.shape[-1] == 1:
      x = image_ops.rgb_from_gray(x)
    return padding.pad_to_multiple(x, self.downsampling_factor)

  def _leave(self, x_hat, shape):
    """(1, H', W', 3) float, padded, to a uint8 array of `shape`."""
    height, width, channels = shape
    x_hat = padding.crop(x_hat, height, width)
    if channels == 1:
      x_hat = image_ops.gray_from_rgb(x_hat)
    return image_ops.to_uint8(x_hat)[0].numpy()

  def _latent_shape(self, header, factor, depth):
    """Returns (H, W, C) of a latent that lies `factor` below the image."""
    return [
        padding.padded_size(side, self.downsampling_factor) // factor
        for side in (header.height, header.width)] + [depth]


def _shape(header):
  return header.height, header.width, header.channels


def latent_chunk(strings):
  """Returns the one chunk of a model that codes each latent once.

  Args:
    strings: list of (1,) byte string tensors, in the order of `latents`.
  """
  return Chunk(LATENT, 0, tuple(string.numpy()[0] for string in strings))


def latent_strings(chunks, count):
  """Returns the `count` string tensors, (1,) each, of `latent_chunk`.

  Raises:
    BitstreamError: if the chunks are others.
  """
  latents = [chunk for chunk in chunks if chunk.type == LATENT]
  if len(latents) != 1 or len(latents[0].strings) != count:
    raise BitstreamError(
        f"the stream holds {[len(c.strings) for c in latents]} latent "
        f"strings, its model needs one chunk of {count}")
  return [tf.constant([string]) for string in latents[0].strings]
