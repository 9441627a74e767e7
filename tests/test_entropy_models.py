"""Latent codecs: what is coded is what was estimated."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc

from tfc_models.entropy_models import (
    NUM_SCALES,
    SCALE_MAX,
    SCALE_MIN,
    FactorizedCodec,
    GaussianCodec,
    GaussianParams,
    index_from_scale,
    scale_from_index,
)
from tfc_models.entropy_models import gaussian as gaussian_module
from tfc_models.ops.noise import Noise


@pytest.fixture(scope="module")
def gaussian():
  codec = GaussianCodec()
  codec.fix_tables()
  return codec


@pytest.fixture(scope="module")
def factorized():
  codec = FactorizedCodec(4)
  codec.fix_tables()
  return codec


def gaussian_latents(shape, with_loc, seed=0):
  """Returns y drawn from the prior, and the prior's params."""
  rng = np.random.default_rng(seed)
  indexes = rng.integers(0, 50, shape).astype(np.float32)
  loc = rng.normal(0, 5, shape).astype(np.float32) if with_loc else None
  y = rng.normal(0, 1, shape) * scale_from_index(indexes)
  if with_loc:
    y += loc
  return tf.constant(y, tf.float32), GaussianParams(
      tf.constant(indexes), None if loc is None else tf.constant(loc))


@pytest.mark.parametrize("with_loc", [False, True])
@pytest.mark.parametrize("shape", [
    (1, 1, 1, 1), (1, 1, 3, 2), (2, 5, 4, 3), (3, 16, 16, 8)])
def test_gaussian_symbols_survive_coding(gaussian, shape, with_loc):
  y, params = gaussian_latents(shape, with_loc)
  (strings,), sent = gaussian.compress(y, params)
  received = gaussian.decompress([strings], shape[1:], params)
  np.testing.assert_array_equal(sent, received)
  np.testing.assert_array_equal(sent, gaussian(y, params)[0])
  assert np.abs(received - y).max() <= 0.5 + 1e-4
  for i in range(shape[0]):  # A batch is coded image by image.
    one = GaussianParams(*(
        None if p is None else p[i:i + 1] for p in params))
    assert gaussian.compress(y[i:i + 1], one)[0][0][0] == strings[i]


def test_gaussian_coded_bits_lie_within_half_a_percent_of_the_estimate(gaussian):
  y, params = gaussian_latents((1, 64, 64, 32), with_loc=True)
  estimate = float(gaussian(y, params)[1]["y"][0])
  coded = 8 * len(gaussian.compress(y, params)[0][0].numpy()[0])
  # Not below: the estimate is the entropy of what the tables approximate.
  assert 0.999 * estimate < coded < 1.005 * estimate + 64


def test_gaussian_estimate_with_noise_is_a_little_above(gaussian):
  """Adding noise can only blur what the coder sees exactly (ICLR 2017, 3.1)."""
  y, params = gaussian_latents((1, 64, 64, 32), with_loc=False)
  noisy = float(gaussian(y, params, Noise(0, 0, tf.constant([0])))[1]["y"][0])
  exact = float(gaussian(y, params)[1]["y"][0])
  assert exact < noisy < 1.3 * exact


def test_real_valued_and_wild_indexes_code_as_estimated(gaussian):
  y, params = gaussian_latents((1, 16, 16, 8), with_loc=False)
  wild = GaussianParams(params.indexes + 0.49)
  assert gaussian.compress(y, wild)[0] == gaussian.compress(y, params)[0]
  for index in (-1e9, 1e9):
    far = GaussianParams(tf.fill(y.shape, index))
    (strings,), sent = gaussian.compress(y, far)
    np.testing.assert_array_equal(
        sent, gaussian.decompress([strings], y.shape[1:], far))


def test_outliers_escape_and_come_back(gaussian):
  y = tf.constant([[[[0.0, 1e5, -3e5, 1e30, -np.inf]]]])
  params = GaussianParams(tf.zeros_like(y))
  (strings,), sent = gaussian.compress(y, params)
  received = gaussian.decompress([strings], y.shape[1:], params)
  np.testing.assert_array_equal(sent, received)
  np.testing.assert_array_equal(received[..., :3], y[..., :3])


def test_gaussian_bits_agree_with_tfc():
  rng = np.random.default_rng(0)
  scale = np.exp(rng.uniform(np.log(SCALE_MIN), np.log(SCALE_MAX), 1000))
  y = rng.normal(0, 8, 1000) * scale
  ours = gaussian_module.box_bits(
      tf.constant(y, tf.float32), tf.constant(scale, tf.float32))
  prior = tfc.NoisyNormal(
      loc=tf.zeros(1000), scale=tf.constant(scale, tf.float32))
  theirs = prior.log_prob(tf.constant(y, tf.float32)) / -np.log(2.0)
  np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)
  assert np.max(theirs) > 200


def slopes(bits, residual, scale):
  with tf.GradientTape() as tape:
    tape.watch([residual, scale])
    value = bits(residual, scale)
  return tape.gradient(value, [residual, scale])


def test_far_from_its_scale_a_latent_has_the_gradient_of_tfc():
  residual, scale = (value.ravel() for value in np.meshgrid(
      [-1e4, -40.0, -2.2, 1.3, 9.0, 300.0], [0.11, 0.5, 4.0, 30.0]))
  residual, scale = (tf.constant(v, tf.float32) for v in (residual, scale))
  found = slopes(gaussian_module.box_bits, residual, scale)
  compiled = tf.function(
      lambda *args: slopes(gaussian_module.box_bits, *args), jit_compile=True)
  expected = slopes(
      lambda y, s: tfc.NoisyNormal(
          loc=tf.zeros_like(y), scale=s).log_prob(y) / -np.log(2.0),
      residual, scale)
  for one, fast, other in zip(found, compiled(residual, scale), expected):
    np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(one, fast, rtol=2e-3, atol=1e-4)
    assert np.all(np.abs(one) > 1e-6)


@pytest.mark.parametrize("index", [0, 10, 18, 30, 63])
def test_symbols_beyond_the_tables_are_estimated_near_what_they_take(
    gaussian, index):
  end = int(-gaussian.tables.cdf_offset[index])
  for beyond in (1, 2, 8, 64, 1000):
    y = tf.fill([1, 1, 64, 1], float(end + beyond))
    params = GaussianParams(tf.fill(y.shape, float(index)))
    estimate = float(gaussian(y, params)[1]["y"][0]) / 64
    coded = len(gaussian.compress(y, params)[0][0].numpy()[0]) / 8
    assert 0.7 * coded < estimate < 1.35 * coded, (beyond, coded)


def test_scale_table_is_that_of_the_literature():
  np.testing.assert_allclose(scale_from_index(0.0), 0.11, 1e-6)
  np.testing.assert_allclose(scale_from_index(NUM_SCALES - 1.0), 256.0, 1e-5)
  np.testing.assert_allclose(index_from_scale(scale_from_index(20.5)), 20.5, 1e-5)


def test_factorized_symbols_survive_coding(factorized):
  y = tf.random.stateless_normal((2, 9, 7, 4), [1, 2]) * 20.0
  (strings,), sent = factorized.compress(y)
  np.testing.assert_array_equal(sent, factorized.decompress([strings], (9, 7, 4)))
  np.testing.assert_array_equal(sent, tf.round(y))
  np.testing.assert_array_equal(sent, factorized(y)[0])


def test_factorized_symbols_are_clipped(factorized):
  y = tf.constant([[[[1e9, -1e9, 127.4, -128.0]]]])
  (strings,), sent = factorized.compress(y)
  np.testing.assert_array_equal(sent, [[[[127.0, -127.0, 127.0, -127.0]]]])
  np.testing.assert_array_equal(sent, factorized.decompress([strings], (1, 1, 4)))


def test_factorized_coded_bits_lie_within_half_a_percent_of_the_estimate(factorized):
  # Draw symbols from the codec's own probabilities.
  grid = np.arange(-100, 101, dtype=np.float32)
  mass = factorized.prior.prob(np.repeat(grid[:, None], 4, axis=1)).numpy()
  rng = np.random.default_rng(0)
  y = np.stack([
      rng.choice(grid, (128, 128), p=m / m.sum()) for m in mass.T.astype(np.float64)
  ], axis=-1)[None].astype(np.float32)
  estimate = float(factorized(y)[1]["z"][0])
  coded = 8 * len(factorized.compress(y)[0][0].numpy()[0])
  assert 0.999 * estimate < coded < 1.005 * estimate + 64


@pytest.mark.parametrize("make", [
    lambda r: (GaussianCodec(reconstruction=r), GaussianParams(tf.zeros((1, 4, 4, 2)))),
    lambda r: (FactorizedCodec(2, reconstruction=r), None)])
def test_reconstruction_in_training(make):
  y = tf.random.stateless_normal((1, 4, 4, 2), [1, 2]) * 5.0
  noise = Noise(0, 0, tf.constant([0]))
  codec, params = make("noise")
  assert 0 < np.abs(codec(y, params, noise)[0] - y).max() <= 0.5
  codec, params = make("round")
  with tf.GradientTape() as tape:
    tape.watch(y)
    y_hat, _ = codec(y, params, noise)
  np.testing.assert_array_equal(y_hat, tf.round(y))
  np.testing.assert_array_equal(tape.gradient(y_hat, y), tf.ones_like(y))


def test_an_unknown_reconstruction_is_refused():
  with pytest.raises(ValueError, match="`reconstruction` must be one of"):
    GaussianCodec(reconstruction="hope")


def test_coding_before_tables_are_fixed_says_what_to_do():
  with pytest.raises(RuntimeError, match="fix_tables"):
    FactorizedCodec(2).compress(tf.zeros((1, 1, 1, 2)))


def test_a_weighted_encoder_never_does_worse_than_the_nearest_integer():
  rng = np.random.default_rng(0)
  y = tf.constant(rng.normal(0, 2, (1, 16, 16, 8)), tf.float32)
  params = GaussianParams(tf.constant(
      rng.integers(0, 40, y.shape), tf.float32))

  def cost(codec, weight):
    y_hat, bits = codec(y, params)
    (bits,) = bits.values()
    return float(bits[0] + weight * tf.reduce_sum((y - y_hat) ** 2))

  nearest = GaussianCodec("a")
  for weight in (1.0, 8.7, 20.0):
    codec = GaussianCodec("b", distortion_weight=weight)
    assert cost(codec, weight) < cost(nearest, weight)
    symbols = codec(y, params)[0]
    assert np.all(np.abs(symbols) <= np.abs(tf.round(y)))
    # The best of both candidates, found by pricing them.
    down = tf.round(y) - tf.sign(tf.round(y))
    best = np.minimum(*[
        element_bits(c, params) + weight * (y - c) ** 2
        for c in (tf.round(y), down)])
    chosen = element_bits(symbols, params) + weight * (y - symbols) ** 2
    np.testing.assert_allclose(chosen, best, atol=1e-3)


def element_bits(symbols, params):
  """Returns -log2 p of each symbol, by NumPy."""
  from scipy.stats import norm
  scale = np.asarray(scale_from_index(params.indexes))
  distance = np.abs(np.asarray(symbols, np.float64))
  mass = norm.cdf((0.5 - distance) / scale) - norm.cdf((-0.5 - distance) / scale)
  return -np.log2(np.maximum(mass, 1e-9))


def test_tables_hold_the_bits_of_symbols():
  indexes = tf.range(NUM_SCALES)[:, None] * tf.ones([1, 120], tf.int32)
  symbols = tf.range(-60.0, 60.0) * tf.ones([NUM_SCALES, 1])
  scale = scale_from_index(tf.cast(indexes, tf.float32))
  np.testing.assert_allclose(
      gaussian_module._symbol_bits(symbols, indexes),
      gaussian_module._coder_bits(symbols, scale), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("index", [5, 20, 45])
def test_slopes_of_bits_are_those_between_neighbours(index):
  residual = tf.constant([-9.0, -1.0, 0.0, 1.0, 4.0])
  indexes = tf.fill(residual.shape, float(index))
  with tf.GradientTape() as tape:
    tape.watch([residual, indexes])
    bits = gaussian_module._sloped_bits(residual, indexes)
  by_symbol, by_index = tape.gradient(bits, [residual, indexes])

  def between(step, other):
    ends = [gaussian_module._symbol_bits(
        residual + sign * step, tf.cast(indexes, tf.int32) + sign * other)
            for sign in (-1, 1)]
    return (ends[1] - ends[0]) / 2.0

  np.testing.assert_allclose(by_symbol, between(1.0, 0), atol=1e-3)
  np.testing.assert_allclose(by_index, between(0.0, 1), atol=1e-3)
