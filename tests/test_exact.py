"""Integer networks give the same integers whatever computes them."""

import itertools
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import material, suite
from tfc_models.layers import (
  ExactContextConv2D,
  ExactConv2D,
  ExactConv2DTranspose,
  as_real,
)
from tfc_models.layers import exact as layers_exact
from tfc_models.layers.exact import power_of_two
from tfc_models.modeling.settings import TrainingContext
from tfc_models.ops import wavefront
from tfc_models.ops.noise import Noise

OFFSETS = wavefront.causal_offsets(5)
LAYERS = {
    "conv": lambda **kw: ExactConv2D(24, 3, **kw),
    "down": lambda **kw: ExactConv2D(24, 5, 2, **kw),
    "up": lambda **kw: ExactConv2DTranspose(24, 5, 2, **kw),
    "few": lambda **kw: ExactConv2DTranspose(3, 5, 2, **kw),
    "context": lambda **kw: ExactContextConv2D(24, 5, OFFSETS, **kw),
    "wide": lambda **kw: ExactConv2D(24, 1, rate=8.0, **kw),
}


def integers(shape, seed=0, limit=255):
  rng = np.random.default_rng(seed)
  return tf.constant(rng.integers(-limit, limit + 1, shape), tf.float32)


def make(name, **options):
  tf.keras.utils.set_random_seed(3)
  layer = LAYERS[name](**options)
  layer.build((None, None, None, 16))
  layer.bias.assign(np.random.default_rng(1).normal(0, 1, layer.filters))
  layer.fix_tables()
  return layer


@pytest.mark.parametrize("name, activation", [
    *itertools.product(LAYERS, ("leaky", "clip", None)), ("up", "fifth"),
    ("conv", "fifth")])
def test_outputs_are_integers_equal_in_every_arithmetic(name, activation):
  layer = make(name, activation=activation)
  x = integers((2, 9, 12, 16))
  expected = layer(x).numpy()
  np.testing.assert_array_equal(expected, np.round(expected))
  if activation:
    low = -255 if activation == "clip" else -64
    assert low <= expected.min() < 0 and 100 < expected.max() <= 255
  for compiled in (False, True):
    function = tf.function(layer, jit_compile=compiled)
    np.testing.assert_array_equal(function(x), expected)
  # Sums in float64 and in another order: channels reversed, one image at a time.
  kernel, bias = layer.integers()
  order = -2 if "Transpose" not in type(layer).__name__ else -1
  sums = tf.concat([
      layer._convolve(
          tf.cast(tf.reverse(one[None], [-1]), tf.float64),
          tf.cast(tf.reverse(kernel, [len(kernel.shape) + order]), tf.float64))
      for one in x], axis=0)
  np.testing.assert_array_equal(
      layer._finish(tf.cast(sums, tf.float32), bias, layer._factor()), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_half_and_single_precision_weights_are_one_network(name):
  layer = make(name)
  x = integers((1, 8, 8, 16))
  expected = layer(x)
  for variable in (layer.kernel, layer.bias):
    variable.assign(variable.numpy().astype(np.float16))
  np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_no_input_leads_out_of_the_exact_range(name):
  layer = make(name)
  kernel, _ = layer.integers()
  assert np.abs(kernel).max() <= 127
  assert np.abs(kernel).max() > 60
  assert layer.largest_sums().max() < 2**24
  # The bound is reached by the worst input, and not exceeded.
  worst = 0.0
  for seed in range(3):
    x = tf.sign(integers((1, 12, 12, 16), seed)) * 255.0
    worst = max(worst, np.abs(layer._convolve(x, kernel)).max())
  assert 0.1 * layer.largest_sums().max() < worst < layer.largest_sums().max()


def test_large_kernels_get_fewer_bits_where_sums_demand_it():
  layer = ExactConv2D(4, 5, rate=1.0)
  layer.build((None, None, None, 400))
  layer.kernel.assign(tf.ones_like(layer.kernel))
  layer.fix_tables()
  kernel, _ = layer.integers()
  assert np.abs(kernel).max() < 7 and layer.largest_sums().max() < 2**24


@pytest.mark.parametrize("name", LAYERS)
def test_without_rounding_it_is_the_same_network_more_or_less(name):
  layer = make(name, activation=None)
  x = integers((1, 9, 12, 16))
  expected = layer(x)
  layer.exact = False
  real = layer(x)
  assert 0 < np.abs(real - expected).mean() < 0.05 * np.abs(real).mean()


def test_training_reaches_kernel_and_bias():
  layer = make("up")
  x = integers((1, 4, 4, 16), limit=20)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(tf.square(layer(x)))
  kernel, bias = tape.gradient(loss, [layer.kernel, layer.bias])
  assert np.any(kernel) and np.any(bias)


def test_single_sites_are_those_of_the_whole():
  for name in ("context", "wide"):
    layer = make(name)
    x = integers((1, 7, 9, 16))
    padded = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)])
    offsets = OFFSETS if name == "context" else [(0, 0)]
    neighbours = np.concatenate([
        padded[:, 2 + row:9 + row, 2 + column:11 + column]
        for row, column in offsets], axis=-1)
    np.testing.assert_array_equal(layer.at_sites(neighbours, layer.site_weights()), layer(x))


def test_a_context_sees_only_what_comes_before():
  layer = make("context")
  x = integers((1, 7, 9, 16)).numpy()
  expected = layer(x).numpy().reshape(63, -1)
  for site in (0, 10, 31, 62):
    changed = x.copy().reshape(63, 16)
    changed[site:] += 100
    found = layer(changed.reshape(x.shape)).numpy().reshape(63, -1)
    np.testing.assert_array_equal(found[:site + 1], expected[:site + 1])
    assert site == 62 or np.any(found[site + 1:] != expected[site + 1:])


def test_powers_of_two_are_exact():
  exponents = tf.range(-126, 128)
  np.testing.assert_array_equal(
      power_of_two(exponents), 2.0 ** np.arange(-126.0, 128))


@pytest.mark.parametrize("size, expected", [(3, 2), (5, 3), (7, 4)])
def test_the_slope_of_a_causal_mask(size, expected):
  assert wavefront.slopes(wavefront.causal_offsets(size)) == (expected,)
  assert len(wavefront.causal_offsets(size)) == size**2 // 2
  # As published for the masks of Mentzer et al. and of NLAIC.
  of_channels = wavefront.causal_offsets_3d(size)
  assert wavefront.slopes(of_channels) == (
      size // 2 * (expected + 1) + 1, expected)
  assert len(of_channels) == size**3 // 2


def test_slopes_of_other_masks():
  assert wavefront.slopes([(0, -1)]) == (0,)
  assert wavefront.slopes([(-1, -1), (-1, 0), (0, -1)]) == (1,)
  assert wavefront.slopes([(-2, 3), (0, -1)]) == (2,)
  assert wavefront.slopes([(-1, 0, 0)]) == (1, 0)
  for wrong in [(0, 0), (1, -1), (0, 2), (0, 0, 0), (1, -1, -1)]:
    with pytest.raises(ValueError, match="does not come before"):
      wavefront.slopes([wrong])


@pytest.mark.parametrize("sizes", [
    (1, 1), (1, 7), (7, 1), (6, 9), (1, 1, 1), (4, 1, 3), (1, 5, 4), (3, 4, 5)])
@pytest.mark.parametrize("size", [3, 5])
def test_fronts_come_after_all_that_they_depend_on(sizes, size):
  offsets = (wavefront.causal_offsets if len(sizes) == 2
             else wavefront.causal_offsets_3d)(size)
  slopes = wavefront.slopes(offsets)
  sites, splits = (value.numpy() for value in wavefront.fronts(sizes, slopes))
  assert len(splits) - 1 == wavefront.count(sizes, slopes)
  assert sorted(sites) == list(range(np.prod(sizes)))
  front_of = {}
  for front, (start, end) in enumerate(zip(splits, splits[1:])):
    for site in sites[start:end]:
      front_of[tuple(np.unravel_index(site, sizes))] = front
  for site, front in front_of.items():
    for offset in offsets:
      before = front_of.get(tuple(np.add(site, offset)))
      assert before is None or before < front


@pytest.mark.parametrize("name", LAYERS)
def test_training_sees_the_real_layer_behind_the_integers(name):
  layer = make(name)
  x = integers((1, 9, 12, 16))
  expected = layer(x).numpy()
  with as_real():
    real = layer(x).numpy()
    assert np.abs(real - expected).mean() < 1.0 and np.abs(real - expected).max() < 12
    assert np.any(real != np.round(real)), "it rounds"
    assert real.min() >= -64.0 and real.max() <= 255.0
    # Whatever the scales were when the run began.
    layer.kernel_bits.assign(tf.zeros_like(layer.kernel_bits))
    np.testing.assert_allclose(layer(x), real, rtol=1e-4, atol=1e-3)
  assert np.any(layer(x).numpy() != expected)


def test_a_codec_trains_with_real_networks_and_prices_with_integers():
  model = suite.tiny("mbt2018")
  x = material.seen(model, 64, 64)
  context = TrainingContext(noise=Noise(0, tf.constant(0), tf.range(1)))
  rounded = []
  original = layers_exact._Exact._finish

  def finish(layer, *args):
    outputs = original(layer, *args)
    rounded.append(bool(np.all(outputs.numpy() == np.round(outputs.numpy()))))
    return outputs

  with mock.patch.object(layers_exact._Exact, "_finish", finish):
    model(x, training=True, context=context)
  assert len(rounded) >= 6 and not all(rounded)
  # Nothing is left of it.
  assert not layers_exact._AS_REAL.get()
