"""What the recurrent, progressive codecs share: iterations over a residual."""

import collections

import tensorflow as tf

from tfc_models.bitstream import (
    ITERATION,
    ITERATIONS,
    PREDICTED_ITERATION,
    Chunk,
)
from tfc_models.entropy_models import SignCodec
from tfc_models.errors import BitstreamError, UsageError
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.models.families.iteration_coder import BinaryRNN
from tfc_models.models.families.progress import Progress
from tfc_models.models.families.stopping import Tiles
from tfc_models.ops import padding
from tfc_models.ops.checks import require

RECONSTRUCTIONS = ("one_shot", "additive", "scaled")


class RecurrentModel(base.CompressionModel):
  """Codes an image in iterations, each the residual that those before left.

      r_0 = x; b_t = signs of E_t(r_{t-1}); r_t = x - x_hat_t, where
      x_hat_t = D_t(b_t) (one shot) or x_hat_{t-1} + D_t(b_t) (additive);
      scaled: additive, where E_t sees the residual times a gain that a network
      finds in x_hat_{t-1}, and D_t is divided by it

  A subclass sets `encoders` and `decoders`, lists of `transforms.RecurrentStack`
  of length 1 (the same weights in all iterations) or `iterations`, and for the
  reconstruction "scaled" a `gain_network`, from x_hat to gains that broadcast to
  it. It may override `extra_passes`.

  Args:
    iterations: how many there are at most.
    reconstruction: one of `RECONSTRUCTIONS`.
    code_depth: bits of an iteration at a site of the code.
    code_factor: sites of the code lie so many pixels apart.
    residual_scale: of additive models; all networks but the first see the residual
      times this, and their outputs are divided by it.
    stochastic: see `SignCodec`.
    binary_rnn_width: of the `BinaryRNN` that codes the signs; 0 for none, so that
      each takes a bit.

  With a `BinaryRNN` the encoder can stop at each tile of `downsampling_factor`
  pixels a side where it is good enough (`Settings.tile_psnr`): spatially adaptive
  bit rates. An iteration then begins with flags of the tiles that stop there. Their
  signs are those that the `BinaryRNN` finds more probable, and x_hat stays. Networks
  that see patches on their own need none for it: the signs of patches that have stopped
  are left out, the dynamic bit assignment of 2016.

  Source: Toderici et al., ICLR 2016, arXiv:1511.06085, and CVPR 2017,
    arXiv:1608.05148; for tiles that stop, see `tiles`.
  Departs: a tile that has stopped does not change any more; in the paper its
    neighbours may change it.
  """

  capabilities = frozenset(["progressive", "quality"])
  latents = ("code",)

  # Pixels in 0..1 become -0.9..0.9, within the reach of tanh.
  span = 1.8

  def __init__(self, iterations, reconstruction, code_depth, code_factor,
               residual_scale=1.0, stochastic=True, binary_rnn_width=0):
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
    self.binary_rnn = BinaryRNN(
        iterations, code_depth, binary_rnn_width) if binary_rnn_width else None

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    images, bits = [], []
    progress = Progress()
    for t in range(settings.iterations_of(self.iterations)):
      if t and context.truncate and t % context.truncate == 0:
        progress = self._detached(progress)
      code, progress = self._analyze(t, x, progress)
      code, more = self.code_codecs[t](code, noise=context.noise)
      (more,) = more.values()
      if self.binary_rnn:
        more, past = self.binary_rnn(code, t, progress.past, context.noise)
        progress = progress._replace(past=past)
      image, progress = self._synthesize(t, code, progress)
      images.append(image)
      bits.append(more)
    return base.ModelOutput(
        images[-1], {"code": tf.add_n(bits)}, tuple(images))

  def encode(self, x, settings):
    return [chunk for chunk, _ in self.encode_progressively(x, settings)]

  def encode_progressively(self, x, settings):
    raw = not self.binary_rnn or settings.raw_bits
    adaptive = settings.tile_psnr is not None
    if adaptive and raw and (settings.raw_bits or not self._has_patches):
      raise UsageError(
          "tile_psnr needs the entropy coder, which this model lacks or "
          "raw_bits turns off")
    progress, image = self._start(*tf.unstack(tf.shape(x)[1:3])), None
    for t in range(settings.iterations_of(self.iterations)):
      flags = ""
      if t and adaptive:
        flags, tiles = progress.tiles.stop(x, image, settings.tile_psnr)
        if tiles.all():
          return
        progress = progress._replace(tiles=tiles)
      code, progress = self._analyze(t, x, progress)
      if raw and adaptive:
        strings, code = self.code_codecs[t].compress(progress.tiles.going(code))
        code = progress.tiles.put_back(code)
      elif raw:
        strings, code = self.code_codecs[t].compress(code)
      else:
        strings, code, past = self.binary_rnn.compress(
            code, t, progress.past, self._certain(progress))
        progress = progress._replace(past=past)
      chunk = Chunk(ITERATION, t, tuple(strings)) if (
          raw and not adaptive) else Chunk(
              PREDICTED_ITERATION, t, (base.as_tensor(flags), *strings))
      image, progress = self._synthesize(t, code, progress)
      yield chunk, image

  def decode(self, chunks, header):
    # Keeps only the last.
    (image,) = collections.deque(
        self.decode_progressively(chunks, header), maxlen=1)
    return image

  def decode_first(self, chunks, count, header):
    shape, progress = self._begin(header)
    image, progress = self._decode_one(0, chunks[0], shape, progress)
    for t, chunk in enumerate(self._iterations(chunks)[1:], start=1):
      def more(t=t, chunk=chunk, progress=progress):
        image, after = self._decode_one(t, chunk, shape, progress)
        return image, after.flat()

      def no_more(image=image, progress=progress):
        return image, progress.flat()

      image, flat = tf.cond(t < count, more, no_more)
      progress = progress.filled(flat)
    return image

  def decode_progressively(self, chunks, header):
    shape, progress = self._begin(header)
    for t, chunk in enumerate(self._iterations(chunks)):
      image, progress = self._decode_one(t, chunk, shape, progress)
      yield image

  def _begin(self, header):
    """Returns the shape of the code, and the progress before the first iteration."""
    shape = self.latent_shape(header, self.code_factor, self.code_depth)
    return shape, self._start(*(side * self.code_factor for side in shape[:2]))

  def _decode_one(self, t, chunk, shape, progress):
    """Returns the image after iteration t, and the progress.

    Args:
      t: number of the iteration, from 0.
      chunk: its `Chunk`.
      shape: of the code.
      progress: `Progress` after the iteration before.
    """
    *flags, strings = map(base.as_tensor, chunk.strings)
    if chunk.type == ITERATION:
      code = self.code_codecs[t].decompress([strings], shape)
    else:
      flags = flags[0][0]
      if t == 0:
        require(tf.strings.length(flags) == 0, BitstreamError,
                "tiles stop before the first iteration")
      else:
        progress = progress._replace(tiles=progress.tiles.read(flags))
    if chunk.type == PREDICTED_ITERATION and not self.binary_rnn:
      code = progress.tiles.put_back(self.code_codecs[t].decompress(
          [strings], (progress.tiles.count(), 1, self.code_depth)))
    elif chunk.type == PREDICTED_ITERATION:
      code, past = self.binary_rnn.decompress(
          [strings], t, shape, progress.past, self._certain(progress))
      progress = progress._replace(past=past)
    return self._synthesize(t, code, progress)

  def iteration_bytes(self, height, width):
    sites = [padding.padded_size(side, self.downsampling_factor)
             // self.code_factor for side in (height, width)]
    return -(-sites[0] * sites[1] * self.code_depth // 8)

  def _start(self, height, width):
    """Returns the progress of an image, padded, before the first iteration."""
    return Progress(tiles=Tiles.of(height, width, self.downsampling_factor))

  def _detached(self, progress):
    """Returns a progress through which no gradient reaches earlier transforms.

    The network of the gain learns from the iteration that follows.
    """
    stopped = tf.nest.map_structure(
        lambda x: None if x is None else tf.stop_gradient(x),
        {name: getattr(progress, name) for name in ("x_hat", "encoder", "decoder")})
    return progress._replace(**stopped, gain=self._gain(stopped["x_hat"]))

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
    code, states = self._run(t, encoder, residual, progress.encoder, progress)
    return code, progress._replace(encoder=states)

  def _synthesize(self, t, code, progress):
    """Returns x_hat, (B, H, W, 3) float, and the progress."""
    decoder = self.decoders[t % len(self.decoders)]
    x_hat, states = self._run(t, decoder, code, progress.decoder, progress)
    if self.reconstruction != "one_shot" and progress.x_hat is not None:
      x_hat = progress.x_hat + x_hat / progress.gain
    if progress.is_coding and progress.x_hat is not None:
      x_hat = tf.where(progress.tiles.spread(), progress.x_hat, x_hat)
    progress = progress._replace(
        x_hat=x_hat, decoder=states, gain=self._gain(x_hat))
    return x_hat / self.span + 0.5, progress

  def _run(self, t, network, x, states, progress):
    """Returns what a network makes of its inputs and states in iteration t."""
    park = progress.is_coding and tf.executing_eagerly()
    for _ in range(self.extra_passes(t)):
      _, states = network(x, states, park=park)
    return network(x, states, park=park)

  def extra_passes(self, t):
    """Returns how often networks see the inputs of iteration t for their state."""
    return 0

  def _gain(self, x_hat):
    """Returns the gain of the iteration after one that ended with `x_hat`."""
    if self.reconstruction == "scaled":
      return self.gain_network(x_hat)
    return self.residual_scale

  @property
  def _has_patches(self):
    """Whether a tile is one site of the code, of networks that see no other."""
    return self.code_factor == self.downsampling_factor

  def _certain(self, progress):
    """Returns the sites of the code that take no bits, (1, H, W, 1) bool."""
    return progress.tiles.spread(self.code_factor)

  def _iterations(self, chunks):
    """Returns the chunks of the iterations in a file.

    Raises:
      BitstreamError: if these are not iterations 0, 1 ... of this model.
    """
    lengths = {ITERATION: 1}
    if self.binary_rnn or self._has_patches:
      lengths[PREDICTED_ITERATION] = 2
    found = []
    for chunk in chunks:
      if chunk.type not in ITERATIONS:
        continue
      if chunk.index != len(found) or (
          len(chunk.strings) != lengths.get(chunk.type)):
        raise BitstreamError(
            f"iteration {len(found)} is missing, or holds something else")
      found.append(chunk)
    if not 0 < len(found) <= self.iterations:
      raise BitstreamError(
          f"the stream holds {len(found)} iterations, its model has "
          f"{self.iterations}")
    return found
