"""Six centres by binary decisions, a context of elements, a map that pays."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import causal, suite
from tests.conftest import make_image
from tfc_models import configs, metrics, registry
from tfc_models.entropy_models import AutoregressiveCodec, CategoricalCodec
from tfc_models.ops.noise import Noise
from tfc_models.transforms import residual_bn
from tfc_models.transforms.context_3d import Context3D

# Of a model without shipped weights.
pytestmark = pytest.mark.slow

CENTRES = np.float32([-2.0, -1.1, -0.3, 0.5, 1.2, 2.0])
NOISE = Noise(0, 0, tf.range(1))


def latent(shape, seed=0):
  return tf.constant(np.random.default_rng(seed).normal(0, 1.3, shape), tf.float32)


@pytest.mark.parametrize("count", [2, 3, 5, 6, 9])
def test_each_centre_is_coded_at_the_product_of_its_decisions(count):
  """Which add up to one over the centres."""
  codec = CategoricalCodec(np.linspace(-2.0, 2.0, count))
  y = tf.reshape(codec.centres, [1, 1, count, 1])
  params = tf.round(latent((count - 1,), seed=1) * 16.0)
  params = tf.broadcast_to(params, [1, 1, count, count - 1])
  _, bits = codec.price(y, params)
  assert float(tf.reduce_sum(2.0**-bits)) == pytest.approx(1.0, rel=1e-4)
  _, of_reals = codec.price(y, params, NOISE)
  np.testing.assert_allclose(of_reals, bits, rtol=0.01)
  y = tf.repeat(y, 400, axis=1)
  params = tf.repeat(params, 400, axis=1)
  (string,), y_hat = codec.compress(y, params)
  np.testing.assert_array_equal(codec.decompress([string], y.shape[1:], params), y_hat)
  assert len(string[0].numpy()) * 8 == pytest.approx(
      400 * float(tf.reduce_sum(bits)), rel=0.01, abs=40)


def test_y_hat_is_the_nearest_centre_with_the_gradient_of_soft_ones():
  codec = CategoricalCodec(CENTRES, sharpness=3.0)
  y = latent((1, 4, 5, 2))
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(y)
    y_hat, bits = codec.price(y, tf.zeros([1, 4, 5, 10]), NOISE)
    weights = tf.nn.softmax(-3.0 * tf.square(
        tf.reshape(y, [-1, 1]) - CENTRES))
    soft = tf.linalg.matvec(weights, CENTRES)
  nearest = CENTRES[np.argmin(np.abs(y.numpy()[..., None] - CENTRES), axis=-1)]
  np.testing.assert_allclose(y_hat, nearest, atol=1e-6)
  np.testing.assert_allclose(tape.gradient(y_hat, y), tape.gradient(soft, y), rtol=1e-4)
  assert tape.gradient(bits, y) is None


def test_a_damaged_symbol_is_a_centre():
  codec = CategoricalCodec(CENTRES)
  symbols = tf.constant([[[-7], [99]]])
  np.testing.assert_array_equal(codec.reconstruct(symbols)[0, :, 0], CENTRES[[0, 5]])


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 6, 5), (4, 1, 7)])
def test_the_context_walks_through_elements_with_what_it_kept(sizes):
  tf.keras.utils.set_random_seed(2)
  channels, height, width = sizes
  network = Context3D(4, 5, 4)
  codec = CategoricalCodec(CENTRES)
  y = latent((2, height, width, channels))
  walk = AutoregressiveCodec(codec, network, lambda outputs: outputs)
  walk(y)
  for variable in network.trainable_variables:
    variable.assign(2.0 * variable)
  for layer in (network.context, *network.block, network.last):
    layer.fix_tables()
  if sizes == (1, 1, 1):  # There is no context.
    (string,), y_hat = walk.compress(y)
    np.testing.assert_array_equal(walk.decompress([string], (1, 1, 1)), y_hat)
    return
  causal.check(network, codec, lambda outputs: outputs, y, tf.zeros([2, *sizes, 0]))


def test_weights_start_as_a_transform_of_blocks():
  """What is lost are the coefficients that the code has no channels for."""
  tf.keras.utils.set_random_seed(0)
  images = np.stack([make_image(64, 64, seed=seed) for seed in range(6)])
  model = registry.create("mentzer2018", num_filters=128, latent_depth=192)
  model.prepare([images], 0.01)
  image = images[1]
  y = model.analyze(model.to_batch(image))
  decoded = model.to_image(model.synthesize(y[..., 1:]), image.shape)
  # All but the outermost blocks, which padding changes.
  inside = np.s_[8:-8, 8:-8]
  assert float(metrics.psnr(image[inside], decoded[inside])) > 40.0
  assert float(tf.math.reduce_std(y[..., 1])) == pytest.approx(1.0, rel=0.5)


def test_training_counts_bits_by_the_mask_and_files_as_they_are():
  model = suite.ready(configs.get("mentzer2018:tiny").model)
  y = model.analyze(model.to_batch(make_image(64, 64)))
  mask = tf.clip_by_value(
      model.latent_codec.importance(y) - np.arange(4, dtype=np.float32), 0.0, 1.0)
  walk = model.latent_codec.codec
  _, bits = walk.price(y[..., 1:] * mask, None, NOISE)
  _, found = model.latent_codec(y, noise=NOISE)
  expected = tf.reduce_sum(bits * 0.5 * (1.0 + mask))
  assert float(found["y"][0]) == pytest.approx(float(expected), rel=1e-4)
  _, whole = model.latent_codec(y)
  assert float(whole["y"][0]) == pytest.approx(
      float(tf.reduce_sum(walk.price(y[..., 1:] * mask)[1])), rel=1e-4)


def test_only_rate_beyond_the_target_counts():
  model = suite.ready(configs.get("mentzer2018:tiny").model)
  x = tf.constant(make_image(64, 64)[None] / 255.0, tf.float32)
  losses = {}
  for target in (0.0, 0.1, 99.0):
    model.compile(tf.keras.optimizers.Adam(), lmbda=0.01, target_bpp=target)
    context = model.training_context(1)
    output = model(x, training=True, context=context)
    losses[target], figures = model.objective(x, output, context)
  bpp = float(figures["bpp"])
  assert bpp > 0.1
  assert float(losses[0.0] - losses[99.0]) == pytest.approx(bpp, rel=1e-3)
  assert float(losses[0.1] - losses[99.0]) == pytest.approx(bpp - 0.1, rel=1e-3)


def test_loud_coefficients_start_with_several_channels():
  """What six levels a channel say of a photograph's blocks is then twice as good."""
  errors = {}
  for step in (0.0, 0.8):
    tf.keras.utils.set_random_seed(0)
    model = registry.create("mentzer2018", num_filters=32, latent_depth=16)
    images = np.stack([make_image(64, 64, seed=seed) for seed in range(6)])
    model.build_variables()
    residual_bn.start(
        model.analysis_transform, model.synthesis_transform, images, 16, step)
    x = tf.constant(images, tf.float32) / 255.0
    y = model.analyze(x)[..., 1:]
    y_hat = model.latent_codec.codec.codec.on_grid(y)
    inside = np.s_[:, 8:-8, 8:-8]
    errors[step] = float(tf.reduce_mean(tf.square((model.synthesize(y_hat) - x)[inside])))
  assert errors[0.8] < 0.6 * errors[0.0]
