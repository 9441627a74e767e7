"""One network for all rates: lmbda scales channels, bin sizes are steps of tables."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import causal, material, suite
from tests.conftest import make_image
from tfc_models import bitstream, configs, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.entropy_models import scale_from_index
from tfc_models.layers import as_real
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings, TrainingContext
from tfc_models.models.choi2019 import BINS, QUALITY, RATES, rate_of
from tfc_models.ops.noise import Noise

# Of a model without shipped weights.
pytestmark = pytest.mark.slow

NAMES = ["choi2019", "choi2019-mean"]
# Where the other takes its time and says little more.
ONE = [NAMES[0], pytest.param(NAMES[1], marks=pytest.mark.slow)]
LAST = 4  # Number of the largest lmbda.
# The first quality of each pair.
QUALITIES = {rate_of(quality): quality for quality in range(100, 0, -1)}
IMAGE = make_image(64, 64)


def random(name, **changes):
  """Returns a tiny model before any start, with tables."""
  tf.keras.utils.set_random_seed(3)
  arguments = configs.get(f"{name}:tiny").model.arguments
  model = registry.create(name, **{**arguments, **changes}).build_variables()
  model.fix_tables()
  return model


def numbers(rng, limit, *shape):
  return tf.constant(rng.integers(-limit, limit + 1, shape), tf.float32)


def test_qualities_are_pairs_whose_steps_shrink():
  assert rate_of(1) == (0, BINS.limit) and rate_of(100) == (LAST, -BINS.limit)
  assert rate_of(QUALITY) == (2, 0)
  assert [*reversed(QUALITIES)] == RATES and len(RATES) == 31
  # In steps of one lmbda: a bin, by sqrt(lmbda).
  steps = [BINS.sizes[number + BINS.limit] * 10.0 ** (-0.25 * case)
           for case, number in RATES]
  assert np.all(np.diff(np.log(steps)) < -0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE)
def test_rates_grow_with_quality_and_all_qualities_round_trip(name):
  model = suite.tiny(name)
  codec = LearnedCodec(model, b"abcd", effort=1)
  sizes, bits = [], []
  for _, quality in sorted(QUALITIES.items(), key=lambda item: item[1]):
    settings = Settings(quality=quality)
    data = codec.encode(IMAGE, settings)
    x_hat, estimate = model.reconstruct(IMAGE, settings)
    np.testing.assert_array_equal(codec.decode(data), x_hat)
    sizes.append(bitstream.coded_bytes(bitstream.read(data).chunks))
    bits.append(estimate)
  # z takes the same at all of them, untrained.
  assert np.all(np.diff(bits) > 0) and bits[-1] > 1.2 * bits[0]
  assert np.all(np.diff(sizes) > -4) and sizes[-1] > 2 * sizes[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE)
def test_grids_about_the_mean_round_trip_too(name):
  model = random(name, fixed_grid=False)
  model.lmbda = 0.02  # As of weight files; at any effort.
  codec = LearnedCodec(model, b"abcd", effort=5)
  for quality in (1, 100):
    settings = Settings(quality=quality)
    np.testing.assert_array_equal(
        codec.decode(codec.encode(IMAGE, settings)),
        model.reconstruct(IMAGE, settings)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE)
def test_loaded_weights_write_the_same_streams_at_all_rates(name, tmp_path):
  weights.save(suite.tiny(name), tmp_path / "a.npz")
  one, two = (LearnedCodec(weights.load(tmp_path / "a.npz")[0], b"abcd", effort=1)
              for _ in range(2))
  for quality in (1, 13, 60, 81, 100):
    settings = Settings(quality=quality)
    data = one.encode(IMAGE, settings)
    assert data == two.encode(IMAGE, settings)
    np.testing.assert_array_equal(
        two.decode(data), one.model.reconstruct(IMAGE, settings)[0])


def test_a_bin_is_a_step_of_the_table():
  rng = np.random.default_rng(0)
  indexes, means = numbers(rng, 60, 2, 3, 4, 5), numbers(rng, 9000, 2, 3, 4, 5)
  parts = numbers(rng, 7, 2, 3, 4, 5)  # Of a sixteenth.
  for number in range(-BINS.limit, BINS.limit + 1):
    bins = tf.constant([number, 0])
    found, shrunk = tf.split(BINS.params_in_bins(
        tf.concat([16.0 * indexes + parts, means], axis=-1), bins), 2, axis=-1)
    np.testing.assert_array_equal(found[0], indexes[0] - number)
    np.testing.assert_array_equal(found[1], indexes[1])
    size = float(BINS.size(bins, 1)[0])
    np.testing.assert_allclose(
        scale_from_index(found[0]), scale_from_index(indexes[0]) / size, rtol=1e-4)
    np.testing.assert_array_equal(shrunk, np.round(shrunk))
    np.testing.assert_array_equal(shrunk[1], means[1])
    np.testing.assert_allclose(shrunk[0], means[0] / size, rtol=2**-9, atol=0.5)
    with as_real():
      real = BINS.params_in_bins(tf.concat([indexes, means], axis=-1), bins)
    np.testing.assert_allclose(real[0, ..., 5:], means[0] / size, rtol=1e-5)
  assert 0.5 < BINS.sizes[0] and BINS.sizes[-1] < 2.0


def test_products_with_sizes_are_exact_in_single_precision():
  x = np.float32([2**15, 2**15 - 1, 2**15 + 9, -12345, 3])
  for number, size in zip(range(-BINS.limit, BINS.limit + 1), BINS._short_sizes):
    exact = np.clip(np.float64(x), -2**15, 2**15) * np.float64(size)
    np.testing.assert_array_equal(exact, np.float32(exact))
    np.testing.assert_array_equal(
        BINS.multiplied(tf.constant(x[None]), tf.constant([number]))[0], np.round(exact))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_z_prices_bins_by_tables_so_many_steps_apart(name):
  model = random(name)
  codec = model.latent_codec
  z_hat = numbers(np.random.default_rng(0), 9, 1, 2, 2, codec.depth)

  def evidence(quality):
    (rate,) = model.told(1, quality)
    y = tf.zeros([1, 8, 8, model.depth])
    coded, _ = codec.y_codec.symbols(y, codec.params_of(z_hat, rate))
    return coded[0].evidence.numpy() // 8  # There are tables for eighths of means.

  middle = evidence(QUALITY)
  for number in (-2, 1, 2):
    found = evidence(QUALITIES[2, number])
    inside = (middle > 2) & (middle < 61)  # Tables end at either side.
    np.testing.assert_array_equal(found[inside], middle[inside] - number)
  assert len(np.unique(middle[inside])) > 3


def test_training_has_one_dither_a_sample():
  codec = suite.bare("choi2019").y_codec.leaves()[0]
  y = tf.random.stateless_normal([3, 4, 4, 5], [1, 2], stddev=4.0)
  with tf.GradientTape() as tape:
    tape.watch(y)
    found = codec.noisy(y, Noise(0, 1, tf.range(3)))
    total = tf.reduce_sum(found)
  np.testing.assert_array_equal(tape.gradient(total, y), np.ones(y.shape))
  offsets = np.mod(found.numpy().reshape(3, -1) + 1e-5, 1.0)
  assert np.ptp(offsets, axis=1).max() < 1e-4
  assert np.ptp(offsets[:, 0]) > 0.01
  assert np.abs(found - y).max() <= 0.5 + 1e-5


def test_training_draws_all_rates_and_bin_sizes():
  model = random("choi2019-mean")
  model.compile(tf.keras.optimizers.Adam(1e-3), lmbda=0.02)
  drawn = model.training_context(150).lmbda.numpy()
  values, counts = np.unique(np.round(np.log10(drawn / 0.02), 3), return_counts=True)
  np.testing.assert_allclose(values, [-1.0, -0.5, 0.0, 0.5, 1.0])
  assert counts.min() > 15
  (rate,) = model.told(150, lmbda=tf.constant(drawn))
  np.testing.assert_array_equal(
      rate.case, np.round(2 * np.log10(drawn / 0.02)).astype(int) + 2)
  np.testing.assert_array_equal(rate.weights, np.eye(5)[rate.case])
  assert float(model.balance(0.02)) == 1.0
  # A sample's size is that of its y_hat: multiples of it, but for a dither.
  y = tf.zeros([100, 1, 1, 12]) + tf.range(12.0)
  (rate,) = model.told(100, lmbda=model.controls.lmbda)
  z_hat = tf.zeros([100, 1, 1, model.latent_codec.depth])
  with as_real():
    params = model.latent_codec.params_of(z_hat, rate)
    params = params._replace(
        outputs=params.outputs[:, :1, :1], shown=params.shown[:, :1, :1])
    y_hat, _ = model.y_codec(y, params, Noise(0, 1, tf.range(100)))
  gaps = np.diff(y_hat[:, 0, 0, :12], axis=1).max(axis=1)
  sizes = BINS.sizes[:, None]
  multiples = np.abs(np.round(gaps / sizes) * sizes - gaps).min(axis=0)
  assert multiples.max() < 1e-4 and len(np.unique(np.round(gaps, 3))) > BINS.limit


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE)
def test_gradients_reach_every_variable_of_every_rate(name):
  model = random(name)
  model.compile(tf.keras.optimizers.Adam(1e-3), lmbda=0.02)
  batch = material.batch(model, range(5))
  x = tf.constant(np.float32(batch / 255.0))
  context = TrainingContext(
      lmbda=0.02 * 10.0 ** tf.constant([-1.0, -0.5, 0.0, 0.5, 1.0]),
      noise=Noise(0, 1, tf.range(5)))
  with tf.GradientTape() as tape:
    output = model(x, training=True, context=context)
    loss, _ = model.objective(x, output, context)
  rows = 0
  for variable, gradient in zip(
      model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
    assert gradient is not None and np.any(gradient != 0.0), variable.name
    if variable.name.endswith(("log_scale:0", "bias:0")) and variable.shape[0] == 5 and (
        variable.shape.rank == 2):
      assert np.all(np.any(gradient != 0.0, axis=1)), variable.name
      rows += 1
  convolutions = 8 + 3 + 3 + 2 + (4 if name == "choi2019" else 0)
  assert rows == 2 * convolutions + 1  # And what the density of z follows.


@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_network_sees_z(name):
  model = random(name)
  (rate,) = model.told(1)
  rng = np.random.default_rng(0)
  y_hat = numbers(rng, 3, 1, 4, 4, model.depth)
  shown = [model.side_transform(numbers(rng, 9, 1, 1, 1, 8), rate) for _ in range(2)]
  one, two = (model.synthesize(tf.concat([y_hat, each], axis=-1), rate) for each in shown)
  assert np.abs(one - two).max() > 1e-4


@pytest.mark.parametrize("bins", [-4, 3])
def test_the_context_is_causal_and_the_same_at_sites(bins):
  model = random("choi2019")
  network, walk = model.context_network, model.y_codec.codec
  rng = np.random.default_rng(0)
  y = tf.constant(rng.normal(0, 4, (2, 4, 6, model.depth)), tf.float32)
  features = numbers(rng, 99, 2, 4, 6, 2 * model.depth)
  (rate,) = model.told(2, 81)
  side = network.side(features, rate, tf.constant([bins, bins]))
  causal.check(network, walk.codec, walk.to_params, y, side)


def test_the_context_is_that_of_y_whatever_its_bins():
  network = random("choi2019").context_network
  rng = np.random.default_rng(0)
  y_hat, features = numbers(rng, 9, 1, 4, 6, 12), numbers(rng, 99, 1, 4, 6, 24)
  (rate,) = suite.bare("choi2019").told(1)

  def outputs(bins):
    size = float(BINS.sizes[bins + BINS.limit])
    with as_real():
      found = network(
          y_hat / size, network.side(features, rate, tf.constant([bins]))).numpy()
    return np.concatenate([found[..., :12] + bins, found[..., 12:] * size], axis=-1)

  for bins in (-5, 2):
    np.testing.assert_allclose(outputs(bins), outputs(0), rtol=1e-4, atol=1e-3)
