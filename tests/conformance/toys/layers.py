"""A toy layered codec: averages of blocks, then of smaller blocks of what is left."""

import collections

import tensorflow as tf

from tfc_models.bitstream import ITERATION, Chunk
from tfc_models.configs import common
from tfc_models.entropy_models import FactorizedCodec
from tfc_models.errors import BitstreamError
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings

NAME = "toy-layers"
SIDES = (8, 4, 2)  # Of the blocks of each layer.


class Toy(base.CompressionModel):
  """Each layer is a chunk, so that any prefix of a file is a picture."""

  downsampling_factor = 8
  capabilities = frozenset(["progressive", "quality"])
  iterations = len(SIDES)
  latents = tuple(f"y_{side}" for side in SIDES)

  def __init__(self, *, step):
    super().__init__()
    self.scale = tf.Variable(step)
    self.codecs = [FactorizedCodec(3, name=name) for name in self.latents]

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    bits = {name: tf.zeros(tf.shape(x)[:1]) for name in self.latents}
    stages, shown = [], 0.5
    for t, (side, codec) in enumerate(
        zip(SIDES[:settings.iterations_of(self.iterations)], self.codecs)):
      if t and context.truncate and t % context.truncate == 0:
        shown = tf.stop_gradient(shown)
      y_hat, more = codec(self._averages(x - shown, side), noise=context.noise)
      bits.update(more)
      shown += self._spread(y_hat, side)
      stages.append(shown)
    return base.ModelOutput(shown, bits, tuple(stages))

  def encode(self, x, settings):
    return [chunk for chunk, _ in self.encode_progressively(x, settings)]

  def encode_progressively(self, x, settings):
    shown = 0.5
    for number in range(settings.iterations_of(self.iterations)):
      side = SIDES[number]
      strings, y_hat = self.codecs[number].compress(
          self._averages(x - shown, side))
      shown += self._spread(y_hat, side)
      yield Chunk(ITERATION, number, tuple(strings)), shown

  def decode(self, chunks, header):
    (last,) = collections.deque(
        self.decode_progressively(chunks, header), maxlen=1)
    return last

  def decode_progressively(self, chunks, header):
    if not 0 < len(chunks) <= self.iterations:
      raise BitstreamError(f"there are {len(chunks)} layers of {self.iterations}")
    shown = 0.5
    for number, (side, codec, chunk) in enumerate(zip(SIDES, self.codecs, chunks)):
      if (chunk.type, chunk.index, len(chunk.strings)) != (ITERATION, number, 1):
        raise BitstreamError(f"layer {number} is missing, or something else")
      y_hat = codec.decompress(
          [base.as_tensor(chunk.strings[0])], self.latent_shape(header, side, 3))
      shown += self._spread(y_hat, side)
      yield shown

  def _averages(self, x, side):
    return tf.nn.avg_pool2d(x, side, side, "SAME") * self.scale

  def _spread(self, y_hat, side):
    y = tf.repeat(tf.repeat(y_hat, side, axis=1), side, axis=2)
    return y / self.scale


def get_config():
  """Returns the recipe."""
  return common.tiny(common.base(NAME, step=32.0))
