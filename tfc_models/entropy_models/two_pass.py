"""A latent codec in two passes: half the sites of a checkerboard, then those between."""

import tensorflow as tf

from tfc_models.entropy_models.base import STILL, Coded, LatentCodec
from tfc_models.entropy_models.symbol_codec import SymbolCodec, total
from tfc_models.layers import as_real
from tfc_models.ops import checkerboard, probe
from tfc_models.ops.noise import Drawn


class TwoPassCodec(LatentCodec):
  """Codes half the sites by side information alone, the others given these too.

  Latents have even sides. All symbols lie in one string, those of a pass one grid of
  sites after the other (`ops.checkerboard`).

  Args:
    codec: `SymbolCodec`.
    network: `transforms.context.CheckerboardNetwork`.
    to_params: from outputs of the network to params of `codec`, tensors.
    name: see `LatentCodec`; by default, that of `codec` and "_passes".

  Source: He, Zheng, Sun, Wang, Qin, "Checkerboard context model for efficient learned
    image compression", CVPR 2021, arXiv:2103.15306.
  """

  takes_turns = True

  def __init__(self, codec: SymbolCodec, network, to_params, name=None):
    super().__init__(name or f"{codec.name}_passes", codec.reconstruction)
    self.codec = codec
    self.network = network
    self.to_params = to_params

  def leaves(self):
    return [self.codec]

  def __call__(self, y, params=None, noise=None, rounding=None):
    """As of `LatentCodec`; `params` are the side information, (B, H, W, D)."""
    batch, bits = tf.shape(y)[0], []
    drawn = None if noise in (None, STILL) else noise.uniform(y, self.codec.name)

    def visit(half, own):
      part_noise = noise if drawn is None else Drawn(checkerboard.half(drawn, half))
      y_hat, more = self.codec.price(
          checkerboard.half(y, half), own, part_noise, **_weighed(rounding, half))
      # A pass has two grids an image, in two parts of its batch.
      bits.append(tf.reduce_sum(tf.reshape(total(more), [-1, batch]), axis=0))
      return y_hat

    with as_real(noise is not None):
      y_hat = self._walk(params, visit)
    return tf.ensure_shape(y_hat, y.shape), {self.codec.name: tf.add_n(bits)}

  def symbols(self, y, params=None, rounding=None):
    batch, symbols, evidence = tf.shape(y)[0], [], []

    def visit(half, own):
      values = checkerboard.half(y, half)
      y_hat, found = self.codec.quantize(values, own, **_weighed(rounding, half))
      symbols.append(_in_a_row(tf.cast(found, tf.int32), batch))
      evidence.append(_in_a_row(self.codec.evidence(own, tf.shape(values)), batch))
      return y_hat

    with probe.span("entropy coding"):
      y_hat = self._walk(params, visit)
      splits = tf.cumsum([0, *(tf.shape(piece)[1] for piece in symbols)])
      coded = Coded(tf.concat(symbols, axis=1), tf.concat(evidence, axis=1), splits)
      return [coded], tf.ensure_shape(y_hat, y.shape)

  def decode(self, reader, shape, params=None):
    batch, evidence = tf.shape(params)[0], []
    with probe.span("entropy coding"):
      height, width, depth = shape
      state, more = reader.open(
          self.codec, reader.take(self.codec), height * width * depth)

      def visit(half, own):
        nonlocal state
        del half
        sizes = tf.stack([2 * batch, height // 2, width // 2, depth])
        evidence.append(_in_a_row(self.codec.evidence(own, sizes), batch))
        state, symbols = more(state, evidence[-1])
        return self.codec.reconstruct(_in_grids(symbols, sizes), own)

      y_hat = self._walk(params, visit)
      reader.check(self.codec, tf.concat(evidence, axis=1))
      return tf.ensure_shape(y_hat, [*y_hat.shape[:3], depth])

  def fix_tables(self):
    """Does nothing: the tables are those of the codec inside."""

  def _walk(self, side, visit):
    """Returns y_hat of two passes.

    Args:
      side: (B, H, W, D).
      visit: function of the number of a half and its params to its y_hat, (2 B, H / 2,
        W / 2, C).
    """
    first = None
    for half in (0, 1):
      outputs = self.network(checkerboard.half(side, half), first)
      y_hat = visit(half, self.to_params(outputs))
      if half:
        return checkerboard.whole(first, y_hat)
      first = y_hat


def _weighed(rounding, half):
  """Returns the keyword arguments of a half."""
  if rounding is None:
    return {}
  rounding = tf.cast(rounding, tf.float32)
  return {"rounding": checkerboard.half(rounding, half)
          if rounding.shape.rank else rounding}


def _in_a_row(x, batch):
  """(2 B, h, w, c) to (B, 2 h w, c)."""
  shape = tf.shape(x)
  x = tf.reshape(x, [2, batch, shape[1] * shape[2], x.shape[-1]])
  return tf.reshape(
      tf.transpose(x, [1, 0, 2, 3]), [batch, 2 * shape[1] * shape[2], x.shape[-1]])


def _in_grids(x, sizes):
  """The inverse of `_in_a_row`, to `sizes`."""
  batch = tf.shape(x)[0]
  x = tf.reshape(x, [batch, 2, -1, x.shape[-1]])
  return tf.reshape(tf.transpose(x, [1, 0, 2, 3]), sizes)
