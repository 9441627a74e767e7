"""Two levels of side latents price y, and the decoder sees what they say."""

import numpy as np
import pytest
import tensorflow as tf

from tests.test_starts import LMBDA, half_quiet, loss
from tfc_models import registry
from tfc_models.entropy_models import ShownCodec
from tfc_models.modeling.settings import TrainingContext
from tfc_models.ops.noise import Noise
from tfc_models.transforms import coarse_to_fine

# Others hold that these weights decode.
pytestmark = pytest.mark.slow

SIZES = {"num_filters": 16, "latent_depth": 24}


@pytest.fixture(scope="module")
def images():
  return np.stack([half_quiet(seed) for seed in range(8)])


@pytest.fixture
def model(images):
  tf.keras.utils.set_random_seed(3)
  model = registry.create("hu2020", **SIZES, z2_depth=16, z1_depth=8)
  model.prepare([images], LMBDA)
  return model


def as_batch(image):
  return tf.constant(image[None], tf.float32) / 255.0


def test_a_start_is_the_transform_codec_with_a_quiet_prior(model, images):
  """The aggregation adds nothing, and side latents take next to no bits."""
  x = as_batch(half_quiet(20))
  y = model.analyze(x)
  shown = tf.random.normal([*y.shape[:3], 24 + 4])
  np.testing.assert_allclose(
      model.synthesize(tf.concat([y, shown], axis=-1)),
      model.synthesis_transform(y), atol=1e-5)
  bits = {name: float(some[0]) for name, some in model(x).bits.items()}
  assert [*bits] == ["z1", "z2", "y"]
  assert bits["z1"] + bits["z2"] < 0.15 * bits["y"]
  # A random start shows nothing: its loss is that of a picture in one colour.
  assert loss(model) < 0.5 * LMBDA * half_quiet(20).var(axis=(0, 1)).mean()


def test_a_start_knows_where_an_image_is_quiet(model):
  codec = model.latent_codec
  y = model.analyze(as_batch(half_quiet(20)))
  z2 = codec.analyze(y)
  shown = codec.z_codec.params_of(tf.round(codec.z_codec.analyze(z2))).shown
  params = codec.params_of(tf.concat([tf.round(z2), shown], axis=-1)).params
  # Away from the seam.
  quiet, loud = params.indexes[0, :, :6], params.indexes[0, :, 10:]
  assert np.mean(loud) - np.mean(quiet) > 8.0


@pytest.mark.slow
def test_it_adapts_to_another_lmbda(model, images):
  before = loss(model, LMBDA / 16.0)
  model.adapt(LMBDA, LMBDA / 16.0)
  assert loss(model, LMBDA / 16.0) < 0.8 * before


def test_each_level_sees_the_one_above(model):
  codec = model.latent_codec
  z2_codec = codec.z_codec
  rng = np.random.default_rng(0)
  z1 = tf.constant(rng.integers(-9, 10, (1, 1, 2, 8)), tf.float32)
  params = z2_codec.params_of(z1)
  assert params.params.loc.shape == params.shown.shape == (1, 2, 4, 16)
  z2 = tf.constant(rng.normal(0, 4, (1, 2, 4, 16)), tf.float32)
  y_params = codec.params_of(tf.concat([z2, params.shown], axis=-1))
  assert y_params.params.indexes.shape == (1, 4, 8, 24)
  # Features of z2, and those of z1 with 2x2 sites of a quarter of the channels.
  assert y_params.shown.shape == (1, 4, 8, 24 + 4)
  np.testing.assert_array_equal(
      y_params.shown[..., 24:], tf.nn.depth_to_space(params.shown, 2))
  # What is not rounded on the way would differ from machine to machine.
  eighths = codec.params_of(tf.concat([tf.round(8.0 * z2) / 8.0, params.shown], axis=-1))
  np.testing.assert_array_equal(eighths.params.indexes, y_params.params.indexes)
  np.testing.assert_array_equal(eighths.shown, y_params.shown)
  other = codec.params_of(tf.concat([z2 + 3.0, params.shown], axis=-1))
  assert np.any(other.params.indexes != y_params.params.indexes)
  # z1 prices z2, and says of y what it shows: not what prices it.
  same = codec.params_of(tf.concat([z2, 0.0 * params.shown], axis=-1))
  np.testing.assert_array_equal(same.params.indexes, y_params.params.indexes)


@pytest.mark.slow
def test_the_aggregation_learns_from_both_side_latents(model, images):
  model.aggregation.detail[-1].kernel.assign(
      tf.random.normal(model.aggregation.detail[-1].kernel.shape))
  layers = (model.latent_codec.synthesis.expansion[0],
            model.latent_codec.z_codec.synthesis.expansion[0])
  with tf.GradientTape() as tape:
    output = model(as_batch(images[0]), training=True,
                   context=TrainingContext(noise=Noise(0, 0, tf.range(1))))
    error = tf.reduce_sum(tf.square(output.x_hat - as_batch(images[0])))
  for gradient in tape.gradient(error, [layer.kernel for layer in layers]):
    assert np.any(gradient != 0.0)


def test_signals_are_preserved_before_any_rectifier():
  """As many numbers leave the first convolution as enter it, or more."""
  network = coarse_to_fine.analysis(24, 32, 8)
  network(tf.zeros([1, 4, 4, 12]))
  first = network.layers[0]
  kernel = np.zeros(first.kernel.shape, np.float32)
  kernel[1, 1, range(12), range(12)] = 1.0
  first.kernel.assign(kernel)
  y = tf.random.normal([1, 4, 4, 12])
  x = tf.nn.depth_to_space(network.layers[1](first(y)), 2)
  np.testing.assert_array_equal(x[..., :12], y)


def test_what_is_shown_is_not_coded(model):
  shown = [codec for codec in model.latent_codecs() if isinstance(codec, ShownCodec)]
  assert [codec.codec.name for codec in shown] == ["y", "z2"]
  leaves = model.latent_codec.leaves()
  assert [leaf.name for leaf in leaves] == ["z1", "z2", "y"]
  coded, _ = model.latent_codec.symbols(model.analyze(as_batch(half_quiet(1))))
  assert [one.symbols.shape[-1] for one in coded] == [8, 16, 24]
