"""Generative compression: its start, its two stages, its discriminator."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import make_image
from tfc_models import configs, metrics, registry
from tfc_models.transforms import normed_conv
from tfc_models.transforms.discriminator import ConditionalPatches


def tiny(**options):
  """Returns a compiled tiny model, and a step of training on one batch."""
  tf.keras.utils.set_random_seed(0)
  spec = configs.get("hific:tiny").model
  model = registry.create(spec.name, **spec.arguments).build_variables()
  model.compile({name: tf.keras.optimizers.Adam(1e-3) for name in model.networks},
                lmbda=0.01, **options)
  batch = tf.constant(np.stack([make_image(64, 64, seed=seed) for seed in range(2)]))
  return model, lambda: model.train_step(batch)


def test_a_start_is_a_transform_codec_however_its_layers_normalise():
  tf.keras.utils.set_random_seed(0)
  encoder = normed_conv.Encoder([8, 24, 96, 384, 1536], 769)
  generator = normed_conv.Generator([1536, 384, 96, 24, 8], 1, skip=True)
  patches = np.stack([make_image(64, 64, seed=seed) for seed in range(3)])
  generator(encoder(tf.zeros((1, 64, 64, 3))))
  step = 24.0
  normed_conv.start(encoder, generator, patches, step)
  x = tf.constant(make_image(64, 64, seed=9)[None] / 255.0, tf.float32)
  y = encoder(x)
  # All coefficients are there, and one channel that says what the mean was.
  assert float(metrics.mse(x, generator(y))[0]) < 0.2 * step**2 / 12
  assert float(tf.reduce_max(tf.abs(y[..., -1]))) < 1e-3
  error = float(metrics.mse(x, generator(tf.round(y)))[0])
  assert 0.3 * step**2 / 12 < error < 1.3 * step**2 / 12
  before = generator(tf.round(y))
  normed_conv.rescale(encoder, generator, 4.0)
  np.testing.assert_allclose(encoder(x), 4.0 * y, atol=1e-2)
  np.testing.assert_allclose(generator(4.0 * tf.round(y)), before, atol=1e-3)


def test_the_first_stage_leaves_the_discriminator_alone():
  model, step = tiny(adversarial=0.0)
  before = [v.numpy() for v in model.discriminator.trainable_variables]
  logs = step()
  assert float(logs["g_loss"]) == float(logs["d_loss"]) == 0.0
  for variable, old in zip(model.discriminator.trainable_variables, before):
    np.testing.assert_array_equal(variable, old)


@pytest.mark.slow
def test_each_network_descends_its_own_loss():
  model, step = tiny(adversarial=0.1)
  first = step()
  # It has seen nothing yet: log 2 for the originals, and as much for the decoded.
  assert float(first["d_loss"]) == pytest.approx(2.0 * np.log(2.0), abs=0.1)
  for _ in range(6):
    model.reset_metrics()
    last = step()
  assert float(last["d_loss"]) < float(first["d_loss"])
  # Whatever weighs the adversarial loss changes the codec, and nothing else.
  assert float(first["loss"]) == pytest.approx(
      float(tiny(adversarial=0.7)[1]()["loss"]))


def test_a_discriminator_sees_the_latent():
  tf.keras.utils.set_random_seed(0)
  judge = ConditionalPatches((8, 8, 8, 8))
  x, y = tf.random.uniform((1, 64, 64, 3)), tf.random.normal((1, 4, 4, 5))
  logits = judge(x, y)
  assert logits.shape == (1, 8, 8, 1)
  assert np.abs(logits - judge(x, 2.0 * y)).max() > 1e-4
  assert np.abs(logits - judge(0.5 * x, y)).max() > 1e-4


def test_the_second_stage_of_a_recipe_differs_in_the_adversarial_loss_alone():
  first, second = (configs.get(f"hific:{variant}") for variant in ("low-mse", "low"))
  assert first.train.adversarial == 0.0 < second.train.adversarial
  first.train.adversarial = second.train.adversarial
  assert first.to_dict() == second.to_dict()
