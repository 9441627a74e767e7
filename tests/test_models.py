"""What is particular to single models."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import make_image
from tfc_models import configs, metrics, models, registry
from tfc_models.transforms import gdn_conv

assert models, "importing the package registers the models"


def parameters(name):
  spec = configs.get(name).model
  model = registry.create(spec.name, **spec.arguments).build_variables()
  return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize("recipe, millions", [
    ("bmshj2018_factorized:low", 3.0), ("bmshj2018_factorized:high", 7.0),
    ("bmshj2018_hyperprior:low", 5.1), ("bmshj2018_hyperprior:high", 11.8),
    ("bls2017:low", 1.8)])
def test_published_layouts_have_the_published_number_of_weights(
    recipe, millions):
  assert parameters(recipe) / 1e6 == pytest.approx(millions, abs=0.12)


def test_gdn_is_the_formula_of_the_paper():
  layer = gdn_conv.analysis([4, 4], [1, 1], [1, 1]).layers[1]
  inverse = gdn_conv.synthesis([4, 4], [1, 1], [1, 1]).layers[1]
  x = np.random.default_rng(0).normal(0, 2, (1, 3, 3, 4)).astype(np.float32)
  # Initially beta = 1, and gamma = 0.1 on the diagonal, 0.001 elsewhere.
  norm = np.sqrt(1.0 + 0.099 * x**2 + 0.001 * np.sum(x**2, -1, keepdims=True))
  np.testing.assert_allclose(layer(x), x / norm, 1e-4)
  np.testing.assert_allclose(inverse(x), x * norm, 1e-4)


def test_all_gammas_of_a_new_gdn_learn():
  """As far as a tenth of those on the diagonal, whose variables are ten times larger."""
  layer = gdn_conv.analysis([4, 4], [1, 1], [1, 1]).layers[1]
  x = tf.constant(np.random.default_rng(0).normal(0, 2, (1, 9, 9, 4)), tf.float32)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(layer(x) ** 2)
  (gamma,) = [v for v in layer.trainable_variables if v.shape.rank == 2]
  gradient = np.abs(tape.gradient(loss, gamma))
  assert gradient.min() > 0.03 * gradient.max()


def fresh_base(lmbda):
  model = registry.create(
      "tfcm-base", width=8, hyper_width=8, hyper_depth=4)
  images = np.stack([make_image(128, 128, seed=seed) for seed in range(4)])
  model.prepare([images], lmbda)
  return model


def test_tfcm_base_starts_as_a_transform_codec_of_the_theoretical_distortion():
  """At high rate a uniform quantiser of step d errs by d^2 / 12."""
  lmbda = 10.0
  model = fresh_base(lmbda)
  step = float(model.step)
  assert step == pytest.approx(np.sqrt(18 / (lmbda * np.log(2))))
  decoded, _ = model.reconstruct(make_image(128, 128, seed=7))
  error = metrics.mse(
      decoded[None] / 255.0, make_image(128, 128, seed=7)[None] / 255.0)
  # Rounding to uint8 adds its own twelfth.
  assert float(error[0]) == pytest.approx(step**2 / 12 + 1 / 12, rel=0.15)


def test_tfcm_base_has_decorrelated_channels_of_falling_variance():
  model = fresh_base(1.0)
  x = np.stack([make_image(128, 128, seed=seed) for seed in range(4)]) / 255.0
  y = model.analysis_transform(tf.constant(x, tf.float32) - 0.5).numpy()
  variances = y.reshape(-1, y.shape[-1]).var(axis=0)
  assert np.all(variances[:10] > variances[-10:].max())


def test_tfcm_base_adapts_to_another_lmbda_by_its_step():
  model = fresh_base(0.01)
  image = make_image(128, 128, seed=7)
  _, before = model.reconstruct(image)
  model.adapt(0.01, 0.04)
  assert float(model.gain) == pytest.approx(2.0)
  decoded, after = model.reconstruct(image)
  assert after > 1.2 * before
  assert metrics.psnr(image, decoded) > 25
