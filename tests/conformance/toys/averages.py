"""A toy codec: averages of blocks."""

import tensorflow as tf

from tfc_models.configs import common
from tfc_models.entropy_models import FactorizedCodec
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings

NAME = "toy"


class Toy(base.CompressionModel):
  """Averages 4x4 blocks and codes the averages."""

  downsampling_factor = 4
  latents = ("y",)

  def __init__(self, *, step):
    super().__init__()
    self.scale = tf.Variable(step)
    self.y_codec = FactorizedCodec(3, name="y")

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    y_hat, bits = self.y_codec(self.analyze(x), noise=context.noise)
    return base.ModelOutput(self.synthesize(y_hat), bits)

  def encode(self, x, settings):
    strings, _ = self.y_codec.compress(self.analyze(x))
    return [base.latent_chunk(strings)]

  def decode(self, chunks, header):
    strings = base.latent_strings(chunks, 1)
    return self.synthesize(self.y_codec.decompress(
        strings, self.latent_shape(header, 4, 3)))

  def analyze(self, x):
    return tf.nn.avg_pool2d(x - 0.5, 4, 4, "SAME") * self.scale

  def synthesize(self, y_hat):
    y = tf.repeat(tf.repeat(y_hat, 4, axis=1), 4, axis=2)
    return y / self.scale + 0.5


def get_config():
  """Returns the recipe."""
  return common.tiny(common.base(NAME, step=16.0))
