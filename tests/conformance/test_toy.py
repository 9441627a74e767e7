"""A newcomer's model: this file is all it takes, besides a recipe."""

import inspect

import ml_collections
import pytest
import tensorflow as tf

from tests.conformance import suite
from tfc_models import registry
from tfc_models.entropy_models import FactorizedCodec
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings


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


@pytest.fixture(scope="module")
def toy():
  registry.register("toy")(Toy)
  yield suite.ready(ml_collections.ConfigDict(
      {"name": "toy", "arguments": {"step": 16.0}}))
  registry.unregister("toy")


@pytest.mark.parametrize("check", suite.CHECKS)
def test_a_toy_model_conforms(toy, check, tmp_path):
  function = suite.CHECKS[check]
  extra = (tmp_path,) if "tmp_path" in inspect.signature(function).parameters else ()
  function(toy, *extra)
