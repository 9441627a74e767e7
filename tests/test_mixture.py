"""A mixture of Gaussians is coded as it is estimated, by integers alone."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import causal
from tests.test_nesting import Sum
from tfc_models.entropy_models import (
    MixtureCodec,
    MixtureParams,
    index_from_scale,
    mixture,
    mixture_from_integers,
    scale_from_index,
)
from tfc_models.errors import UsageError
from tfc_models.ops import wavefront
from tfc_models.ops.noise import Noise


def params_of(shape, components=3, seed=0, spread=6.0):
  """Returns random params of integers."""
  rng = np.random.default_rng(seed)
  shape = (*shape[:-1], components * shape[-1])
  return MixtureParams(
      tf.constant(rng.integers(0, 40, shape), tf.float32),
      tf.constant(np.round(16 * rng.normal(0, spread, shape)) / 16, tf.float32),
      tf.constant(rng.integers(-40, 41, shape), tf.float32))


def drawn(params, components=3, seed=0):
  """Returns y of the mixture."""
  rng = np.random.default_rng(seed)
  indexes, loc, logits = (
      np.stack(np.split(each.numpy(), components, axis=-1)) for each in params)
  component = np.argmax(logits / 16 + rng.gumbel(size=logits.shape), axis=0)[None]
  indexes, loc = (np.take_along_axis(x, component, 0)[0] for x in (indexes, loc))
  return tf.constant(
      loc + rng.normal(size=loc.shape) * scale_from_index(indexes), tf.float32)


def coded(codec, y, params):
  """Returns the bits of the string of each image, when it has come back."""
  (strings,), sent = codec.compress(y, params)
  np.testing.assert_array_equal(
      codec.decompress([strings], y.shape[1:], params), sent)
  np.testing.assert_array_equal(sent, np.clip(np.round(y), -2**19, 2**19))
  return [8 * (len(string) - 2) for string in strings.numpy()]


def float_bits(y, params, components=3):
  """Returns the bits of round(y) under the mixture, by double precision."""
  phi = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)))
  indexes, loc, logits = (
      np.stack(np.split(np.float64(each), components, axis=-1)) for each in params)
  scale, symbols = scale_from_index(indexes).numpy(), np.round(y)
  weights = np.exp(logits / 16)
  weights /= weights.sum(axis=0)
  mass = phi((symbols + 0.5 - loc) / scale) - phi((symbols - 0.5 - loc) / scale)
  return -np.log2(np.maximum((weights * mass).sum(axis=0), 1e-300))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 5, 4, 3), (1, 32, 32, 16)])
@pytest.mark.parametrize("components", [1, 3])
def test_what_is_coded_is_what_was_estimated(shape, components):
  codec = MixtureCodec(components)
  params = params_of(shape, components)
  y = drawn(params, components)
  bits = coded(codec, y, params)
  for found, estimate in zip(bits, codec(y, params)[1]["y"].numpy()):
    assert estimate - 8 <= found <= 1.0005 * estimate + 32


def test_integers_cost_less_than_a_thousandth_of_the_mixture():
  codec, params = MixtureCodec(), params_of((1, 64, 64, 16))
  y = drawn(params)
  found = codec.price(y, params)[1].numpy()
  expected = float_bits(y, params)
  # Weights below 1/512 are none: what such a component says is rare.
  usual = expected < 16
  np.testing.assert_allclose(found[usual], expected[usual], rtol=0.1, atol=0.6)
  assert abs(found.sum() / expected.sum() - 1.0) < 1e-3


def test_equal_components_are_one_gaussian():
  one = params_of((1, 16, 16, 4), 1)
  three = MixtureParams(*(tf.tile(each, [1, 1, 1, 3]) for each in one))
  y = drawn(one, 1)
  np.testing.assert_allclose(
      MixtureCodec(3).price(y, three)[1], MixtureCodec(1).price(y, one)[1], atol=1e-4)


def test_weights_that_degenerate_leave_the_components_that_count():
  one = params_of((1, 8, 8, 4), 1)
  wild = tf.ones_like(one.loc)
  params = MixtureParams(
      tf.concat([one.indexes, 99.0 * wild, -9.0 * wild], axis=-1),
      tf.concat([one.loc, 1e9 * wild, -1e9 * wild], axis=-1),
      tf.concat([1e9 * wild, -1e9 * wild, 0.0 * wild], axis=-1))
  y = drawn(one, 1)
  np.testing.assert_allclose(
      MixtureCodec(3).price(y, params)[1], MixtureCodec(1).price(y, one)[1], atol=1e-4)
  coded(MixtureCodec(3), y, params)


def test_outliers_escape_at_the_bits_that_were_estimated():
  y = tf.constant([0.0, 127.0, -128.0, 128.0, -129.0, 200.0, 1e3, -3e4, 1e5, 1e30, -np.inf])
  y = tf.tile(y, [400])[None, None, None]
  zeros = tf.zeros([1, 1, 1, 3 * 4400])
  codec, params = MixtureCodec(), MixtureParams(zeros, zeros, zeros)
  (bits,) = coded(codec, y, params)
  # The coder's intervals are integers: the least probable are a little too wide.
  assert bits == pytest.approx(float(codec(y, params)[1]["y"][0]), rel=0.015)
  # The first ends of the window have tails, and a bit says that nothing is beyond.
  each = codec.price(y, params)[1].numpy()[0, 0, 0, :11]
  assert each[1] < 40 and np.all(np.diff(each[[5, 6, 8]]) > 0)


def test_means_at_the_ends_of_their_range_move_the_window():
  y = tf.constant([[[[2047.0, -2047.0, 1950.0, 0.0]]]])
  loc = tf.tile(tf.constant([[[[1e9, -1e9, 2000.0, -3000.0]]]]), [1, 1, 1, 3])
  params = MixtureParams(tf.fill(loc.shape, 60.0), loc, 0.0 * loc)
  coded(MixtureCodec(), y, params)
  assert np.all(MixtureCodec().price(y, params)[1][0, 0, 0, :3] < 12.0)


def test_a_latent_that_is_not_finite_is_refused_with_a_reason():
  params = params_of((1, 1, 1, 1))
  with pytest.raises(UsageError, match="not finite"):
    MixtureCodec().compress(tf.fill([1, 1, 1, 1], np.nan), params)


@pytest.mark.parametrize("string", [b"", b"\0" * 40, b"\xff" * 40, b"\x55\xaa" * 20])
def test_hostile_strings_come_to_an_end(string):
  codec, params = MixtureCodec(), params_of((1, 6, 6, 4))
  evidence = codec.evidence(params, None)

  @tf.function(autograph=False)  # Eagerly, what no encoder writes is refused.
  def decode():
    handle = codec.create_decoder(tf.constant([string]), 144)
    return codec.decode_more(handle, evidence)[1]

  assert np.abs(decode()).max() <= codec.symbol_limit


def test_training_prices_what_is_coded_and_has_slopes_everywhere():
  codec, params = MixtureCodec(), params_of((1, 32, 32, 8))
  y = drawn(params)
  noisy = float(codec(y, params, Noise(0, 0, tf.constant([0])))[1]["y"][0])
  exact = float(codec(y, params)[1]["y"][0])
  assert 0.99 * exact < noisy < 1.2 * exact
  with tf.GradientTape() as tape:
    tape.watch(list(params))
    _, bits = codec.price(y + 300.0, params, Noise(0, 0, tf.constant([0])))
  for slope in tape.gradient(bits, list(params)):
    assert np.all(np.isfinite(slope)) and np.mean(np.abs(slope) > 0) > 0.2


def test_constants_are_those_of_the_functions_they_stand_for():
  x = np.arange(-6 * 4096, 6 * 4096 + 1)[::37] / 4096
  expected = [2**22 * 0.5 * math.erfc(-v / math.sqrt(2.0)) for v in x]
  np.testing.assert_allclose(mixture._CDF[::37], expected, atol=0.6)
  scales = scale_from_index(np.arange(64, dtype=np.float32))
  np.testing.assert_allclose(mixture._SCALES, 16 * scales, rtol=1e-5)
  np.testing.assert_allclose(index_from_scale(scales), np.arange(64), atol=1e-3)
  np.testing.assert_allclose(
      mixture._EXPONENTIALS, 65536 * np.exp(-np.arange(192) / 16), atol=0.51)


def test_no_sum_of_products_overflows():
  reach = 6.0 * mixture._SCALES
  assert np.all(reach * mixture._RATES + mixture._ORIGIN < 2**31)
  assert mixture._TOTAL + mixture._WINDOW * mixture._LEAST < 2**31
  entries = (mixture._REACHES.astype(np.int64) * mixture._RATES + mixture._ORIGIN) >> 14
  assert entries.max() < len(mixture._CDF)


def test_a_walk_codes_mixtures_piece_by_piece():
  codec, depth = MixtureCodec(2), 3
  network = Sum(depth, wavefront.causal_offsets(5), 6 * depth)
  rng = np.random.default_rng(3)
  y = tf.constant(rng.normal(0, 3, (2, 5, 7, depth)), tf.float32)
  side = tf.constant(rng.integers(0, 30, (2, 5, 7, 6 * depth)), tf.float32)
  causal.check(network, codec, mixture_from_integers, y, side)
