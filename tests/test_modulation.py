"""Scales and biases that depend on a condition, of reals and of integers."""

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.layers import Condition, ExactModulation, Modulation, as_real

CASES = np.float32([[1, -1, 1], [1, 0, -1], [1, 1, 1]])


def taught(layer, seed=0):
  """Returns a layer whose variables say something."""
  rng = np.random.default_rng(seed)
  layer.log_scale.assign(rng.normal(0, 0.7, layer.log_scale.shape))
  if layer.bias is not None:
    layer.bias.assign(rng.normal(0, 0.5, layer.bias.shape))
  return layer


def condition(*numbers):
  return Condition(tf.constant(CASES[list(numbers)]), tf.constant(numbers))


@pytest.mark.parametrize("link, weights", [
    ("exp", [[0.3, -2.0]]), ("softplus", [[1.0, 0.0], [0.0, 1.0]])])
def test_it_starts_as_the_identity(link, weights):
  layer = Modulation(4, 2, link)
  x = tf.random.stateless_normal([len(weights), 3, 5, 4], [1, 2])
  np.testing.assert_allclose(layer(x, Condition(tf.constant(weights))), x, rtol=1e-6)


@pytest.mark.parametrize("link", ["exp", "softplus"])
def test_scales_of_cases_can_be_assigned(link):
  layer = Modulation(4, 3, link)
  scales = np.float32([[0.01], [1.0], [30.0]]) * np.ones(4)
  layer.assign_scales(scales)
  np.testing.assert_allclose(layer.factors(tf.eye(3))[0], scales, rtol=1e-5)


def test_each_sample_has_its_own_scale_and_bias():
  layer = taught(Modulation(4, 3))
  x = np.random.default_rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32)
  y = layer(tf.constant(x), condition(2, 0)).numpy()
  for sample, case in enumerate((2, 0)):
    scale = np.exp(CASES[case] @ layer.log_scale.numpy())
    bias = CASES[case] @ layer.bias.numpy()
    np.testing.assert_allclose(y[sample], x[sample] * scale + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["leaky", "clip", None])
def test_integers_stay_near_the_real_ones(activation):
  layer = ExactModulation(6, CASES, in_bits=11, out_bits=5, activation=activation)
  x = tf.round(tf.random.stateless_normal([3, 8, 8, 6], [1, 2], stddev=2.0**12))
  told = condition(0, 1, 2)
  layer(x, told)
  taught(layer).fix_tables()
  exact = layer(x, told).numpy()
  np.testing.assert_array_equal(exact, np.round(exact))
  with as_real():
    real = layer(x, told).numpy()
  # Half a unit for each of three roundings, and 1/512 of what is multiplied.
  assert np.all(np.abs(exact - real) <= 1.5 + np.abs(real) / 400)
  assert np.ptp(exact) > 100


def test_no_product_leaves_what_float32_holds_exactly():
  layer = ExactModulation(6, CASES, in_bits=11, out_bits=5)
  layer(tf.zeros([1, 1, 1, 6]), condition(0))
  layer.log_scale.assign(np.linspace(-9.0, 9.0, 18).reshape(3, 6))
  layer.fix_tables()
  multiplier = np.float64(layer.multiplier)
  assert np.abs(multiplier).max() * layer.input_limit < 2**24
  assert multiplier.min() >= 2**8  # None is coarse, however small the scale.
  x = np.float32([layer.input_limit, 1.0, -7.0, layer.input_limit - 1, 3.0, 5.0])
  for case in range(3):
    found = layer(tf.constant(x[None, None, None]), condition(case)).numpy().ravel()
    np.testing.assert_array_equal(found, np.round(
        np.ldexp(x * multiplier[case], -layer.shift.numpy()[case])))


def test_gradients_reach_all_that_was_learned():
  layer = ExactModulation(4, CASES, in_bits=11, out_bits=5, activation="leaky")
  x = tf.random.stateless_normal([3, 4, 4, 4], [1, 2], stddev=2.0**11)
  with as_real(), tf.GradientTape() as tape:
    loss = tf.reduce_sum(tf.square(layer(x, condition(0, 1, 2))))
  for gradient in tape.gradient(loss, layer.trainable_variables):
    assert np.all(np.abs(gradient) > 0)
