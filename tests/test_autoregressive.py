"""The walk by fronts predicts every site from exactly its causal context."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.entropy_models import (
    AutoregressiveCodec,
    GaussianCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.ops.noise import Noise
from tfc_models.transforms.context import ContextNetwork

DEPTH = 3


@functools.cache
def make_codec(context_size=5, fixed_grid=False):
  """Returns a codec with random weights that depend on their context."""
  tf.keras.utils.set_random_seed(context_size)
  network = ContextNetwork(
      DEPTH, integer_bits(DEPTH, means=True), context_size=context_size,
      context_width=6, widths=(8, 8))
  codec = AutoregressiveCodec(
      GaussianCodec(name="y", reconstruction="round", fixed_grid=fixed_grid),
      network, lambda outputs: params_from_integers(outputs, means=True))
  codec(tf.zeros([1, 2, 2, DEPTH]), tf.zeros([1, 2, 2, 4]))
  for variable in network.trainable_variables:
    variable.assign(2.0 * variable)
  last = network.entropy_parameters[-1]
  last.kernel.assign(0.03 * last.kernel)
  last.bias.assign([4.0] * DEPTH + [0.3] * DEPTH)  # Scales of about 6.
  for layer in (network.context, *network.entropy_parameters):
    layer.fix_tables()
  codec.codec.fix_tables()
  return codec


def latents(shape, seed=0):
  rng = np.random.default_rng(seed)
  y = tf.constant(rng.normal(0, 4, (*shape, DEPTH)), tf.float32)
  return y, tf.constant(rng.integers(-50, 51, (*shape, 4)), tf.float32)


@pytest.mark.parametrize("fixed_grid", [False, True])
@pytest.mark.parametrize("context_size, shape", [
    (5, (1, 1, 1)), (5, (1, 1, 7)), (5, (1, 7, 1)), (5, (1, 6, 2)),
    (5, (2, 6, 9)), (3, (1, 5, 6)), (3, (2, 5, 1)), (7, (1, 7, 8)),
    (7, (1, 5, 3))])
def test_each_site_is_predicted_from_what_came_before(
    context_size, shape, fixed_grid):
  codec = make_codec(context_size, fixed_grid)
  y, side = latents(shape)
  (strings,), y_hat = codec.compress(y, side)
  received = codec.decompress([strings], (*shape[1:], DEPTH), side)
  np.testing.assert_array_equal(received, y_hat)
  # The masked convolution of all of y_hat at once says the same.
  params = codec.to_params(codec.network(y_hat, side))
  np.testing.assert_array_equal(codec.codec.quantize(y, params)[0], y_hat)
  estimate, (bits,) = codec(y, side)[0], codec(y, side)[1].values()
  np.testing.assert_array_equal(estimate, y_hat)
  np.testing.assert_allclose(
      bits, codec.codec(y, params)[1]["y"], rtol=1e-5)


@pytest.mark.parametrize("fixed_grid", [False, True])
def test_the_context_counts(fixed_grid):
  codec = make_codec(fixed_grid=fixed_grid)
  y, side = latents((1, 6, 9))
  with_context = codec.network(codec(y, side)[0], side)
  without = codec.network(tf.zeros_like(y), side)
  assert np.mean(with_context != without) > 0.5


def test_coded_bits_are_those_estimated():
  codec = make_codec()
  y, side = latents((1, 24, 40))
  bits = float(codec(y, side)[1]["y"][0])
  coded = 8 * len(codec.compress(y, side)[0][0].numpy()[0])
  assert 0.99 * bits < coded < 1.02 * bits + 64


def test_an_encoder_of_a_fixed_grid_writes_what_a_walk_would():
  codec = make_codec(fixed_grid=True)
  y, side = latents((2, 6, 9))
  at_once, _ = codec.compress(y, side)
  walking = AutoregressiveCodec(codec.codec, codec.network, codec.to_params)
  codec.network.exact = False  # Of the whole; its layers still are.
  walked, _ = walking.compress(y, side)
  codec.network.exact = True
  np.testing.assert_array_equal(at_once, walked)


def test_a_fixed_grid_costs_bits_where_scales_are_small():
  rng = np.random.default_rng(0)
  shape = (1, 32, 32, 8)
  loc = np.round(64 * rng.uniform(-9, 9, shape)) / 64
  rates = {}
  for scale_index in (8, 24):  # Scales of 0.3 and 2.1.
    params = params_from_integers(tf.constant(np.concatenate(
        [np.full(shape, scale_index), 64 * loc], axis=-1), tf.float32), True)
    scale = 0.11 * np.exp(np.log(256 / 0.11) / 63 * scale_index)
    y = tf.constant(loc + rng.normal(0, scale, shape), tf.float32)
    for fixed_grid in (False, True):
      codec = GaussianCodec(fixed_grid=fixed_grid)
      y_hat, bits = codec(y, params)
      assert np.array_equal(y_hat, tf.round(y)) == fixed_grid
      rates[scale_index, fixed_grid] = float(bits["y"][0]) / y_hat.shape.num_elements()
  assert rates[8, True] > 1.3 * rates[8, False]
  assert rates[24, True] == pytest.approx(rates[24, False], rel=0.01)


def test_a_fixed_grid_takes_no_weighted_encoder():
  with pytest.raises(ValueError, match="no `distortion_weight`"):
    GaussianCodec(fixed_grid=True, distortion_weight=2.0)


def test_training_sees_the_grid_with_the_gradient_of_the_identity():
  codec = GaussianCodec(reconstruction="round", fixed_grid=True)
  y, _ = latents((1, 4, 4))
  params = params_from_integers(tf.ones([1, 4, 4, 2 * DEPTH]) * 9.0, True)
  with tf.GradientTape() as tape:
    tape.watch(y)
    y_hat, _ = codec(y, params, Noise(0, 0, tf.constant([0])))
  np.testing.assert_array_equal(y_hat, tf.round(y))
  np.testing.assert_array_equal(tape.gradient(y_hat, y), tf.ones_like(y))
