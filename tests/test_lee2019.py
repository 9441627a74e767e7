"""Windows of y_hat and of features predict; channels without context need no walk."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import causal
from tests.test_starts import LMBDA, half_quiet, loss, started
from tfc_models import registry
from tfc_models.entropy_models import (
    ChannelGaussianCodec,
    GaussianCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.ops import wavefront
from tfc_models.ops.noise import Noise
from tfc_models.transforms.window_context import OFFSETS, WindowContext

DEPTH, FEATURES = 3, 5
TO_PARAMS = functools.partial(params_from_integers, means=True)


def make_network():
  """Returns a network with random weights that depend on their context."""
  tf.keras.utils.set_random_seed(4)
  network = WindowContext(DEPTH, integer_bits(DEPTH, means=True), (4, 8, 8))
  network(tf.zeros([1, 2, 2, DEPTH]), network.windows_of(tf.zeros([1, 2, 2, FEATURES])))
  for layer in (network.context, network.side, *network.entropy_parameters):
    layer.kernel.assign(2.0 * layer.kernel)
    layer.bias.assign(tf.random.normal(layer.bias.shape))
  last = network.entropy_parameters[-1]
  last.kernel.assign(0.1 * last.kernel)
  last.bias.assign([4.0] * DEPTH + [0.3] * DEPTH)  # Scales of about 6.
  for layer in (network.context, network.side, *network.entropy_parameters):
    layer.fix_tables()
  return network


def material(*shape):
  rng = np.random.default_rng(0)
  y = tf.constant(rng.normal(0, 4, (*shape, DEPTH)), tf.float32)
  return y, tf.constant(rng.integers(-50, 51, (*shape, FEATURES)), tf.float32)


@pytest.mark.parametrize("shape, fixed_grid", [
    ((2, 6, 9), True), *(pytest.param(*some, marks=pytest.mark.slow) for some in (
        ((2, 6, 9), False), ((9, 1, 1), True), ((4, 1, 6), True), ((3, 6, 1), True)))])
def test_a_window_is_a_causal_context(shape, fixed_grid):
  network = make_network()
  y, features = material(*shape)
  codec = GaussianCodec(fixed_grid=fixed_grid)
  codec.fix_tables()
  causal.check(network, codec, TO_PARAMS, y, network.windows_of(features))


def test_fronts_have_equal_column_plus_two_rows():
  assert wavefront.slopes(OFFSETS) == (2,) and len(OFFSETS) == 14


def test_outputs_are_those_of_each_window_by_itself():
  network = make_network()
  y, features = material(1, 5, 6)
  y_hat = tf.round(8.0 * y) / 8.0
  found = network(y_hat, network.windows_of(features)).numpy()[0]
  # Rows r - 3 to r, columns c - 2 to c + 1.
  margins = [(3, 0), (2, 1), (0, 0)]
  values, side = (np.pad(x[0], margins) for x in (8.0 * y_hat, features))
  (kernel, bias), (side_kernel, side_bias) = (
      [v.numpy() for v in layer.integers()] for layer in (network.context, network.side))
  for row in range(5):
    for column in range(6):
      past, around = (x[row:row + 4, column:column + 4].copy() for x in (values, side))
      past[3, 2:] = 0.0
      halves = []
      for window, layer, weights, more in (
          (past, network.context, kernel, bias), (around, network.side, side_kernel,
                                                  side_bias)):
        sums = np.stack([
            np.einsum("hwc,hwcn->n", window[i:i + 3, j:j + 3], weights) + more
            for i, j in ((1, 1), (1, 0), (0, 1), (0, 0))])
        halves.append(np.round(sums * layer._factor().numpy()))
      x = sum(halves) / 4.0
      x = np.clip(np.round(np.where(x < 0, x / 4.0, x)), -64, 255).ravel()
      x = tf.constant(x[None, None, None], tf.float32)
      for layer in network.entropy_parameters:
        x = layer(x)
      np.testing.assert_array_equal(found[row, column], x[0, 0, 0])


def hybrid():
  tf.keras.utils.set_random_seed(3)
  model = registry.create(
      "lee2019", num_filters=16, latent_depth=12, parallel_depth=12)
  model.prepare([np.stack([half_quiet(seed) for seed in range(8)])], LMBDA)
  return model


@pytest.mark.slow
def test_a_start_codes_as_the_mean_scale_model_does():
  expected = loss(started("mbt2018-mean"))
  assert loss(started("lee2019")) == pytest.approx(expected, rel=0.05)
  assert loss(hybrid()) == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_both_kinds_of_channels_adapt_to_another_lmbda():
  model = hybrid()
  before = loss(model, LMBDA / 16.0)
  codec = model.latent_codec
  y = model.analyze(tf.constant(half_quiet(20)[None], tf.float32) / 255.0)
  z_hat = tf.round(codec.analyze(y))

  def indexes():
    side, parallel = codec.params_of(z_hat)
    near = TO_PARAMS(model.context_network(tf.zeros_like(y[..., :12]), side))
    return [x.indexes.numpy() for x in (near, parallel)]

  quiet = indexes()
  model.adapt(LMBDA, LMBDA / 16.0)
  assert loss(model, LMBDA / 16.0) < before
  # A quarter is 11.27 steps of the table.
  for old, new in zip(quiet, indexes()):
    np.testing.assert_allclose(new, old - 11.27, atol=1.6)


@pytest.mark.slow
def test_the_parallel_channels_need_no_walk():
  model = hybrid()
  assert model.latents == ("z", "y", "y_parallel")
  assert model.context_network.depth == 12
  _, parallel = model.latent_codec.y_codec.codecs
  assert isinstance(parallel, GaussianCodec)
  y = tf.random.normal([1, 4, 4, 24])
  z_hat = tf.round(model.latent_codec.analyze(y))
  _, params = model.latent_codec.params_of(z_hat)
  assert params.loc is None and params.indexes.shape == (1, 4, 4, 12)


class TestChannelGaussianCodec:

  widths = np.array([0.2, 1.0, 5.0, 30.0])

  def latent(self):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(2, 32, 32, 4)) * self.widths).astype(np.float32)

  def test_scales_start_as_those_of_channels(self):
    codec, y = ChannelGaussianCodec(4), self.latent()
    wide = codec.price(tf.constant(y))[1].numpy().mean(axis=(0, 1, 2))
    codec.prepare(y)
    bits = codec.price(tf.constant(y))[1].numpy().mean(axis=(0, 1, 2))
    # The differential entropy, where steps are small.
    np.testing.assert_allclose(
        bits[1:], np.log2(self.widths[1:] * np.sqrt(2 * np.pi * np.e)), atol=0.1)
    assert bits[0] < 0.2 and bits.mean() < wide.mean()
    codec.rescale(2.0)
    louder = codec.price(tf.constant(2.0 * y))[1].numpy().mean(axis=(0, 1, 2))
    np.testing.assert_allclose(louder[1:], bits[1:] + 1.0, atol=0.1)

  def test_scales_are_learned(self):
    codec, y = ChannelGaussianCodec(4), tf.constant(self.latent())
    optimizer = tf.keras.optimizers.Adam(0.1)
    for step in range(60):
      with tf.GradientTape() as tape:
        bits = codec(y, noise=Noise(0, step, tf.range(2)))[1]["z"]
      optimizer.apply_gradients(
          [(tape.gradient(bits, codec.log_scales), codec.log_scales)])
    found = 0.11 * np.exp(8.0 * codec.log_scales.numpy() * np.log(256 / 0.11) / 63)
    np.testing.assert_allclose(found[1:], self.widths[1:], rtol=0.1)
    assert found[0] < 0.35

  def test_the_string_takes_the_estimated_bits_and_holds_what_was_rounded(self):
    codec, y = ChannelGaussianCodec(4), self.latent()
    codec.prepare(y)
    codec.fix_tables()
    y[0, 0, 0] = 1e6, -1e6, 200.0, 0.4
    (strings,), y_hat = codec.compress(tf.constant(y))
    np.testing.assert_array_equal(y_hat, np.clip(np.round(y), -127, 127))
    np.testing.assert_array_equal(codec.decompress([strings], y.shape[1:]), y_hat)
    for bits, string in zip(codec(tf.constant(y))[1]["z"], strings.numpy()):
      assert 0.98 * bits < 8 * len(string) < 1.02 * bits + 64

  def test_tables_do_not_depend_on_the_precision_of_weights(self):
    codec = ChannelGaussianCodec(4000)
    # Ties, for numbers of more digits than half precision has.
    codec.log_scales.assign(np.linspace(0.0, 6.0, 4000))
    before = codec.evidence(None, [1, 4000])
    codec.log_scales.assign(tf.cast(tf.cast(codec.log_scales, tf.float16), tf.float32))
    np.testing.assert_array_equal(codec.evidence(None, [1, 4000]), before)
