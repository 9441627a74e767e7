"""A latent codec that predicts channels from those before, half the sites at a time."""

import dataclasses
import functools
import math
from typing import NamedTuple

import tensorflow as tf

from tfc_models.entropy_models.base import NEAREST, STILL, Coded, LatentCodec
from tfc_models.entropy_models.gaussian import GaussianCodec, GaussianParams
from tfc_models.entropy_models.reading import StringReader, SymbolReader
from tfc_models.entropy_models.symbol_codec import total
from tfc_models.layers import Condition, as_real
from tfc_models.ops import checkerboard, probe
from tfc_models.ops.graph import Graph
from tfc_models.ops.noise import Drawn

# One that builds variables, and those of an encoder that refines a first image, at the
# default effort.
_CALLS = 4


class SpaceChannelParams(NamedTuple):
  """What a `SpaceChannelCodec` is told by side information.

  Attributes:
    indexes, loc: (B, H, W, C), of a `GaussianCodec`, before any context; integers, and
      multiples of 1/64.
    features: (B, H, W, D), integers in units of 1/32 in -255..255.
    condition: `layers.Condition` of the batch.
  """

  indexes: tf.Tensor
  loc: tf.Tensor
  features: tf.Tensor
  condition: Condition


class SpaceChannelCodec(LatentCodec):
  """Codes channels in groups, each in two passes over the halves of a checkerboard.

  The channels after all groups come first, by the side information alone. Symbols lie
  in one string in the order of the passes.

  Args:
    codec: `GaussianCodec`.
    network: `transforms.SpaceChannelNetwork`.

  Source: see there.
  """

  takes_turns = True
  prices_symbols = True

  def __init__(self, codec: GaussianCodec, network):
    super().__init__(f"{codec.name}_passes", codec.reconstruction)
    self.codec = codec
    self.network = network
    # Tracing takes seconds, more than a first image takes eagerly. By the rank of
    # `rounding`, estimates and symbols in one.
    self._graphs = {
        rank: Graph(self._coded, eager_calls=_CALLS) for rank in (0, 4)}
    self._decode_graphs = {
        kind.__name__: Graph(functools.partial(self._decode, kind))
        for kind in (StringReader, SymbolReader)}

  def leaves(self):
    return [self.codec]

  def __call__(self, y, params=None, noise=None, rounding=None):
    if noise is None:
      _, y_hat, bits = self.priced_symbols(y, params, rounding)
      return y_hat, bits
    with as_real():
      y_hat, bits = self._priced(
          y, params, noise, noise.uniform(y, self.codec.name))
    return tf.ensure_shape(y_hat, y.shape), {self.codec.name: bits}

  def symbols(self, y, params=None, rounding=None):
    with probe.span("entropy coding"):
      coded, y_hat, _ = self.priced_symbols(y, params, rounding)
      return coded, y_hat

  def priced_symbols(self, y, params=None, rounding=None):
    if rounding is None:
      rounding = self.codec.distortion_weight or NEAREST
    rounding = tf.cast(rounding, tf.float32)
    *coded, y_hat, bits = self._graphs[rounding.shape.rank](
        y, rounding, *_tensors(params))
    return ([Coded(*coded)], tf.ensure_shape(y_hat, y.shape),
            {self.codec.name: bits})

  def decode(self, reader, shape, params=None):
    with probe.span("entropy coding"):
      source = reader.take(self.codec)
      self.codec.tables.check()
      source = reader.ended(self.codec, source, math.prod(shape))
      y_hat, evidence = self._decode_graphs[type(reader).__name__](
          source, *_tensors(params))
      reader.check(self.codec, evidence)
      return tf.ensure_shape(y_hat, [*y_hat.shape[:3], shape[2]])

  def fix_tables(self):
    """Does nothing: the tables are those of the codec inside."""

  def _priced(self, y, params, noise, drawn):
    """Returns y_hat and bits, (B,), in training."""
    bits = []

    def visit(part, own):
      y_hat, more = self.codec.price(
          part(y), own, STILL if noise is STILL else Drawn(part(drawn)))
      bits.append(checkerboard.sums(total(more), tf.shape(y)[0]))
      return y_hat

    return self._walk(params, visit), tf.add_n(bits)

  def _coded(self, y, rounding, *params):
    """Returns the members of a `Coded`, y_hat, and bits, (B,)."""
    batch, symbols, evidence, bits = tf.shape(y)[0], [], [], []

    def visit(part, own):
      values, more = part(y), part(rounding) if rounding.shape.rank else rounding
      y_hat, found = self.codec.quantize(values, own, more)
      symbols.append(checkerboard.flat(tf.cast(found, tf.int32), batch))
      evidence.append(checkerboard.flat(self.codec.evidence(own, tf.shape(values)), batch))
      _, found = self.codec.price(values, own, rounding=more)
      bits.append(checkerboard.sums(total(found), batch))
      return y_hat

    y_hat = self._walk(_params(params), visit)
    splits = tf.cumsum([0, *(tf.shape(piece)[1] for piece in symbols)])
    return (tf.concat(symbols, axis=1), tf.concat(evidence, axis=1), splits, y_hat,
            tf.add_n(bits))

  def _decode(self, reader, source, *params):
    """Returns y_hat and evidence."""
    codec, evidence, batch = self.codec, [], tf.shape(source)[0]
    state, more = reader.open(codec, source)

    def visit(part, own):
      nonlocal state
      del part
      sizes = tf.shape(own.indexes)
      evidence.append(checkerboard.flat(codec.evidence(own, sizes), batch))
      state, symbols = more(state, evidence[-1])
      return codec.reconstruct(checkerboard.from_flat(symbols, sizes), own)

    y_hat = self._walk(_params(params), visit)
    return y_hat, tf.concat(evidence, axis=1)

  def _walk(self, params, visit):
    """Fills y_hat pass by pass.

    Args:
      params: `SpaceChannelParams`.
      visit: function of (part, own) to the y_hat of a pass: `part` takes a tensor
        of all of y to what the pass is about, (B or 2 B, h, w, c), `own` are the params
        of that.

    Returns:
      y_hat, (B, H, W, C).
    """
    network = self.network
    indexes, loc, features, condition = params
    last = network.ranges[-1][1]
    rest = visit(lambda x: x[..., last:], _from(GaussianParams(indexes, loc), last))
    condition = Condition(*(
        None if each is None else tf.concat([each, each], axis=0)
        for each in condition))
    found, before = [], []
    for group, channels in enumerate(network.ranges):
      halves, residuals = [], []
      for half in (0, 1):
        part = _Part(channels, half)
        side = GaussianParams(part(indexes), part(loc))
        outputs = network.outputs(
            group, half, features, before, residuals[0] if half else None, condition)
        y_hat = visit(part, GaussianParams(*network.refined(*side, outputs)))
        halves.append(y_hat)
        residuals.append(network.residuals(y_hat, *side))
      found.append(checkerboard.whole(*halves))
      before.append(checkerboard.whole(*residuals))
    return tf.concat([*found, rest], axis=-1)


@dataclasses.dataclass(frozen=True)
class _Part:
  """Takes a tensor to some channels at one half of its sites."""

  channels: tuple
  half: int

  def __call__(self, x):
    low, high = self.channels
    return checkerboard.half(x[..., low:high], self.half)


def _tensors(params):
  """Returns `SpaceChannelParams` as a list of tensors."""
  return [*params[:3], *params.condition]


def _params(tensors):
  """The inverse of `_tensors`."""
  return SpaceChannelParams(*tensors[:3], Condition(*tensors[3:]))


def _from(params, first):
  """Returns the params of the channels from `first` on."""
  return GaussianParams(*(each[..., first:] for each in params))
