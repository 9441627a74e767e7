"""Metrics against NumPy."""

import importlib
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfc_models.models  # noqa: F401 - Registers them.
from tests.conftest import make_image
from tfc_models import configs, metrics, registry
from tfc_models.errors import ImageError


def blurred(image):
  return np.uint8((np.int32(image) + np.roll(image, 1, axis=1)) // 2)


def test_psnr_and_mse_agree_with_numpy():
  a = make_image(40, 50)
  b = blurred(a)
  error = np.mean((a.astype(float) - b) ** 2)
  np.testing.assert_allclose(metrics.psnr(a, b), 10 * np.log10(255**2 / error))
  np.testing.assert_allclose(
      metrics.mse(a[None] / 255.0, b[None] / 255.0), [error], 1e-5)
  assert metrics.psnr(a, a) == np.inf


def test_the_psnr_of_large_images_takes_little_memory():
  a = np.random.default_rng(0).integers(0, 256, (1500, 1501, 3), np.uint8)
  b = a ^ 3
  tracemalloc.start()
  found = metrics.psnr(a, b), metrics.psnr(a, b, metrics.luma)
  _, peak = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert peak < 6 * a.size  # In float64 each image alone takes 8.
  error = a.astype(float) - b
  errors = np.mean(error**2), np.mean((metrics.luma(a) - metrics.luma(b))**2)
  np.testing.assert_allclose(found, 10 * np.log10(255**2 / np.array(errors)), 1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_agrees_with_scikit_image(channels):
  from skimage.metrics import structural_similarity
  a = make_image(51, 64, channels)
  b = blurred(a)
  expected = structural_similarity(
      a, b, data_range=255, channel_axis=-1, gaussian_weights=True, sigma=1.5,
      use_sample_covariance=False)
  x, x_hat = (tf.constant(v[None] / 255, tf.float32) for v in (a, b))
  np.testing.assert_allclose(metrics.ssim(x, x_hat), [expected], atol=1e-5)
  assert 0.1 < expected < 0.99


def test_luma_is_that_of_jpeg():
  image = make_image(30, 40)
  expected = np.asarray(Image.fromarray(image).convert("YCbCr"))[..., :1]
  # Pillow computes with integers and rounds down.
  difference = metrics.luma(image) - expected
  assert np.abs(difference).max() < 1.1
  assert np.mean(difference) == pytest.approx(0.5, abs=0.1)
  grey = image[..., :1]
  np.testing.assert_array_equal(metrics.luma(grey), grey)


def test_a_comparison_holds_every_metric():
  a = make_image(176, 192)
  b = blurred(a)
  found = metrics.compare(a, b)
  x, x_hat = (tf.constant(v[None] / 255, tf.float32) for v in (a, b))
  assert found.mse == pytest.approx(np.mean((a.astype(float) - b) ** 2))
  assert found.psnr == pytest.approx(10 * np.log10(255**2 / found.mse))
  luma = [v.astype(float) @ [0.299, 0.587, 0.114] for v in (a, b)]
  assert found.psnr_y == pytest.approx(
      10 * np.log10(255**2 / np.mean((luma[0] - luma[1]) ** 2)))
  assert found.ms_ssim == pytest.approx(float(metrics.ms_ssim(x, x_hat)[0]))
  assert found.ssim == pytest.approx(float(metrics.ssim(x, x_hat)[0]))


def test_a_comparison_leaves_out_what_small_images_do_not_have():
  a = make_image(160, 192)
  assert metrics.compare(a, blurred(a)).ms_ssim is None
  found = metrics.compare(a[:10], a[:10])
  assert (found.mse, found.psnr, found.ssim) == (0, np.inf, None)


def test_grey_is_compared_with_colour_and_sizes_are_not():
  grey = make_image(20, 30, 1)
  colour = np.repeat(grey, 3, axis=-1)
  assert metrics.compare(grey, colour).mse == 0
  with pytest.raises(ImageError, match="30x20 and 29x20 pixels"):
    metrics.compare(grey, colour[:, 1:])


def numpy_ms_ssim(a, b):
  """Five scales of SSIM with a Gaussian window, one channel at a time."""
  weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
  tap = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
  tap /= tap.sum()

  def blur(x):
    x = np.apply_along_axis(np.convolve, 0, x, tap, mode="valid")
    return np.apply_along_axis(np.convolve, 1, x, tap, mode="valid")

  def one(x, y):
    result = 1.0
    for level, weight in enumerate(weights):
      mx, my = blur(x), blur(y)
      vx, vy = blur(x * x) - mx**2, blur(y * y) - my**2
      cov = blur(x * y) - mx * my
      c1, c2 = 0.01**2, 0.03**2
      contrast = (2 * cov + c2) / (vx + vy + c2)
      luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
      last = level == len(weights) - 1
      result *= np.mean(contrast * luminance if last else contrast) ** weight
      x, y = (v.reshape(v.shape[0] // 2, 2, -1, 2).mean((1, 3)) for v in (x, y))
    return result

  return np.mean([one(a[..., c], b[..., c]) for c in range(a.shape[-1])])


def test_ssim_of_a_uniform_window_agrees_with_scikit_image():
  from skimage.metrics import structural_similarity
  a = make_image(32, 32)
  b = blurred(a)
  expected = structural_similarity(
      a / 255.0, b / 255.0, win_size=7, data_range=1.0, channel_axis=-1,
      use_sample_covariance=False, full=True)[1][3:-3, 3:-3].mean()
  x, y = (np.float32(image[None] / 255.0) for image in (a, b))
  np.testing.assert_allclose(metrics.ssim(x, y, 7), [expected], atol=1e-4)


def test_ms_ssim_agrees_with_numpy():
  a = make_image(192, 224).astype(np.float32) / 255
  b = blurred(make_image(192, 224)).astype(np.float32) / 255
  ours = metrics.ms_ssim(tf.constant(a[None]), tf.constant(b[None]))
  np.testing.assert_allclose(ours, [numpy_ms_ssim(a, b)], atol=2e-4)
  assert float(ours[0]) < 0.999


@pytest.mark.parametrize("size", [(161, 481, 3), (495, 170, 1), (777, 163, 3), (90, 20, 3)])
def test_images_are_as_similar_in_strips_as_they_are_whole(size, monkeypatch):
  image = make_image(*size)
  # Of other quality from row to row: strips have means of their own.
  noise = np.random.default_rng(0).normal(size=size) * np.linspace(2, 30, size[0])[
      :, None, None]
  decoded = np.clip(image + noise, 0, 255).astype(np.uint8)
  ssim = importlib.import_module("tfc_models.metrics.ssim")
  whole = ssim.similarity(image, decoded)
  monkeypatch.setattr(ssim, "_PIXELS", 1000)
  found = ssim.similarity(image, decoded)
  assert found[1] == pytest.approx(whole[1], rel=1e-6)
  assert found[0] == (whole[0] and pytest.approx(whole[0], rel=1e-6))


def test_ms_ssim_of_small_images_is_refused_by_size():
  x = tf.zeros((1, 160, 200, 3))
  with pytest.raises(ValueError, match="at least 161 pixels a side, got 160x200"):
    metrics.ms_ssim(x, x)


@pytest.mark.parametrize("height, width", [(161, 161), (176, 192), (201, 333)])
def test_ms_ssim_is_that_of_tensorflow_with_gradient(height, width):
  rng = np.random.default_rng(height)
  x = tf.constant(rng.random((2, height, width, 3)), tf.float32)
  x_hat = tf.clip_by_value(
      x + tf.constant(rng.normal(0, 0.1, x.shape), tf.float32), 0.0, 1.0)
  results = []
  for function in (
      metrics.ms_ssim,
      lambda a, b: tf.image.ssim_multiscale(a, b, max_val=1.0)):
    with tf.GradientTape() as tape:
      tape.watch(x_hat)
      value = function(x, x_hat)
    results.append((value, tape.gradient(value, x_hat)))
  np.testing.assert_allclose(*[value for value, _ in results], rtol=3e-5)
  one, other = (gradient for _, gradient in results)
  np.testing.assert_allclose(
      one, other, rtol=1e-3, atol=3e-4 * np.abs(other).max())
  unknown = tf.function(metrics.ms_ssim, input_signature=2 * [
      tf.TensorSpec([None, None, None, 3])])
  np.testing.assert_allclose(unknown(x, x_hat), results[0][0], rtol=1e-5)


@pytest.mark.parametrize("make", [
    lambda x: 1.0 - x,  # All structure is inverted: means below zero.
    lambda x: tf.fill(x.shape, 0.5),  # There is none: a mean of about zero.
    lambda x: tf.zeros(x.shape),  # Nor is there light.
    lambda x: tf.concat([x[..., :2], 1.0 - x[..., 2:]], axis=-1)])
def test_ms_ssim_of_no_common_structure_has_a_gradient_towards_the_image(make):
  x = tf.constant(np.random.default_rng(0).random((2, 192, 192, 3)), tf.float32)
  x_hat = make(x)
  with tf.GradientTape() as tape:
    tape.watch(x_hat)
    value = metrics.ms_ssim(x, x_hat)
  gradient = tape.gradient(value, x_hat).numpy()
  assert np.isfinite(gradient).all() and 0 <= float(tf.reduce_min(value)) < 0.8
  towards = np.sum(gradient * (x - x_hat), axis=(1, 2, 3))
  assert np.all(towards > 0.01)


@pytest.mark.slow
def test_a_random_start_trains_towards_ms_ssim():
  spec = configs.get("mbt2018_mean:tiny").model
  tf.keras.utils.set_random_seed(0)
  model = registry.create(spec.name, **spec.arguments)
  model.build_variables()
  model.compile(
      tf.keras.optimizers.Adam(5e-3, epsilon=1e-10), lmbda=16.64,
      distortion="ms-ssim")
  step = tf.function(model.update)
  image = tf.constant(make_image(192, 192)[None])
  figures = [step(image) for _ in range(6)]
  assert np.isfinite([one["gradient_norm"] for one in figures]).all()
  assert figures[-1]["loss"] < figures[0]["loss"]
  assert figures[-1]["ms_ssim"] > figures[0]["ms_ssim"]


def test_dissimilar_mae_agrees_with_numpy_and_detaches_its_weights():
  rng = np.random.default_rng(0)
  x = rng.uniform(size=(2, 16, 24, 3)).astype(np.float32)
  # Noise of another strength in each block.
  strength = np.repeat(np.repeat(rng.uniform(
      0.001, 0.3, (2, 2, 3, 1)), 8, axis=1), 8, axis=2)
  y = (x + strength * rng.normal(size=x.shape)).astype(np.float32)

  def blocks(values):
    values = values.astype(np.float64).reshape(2, 2, 8, 3, 8, 3)
    return values.transpose(0, 1, 3, 5, 2, 4).reshape(2, 2, 3, 3, 64)

  a, b = blocks(x), blocks(y)
  mean, mean_hat = a.mean(-1), b.mean(-1)
  covariance = (a * b).mean(-1) - mean * mean_hat
  similarity = (2 * mean * mean_hat + 1e-4) * (2 * covariance + 9e-4) / (
      (mean**2 + mean_hat**2 + 1e-4) * (a.var(-1) + b.var(-1) + 9e-4))
  lost = (0.5 * (1 - similarity)).mean(-1)
  weights = np.clip(lost / lost.mean((1, 2), keepdims=True), 0.1, 10.0)
  errors = 255.0 * np.abs(a - b).mean((-1, -2))
  expected = (weights * errors).mean((1, 2))
  y = tf.constant(y)
  with tf.GradientTape() as tape:
    tape.watch(y)
    found = metrics.dissimilar_mae(x, y)
  np.testing.assert_allclose(found, expected, rtol=1e-4)
  gradient = np.abs(tape.gradient(found, y).numpy())
  np.testing.assert_allclose(
      gradient[:, ::8, ::8, 0], 255.0 * weights / (16 * 24 * 3), rtol=1e-3)
  np.testing.assert_array_equal(metrics.dissimilar_mae(x, x), [0.0, 0.0])
