"""Distances that see more than squared errors, and losses that hold them."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import make_image
from tfc_models import metrics, models, registry
from tfc_models.errors import UsageError
from tfc_models.layers import ChannelNorm, SpectralConv2D
from tfc_models.metrics import perceptual

assert models, "importing the package registers the models"


def texture(seed, side=96):
  """Returns noise of one spectrum, (1, side, side, 3) float, another for each seed."""
  noise = np.random.default_rng(seed).normal(size=(side + 2, side + 2, 1))
  smooth = (noise[1:-1, 1:-1] + noise[2:, 1:-1] + noise[1:-1, 2:] + noise[2:, 2:]) / 4
  return np.float32(np.clip(0.5 + 0.15 * smooth, 0, 1)).repeat(3, axis=2)[None]


def test_another_texture_of_the_same_kind_is_near_and_its_blur_is_far():
  x, other = texture(0), texture(1)
  blurred = tf.nn.avg_pool2d(x, 3, 1, "SAME")
  # Squared errors say the opposite.
  assert metrics.mse(x, other)[0] > 1.5 * metrics.mse(x, blurred)[0]
  assert metrics.wasserstein(x, other)[0] < 0.7 * metrics.wasserstein(x, blurred)[0]


def test_the_distance_is_zero_for_equals_symmetric_and_grows_with_an_error():
  x = np.float32(make_image(80, 64)[None] / 255.0)
  noise = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
  distances = [float(metrics.wasserstein(x, x + level * noise)[0])
               for level in (0.0, 0.02, 0.06, 0.2)]
  assert distances[0] == 0.0 and np.all(np.diff(distances) > 0.0)
  assert distances[-1] < 1.0
  np.testing.assert_allclose(
      metrics.wasserstein(x, x + 0.1 * noise), metrics.wasserstein(x + 0.1 * noise, x),
      rtol=1e-5)


def test_each_image_has_its_own_distance_and_a_finite_gradient():
  x = np.float32(np.stack([make_image(64, 64, seed=seed) for seed in range(2)]) / 255.0)
  x_hat = tf.constant(np.stack([np.full_like(x[0], 0.5), x[1] ** 1.1]))
  with tf.GradientTape() as tape:
    tape.watch(x_hat)
    distances = metrics.wasserstein(x, x_hat)
  assert np.isfinite(tape.gradient(distances, x_hat)).all()
  for number in range(2):
    np.testing.assert_allclose(distances[number], metrics.wasserstein(
        x[number:number + 1], x_hat[number:number + 1])[0], rtol=1e-5)


SHAPES = {"features.0": (64, 3, 11, 11), "features.3": (192, 64, 5, 5),
          "features.6": (384, 192, 3, 3), "features.8": (256, 384, 3, 3),
          "features.10": (256, 256, 3, 3)}


def random_alexnet():
  rng = np.random.RandomState(0)
  alexnet, linear = {}, {}
  for number, (name, shape) in enumerate(SHAPES.items()):
    alexnet[f"{name}.weight"] = np.float32(
        rng.randn(*shape) * np.sqrt(2.0 / np.prod(shape[1:])))
    alexnet[f"{name}.bias"] = np.float32(0.1 * rng.randn(shape[0]))
    linear[f"lin{number}.model.1.weight"] = np.float32(rng.rand(1, shape[0], 1, 1))
  return alexnet, linear


def test_lpips_is_that_of_its_authors():
  """The figures are of their package, 0.1.4, with these weights."""
  rng = np.random.RandomState(1)
  x = np.float32(rng.rand(2, 40, 67, 3))
  x_hat = np.float32(np.clip(x + 0.2 * rng.randn(*x.shape), 0, 1))
  lpips = metrics.Lpips(*random_alexnet())
  np.testing.assert_allclose(
      lpips(x, x_hat), [0.2577037513256073, 0.24275563657283783], rtol=1e-5)
  np.testing.assert_array_equal(lpips(x, x), [0.0, 0.0])


def test_weights_that_are_not_alexnets_are_refused():
  alexnet, linear = random_alexnet()
  with pytest.raises(ValueError, match="no array lin0.model.1.weight"):
    metrics.Lpips(alexnet, alexnet)
  with pytest.raises(ValueError, match="features.3 is not AlexNet's"):
    metrics.Lpips({**alexnet, "features.3.bias": np.zeros(7)}, linear)
  with pytest.raises(ValueError, match="features.0.weight has 1 axes, not 4"):
    metrics.Lpips({**alexnet, "features.0.weight": np.zeros(7)}, linear)


@pytest.mark.parametrize("name, reason", [
    ("ssim", "perceptual must be wasserstein or lpips:"),
    ("lpips:one.pth", "LPIPS needs ALEXNET.pth,LINEAR.pth, got 'one.pth'"),
    ("lpips:none.pth,none.pth", "none.pth: No such file")])
def test_distances_that_there_are_not_are_refused(name, reason):
  with pytest.raises(UsageError, match=reason):
    perceptual.create(name)


def compiled(**options):
  model = registry.create("bls2017", num_filters=8).build_variables()
  model.compile(tf.keras.optimizers.Adam(), lmbda=0.01, **options)
  return model


def loss_of(model, x):
  output = model(x, training=True, context=model.training_context(1))
  return model.objective(x, output, model.training_context(1))


def test_the_loss_adds_the_distance_by_its_weight():
  x = tf.constant(make_image(64, 64)[None] / 255.0, tf.float32)
  model = compiled()
  plain, _ = loss_of(model, x)
  model.compile(tf.keras.optimizers.Adam(), lmbda=0.01, perceptual="wasserstein",
                perceptual_weight=2.0)
  loss, figures = loss_of(model, x)
  assert figures["perceptual"] > 0.01
  np.testing.assert_allclose(loss - plain, 2.0 * figures["perceptual"], rtol=1e-3)


def test_rate_up_to_the_target_counts_by_its_share():
  x = tf.constant(make_image(64, 64)[None] / 255.0, tf.float32)
  model, losses = compiled(), {}
  for target, share in ((99.0, 0.0), (99.0, 0.25), (0.1, 0.25)):
    model.compile(tf.keras.optimizers.Adam(), lmbda=0.01, target_bpp=target,
                  below_target=share)
    losses[target, share], figures = loss_of(model, x)
  bpp, none = float(figures["bpp"]), losses[99.0, 0.0]
  assert bpp > 0.1
  assert float(losses[99.0, 0.25] - none) == pytest.approx(0.25 * bpp, rel=1e-3)
  assert float(losses[0.1, 0.25] - none) == pytest.approx(
      0.025 + bpp - 0.1, rel=1e-3)


def test_models_without_a_discriminator_have_no_adversarial_loss():
  with pytest.raises(ValueError, match="for models that have a discriminator"):
    compiled(adversarial=0.1)


def test_channel_norm_agrees_with_numpy_and_can_hold_still():
  x = np.random.default_rng(0).normal(2.0, 3.0, (2, 4, 5, 6)).astype(np.float32)
  layer = ChannelNorm()
  centred = x - x.mean(-1, keepdims=True)
  np.testing.assert_allclose(
      layer(x), centred / np.sqrt(x.var(-1, ddof=1, keepdims=True) + 1e-3), atol=1e-5)
  layer.hold(9.0)
  np.testing.assert_allclose(layer(x), centred, rtol=0.01)
  before = layer(x)
  layer.rescale(7.0)
  np.testing.assert_allclose(layer(7.0 * x), before, atol=1e-4)
  assert np.all(ChannelNorm(quiet=True)(x) == 0.0)


def test_a_spectral_convolution_stretches_nothing():
  tf.keras.utils.set_random_seed(0)
  layer = SpectralConv2D(7, 3)
  x = tf.random.normal((1, 6, 6, 5))
  layer(x)
  before = layer.kernel.numpy()
  for _ in range(60):
    y = layer(x, training=True)
  np.testing.assert_array_equal(layer.kernel, before)
  norm = np.linalg.svd(before.reshape(-1, 7), compute_uv=False)[0]
  np.testing.assert_allclose(
      y, tf.nn.conv2d(x, before / norm, 1, "SAME"), atol=1e-3)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(layer(x) ** 2)
  # A longer kernel is the same one: its gradient leads sideways.
  gradient = tape.gradient(loss, layer.kernel)
  assert abs(float(tf.reduce_sum(gradient * before))) < 0.02 * float(
      tf.norm(gradient) * tf.norm(before))
