"""Layers learn each from its own loss, and a graph decodes any first ones of them."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import suite
from tests.conftest import make_image
from tfc_models import bitstream, configs, metrics, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.modeling.settings import Settings, TrainingContext
from tfc_models.ops.noise import Noise

# Of a model without shipped weights.
pytestmark = pytest.mark.slow

SPEC = configs.get("jia2019:tiny").model


def test_the_gradient_of_a_layer_is_that_of_its_own_loss():
  model = registry.create("jia2019", num_filters=4, latent_depths=[4, 4])
  model.build_variables()
  model.compile(tf.keras.optimizers.Adam(1e-3), lmbda=0.01, truncate=1)
  x = tf.constant(make_image(64, 64)[None] / 255.0, tf.float32)
  context = TrainingContext(lmbda=0.01, noise=Noise(0, 0, tf.range(1)), truncate=1)
  with tf.GradientTape(persistent=True) as tape:
    output = model(x, training=True, context=context)
    whole, _ = model.objective(x, output, context)
    alone = [
        output.bits[name][0] / 64**2 + 0.01 * weight * metrics.mse(x, x_hat)[0]
        for name, weight, x_hat in zip(model.latents, (1, 3), output.stages)]
  for analysis, loss in zip(model.analysis_transforms, alone):
    for variable in analysis.trainable_variables:
      np.testing.assert_allclose(
          tape.gradient(whole, variable), tape.gradient(loss, variable), 1e-3, 1e-7)


def test_a_graph_decodes_the_first_layers():
  model = suite.ready(SPEC)
  data = LearnedCodec(model, b"mine").encode(make_image(33, 50))
  header, chunks, *_ = bitstream.read(data)

  @tf.function(autograph=False)
  def first(count):
    return model.decode_first(chunks, count, header)

  for count, x_hat in enumerate(model.decode_progressively(chunks, header), 1):
    np.testing.assert_allclose(first(tf.constant(count)), x_hat, atol=1e-5)


def test_a_layer_learns_its_scales_from_those_below():
  model = registry.create("jia2019", num_filters=4, latent_depths=[4, 4], conditioned=True)
  codec = model.y_codecs[1]
  rng = np.random.default_rng(0)
  below = tf.constant(np.round(rng.normal(0, 8, (1, 24, 24, 4))), tf.float32)
  y = tf.constant(rng.normal(0, 1, below.shape) * np.abs(below), tf.float32)
  optimizer = tf.keras.optimizers.Adam(3e-2)
  codec(y, (below,))
  codec.prepare(y.numpy())
  bits = []
  for step in range(80):
    with tf.GradientTape() as tape:
      loss = codec(y, (below,), Noise(0, step, tf.range(1)))[1]["y_1"][0]
    variables = codec.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    bits.append(float(loss))
  assert bits[-1] < 0.92 * bits[0]


@pytest.mark.parametrize("depths", [[], [4] * 6])
def test_there_are_one_to_five_layers(depths):
  with pytest.raises(ValueError, match=f"must hold 1 to 5, got {len(depths)}"):
    registry.create("jia2019", latent_depths=depths)


def test_a_share_of_the_layers_is_asked_for():
  assert [Settings(quality=quality).iterations_of(5) for quality in (
      None, 1, 20, 21, 100)] == [5, 1, 1, 2, 5]
  assert Settings(iterations=9, quality=1).iterations_of(5) == 5
