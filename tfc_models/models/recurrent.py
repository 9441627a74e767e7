"""What the recurrent, progressive codecs share: iterations over a residual."""

import math
from typing import NamedTuple, Optional

import tensorflow as tf

from tfc_models.bitstream import ITERATION, Chunk
from tfc_models.entropy_models import SignCodec
from tfc_models.errors import BitstreamError
from tfc_models.models import base
from tfc_models.ops import padding

RECONSTRUCTIONS = ("one_shot", "additive", "scaled")


class Progress(NamedTuple):
  """Where an image is between two iterations.

  Attributes:
    x_hat: in the range of the networks; None before the first.
    gain: what the residual is multiplied by and the output divided by, in additive
      models; broadcasts to x_hat.
    encoder, decoder: states of the networks; None before the first.
  """

  x_hat: Optional[tf.Tensor] = None
  gain: object = 1.0
  encoder: Optional[list] = None
  decoder: Optional[list] = None


class RecurrentModel(base.CompressionModel):
  """Codes an image in iterations, each the residual that those before left.

      r_0 = x; b_t = signs of E_t(r_{t-1}); r_t = x - x_hat_t, where
      x_hat_t = D_t(b_t) (one shot) or x_hat_{t-1} + D_t(b_t) (additive);
      scaled: additive, where E_t sees the residual times a gain that a network
      finds in x_hat_{t-1}, and D_t is divided by it

  A subclass sets `encoders` and `decoders`, lists of `transforms.RecurrentStack`
  of length 1 (the same weights in all iterations) or `iterations`, and for the
  reconstruction "scaled" a `gain_network`, from x_hat to gains that broadcast to
  it. It may override `_extra_passes`.

  Args:
    iterations: how many there are at most.
    reconstruction: one of `RECONSTRUCTIONS`.
    code_depth: bits of an iteration at a site of the code.
    code_factor: sites of the code lie so many pixels apart.
    residual_scale: of additive models; all networks but the first see the residual
      times this, and their outputs are divided by it.
    stochastic: see `SignCodec`.

  Source: Toderici et al., ICLR 2016, arXiv:1511.06085, and CVPR 2017,
    arXiv:1608.05148.
  """

  capabilities = frozenset(["progressive", "quality"])
  latents = ("code",)

  # Pixels in 0..1 become -0.9..0.9, within the reach of tanh.
  span = 1.8

  def __init__(self, iterations, reconstruction, code_depth, code_factor,
               residual_scale=1.0, stochastic=True):
    super().__init__()
    if reconstruction not in RECONSTRUCTIONS:
      raise ValueError(
          f"`reconstruction` must be one of {RECONSTRUCTIONS}, "
          f"got {reconstruction!r}.")
    self.iterations = iterations
    self.reconstruction = reconstruction
    self.code_depth = code_depth
    self.code_factor = code_factor
    self.residual_scale = residual_scale
    self.code_codecs = [
        SignCodec(f"code_{t}", stochastic) for t in range(iterations)]

  def call(self, x, training=False, settings=None):
    noise = settings.noise if training else None
    images, bits = [], []
    progress = Progress()
    for t in range(self._count(settings)):
      code, progress = self._analyze(t, x, progress)
      code, more = self.code_codecs[t](code, noise=noise)
      image, progress = self._synthesize(t, code, progress)
      images.append(image)
      bits.append(more)
    return base.ModelOutput(
        images[-1], {"code": tf.add_n(bits)}, tuple(images))

  def encode(self, x, settings):
    return [chunk for chunk, _ in self.encode_progressively(x, settings)]

  def encode_progressively(self, x, settings):
    progress = Progress()
    for t in range(self._count(settings)):
      code, progress = self._analyze(t, x, progress)
      strings, code = self.code_codecs[t].compress(code)
      image, progress = self._synthesize(t, code, progress)
      yield Chunk(ITERATION, t, (strings.numpy()[0],)), image

  def decode(self, chunks, header):
    *_, image = self.decode_progressively(chunks, header)
    return image

  def decode_progressively(self, chunks, header):
    shape = self._latent_shape(header, self.code_factor, self.code_depth)
    progress = Progress()
    for t, string in enumerate(self._strings(chunks)):
      code = self.code_codecs[t].decompress(tf.constant([string]), shape)
      image, progress = self._synthesize(t, code, progress)
      yield image

  def iteration_bytes(self, height, width):
    sites = [padding.padded_size(side, self.downsampling_factor)
             // self.code_factor for side in (height, width)]
    return -(-sites[0] * sites[1] * self.code_depth // 8)

  def _analyze(self, t, x, progress):
    """Returns the activations that become the code, and the progress.

    Args:
      t: number of the iteration, from 0.
      x: (B, H, W, 3) float in [0, 1].
      progress: `Progress` after the iteration before.
    """
    residual = self.span * (x - 0.5)
    if progress.x_hat is not None:
      residual -= progress.x_hat
      if self.reconstruction != "one_shot":
        residual *= progress.gain
    encoder = self.encoders[t % len(self.encoders)]
    states = progress.encoder
    for _ in range(self._extra_passes(t)):
      _, states = encoder(residual, states)
    code, states = encoder(residual, states)
    return code, progress._replace(encoder=states)

  def _synthesize(self, t, code, progress):
    """Returns x_hat, (B, H, W, 3) float, and the progress."""
    decoder = self.decoders[t % len(self.decoders)]
    states = progress.decoder
    for _ in range(self._extra_passes(t)):
      _, states = decoder(code, states)
    x_hat, states = decoder(code, states)
    if self.reconstruction != "one_shot" and progress.x_hat is not None:
      x_hat = progress.x_hat + x_hat / progress.gain
    progress = progress._replace(
        x_hat=x_hat, decoder=states, gain=self._gain(x_hat))
    return x_hat / self.span + 0.5, progress

  def _extra_passes(self, t):
    """Returns how often networks see the inputs of iteration t for their state."""
    return 0

  def _gain(self, x_hat):
    """Returns the gain of the iteration after one that ended with `x_hat`."""
    if self.reconstruction == "scaled":
      return self.gain_network(x_hat)
    return self.residual_scale

  def _count(self, settings):
    """Returns how many iterations are asked for."""
    if settings is not None and settings.iterations is not None:
      return min(settings.iterations, self.iterations)
    if settings is not None and settings.quality is not None:
      return math.ceil(self.iterations * settings.quality / 100)
    return self.iterations

  def _strings(self, chunks):
    """Returns the strings of the iterations in a file, a list of bytes.

    Raises:
      BitstreamError: if these are not iterations 0, 1 ... of this model.
    """
    strings = []
    for chunk in chunks:
      if chunk.type != ITERATION:
        continue
      if chunk.index != len(strings) or len(chunk.strings) != 1:
        raise BitstreamError(
            f"iteration {len(strings)} is missing, or holds not one string")
      strings += chunk.strings
    if not 0 < len(strings) <= self.iterations:
      raise BitstreamError(
          f"the stream holds {len(strings)} iterations, its model has "
          f"{self.iterations}")
    return strings
