"""Layouts start as transform codecs, before any training."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import make_image
from tfc_models import metrics, models, registry
from tfc_models.entropy_models import FactorizedCodec, index_from_scale
from tfc_models.ops.klt import hierarchical_klt
from tfc_models.training.run import mse_weight
from tfc_models.transforms import gdn_conv

assert models, "importing the package registers the models"

LMBDA = 0.013


def half_quiet(seed, side=128):
  """Returns an image whose right half alone has structure."""
  image = np.full((side, 2 * side, 3), 120, np.uint8)
  noise = np.random.default_rng(seed).integers(0, 60, (side, side, 3))
  image[:, side:] = make_image(side, side, seed=seed) // 2 + noise
  return image


def started(name, lmbda=LMBDA):
  """Returns a new model that has seen eight images."""
  tf.keras.utils.set_random_seed(3)
  arguments = {"num_filters": 16, "latent_depth": 24}
  if name == "bls2017":
    del arguments["latent_depth"]
  model = registry.create(name, **arguments)
  model.prepare([np.stack([half_quiet(seed) for seed in range(8)])], lmbda)
  return model


# For tests that change nothing.
start_of = functools.lru_cache(started)


def loss(model, lmbda=LMBDA):
  """Returns bpp + lmbda * mse of an image that no start has seen."""
  image = half_quiet(20)
  decoded, bits = model.reconstruct(image)
  error = np.square(decoded.astype(float) - image).mean()
  return bits / image[..., 0].size + lmbda * error


def test_a_level_of_the_klt_is_orthonormal_and_decorrelates():
  samples = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).cumsum(axis=2)
  samples -= samples.mean(axis=(0, 1, 2))
  first, second = hierarchical_klt(samples, [2, 2], [12, 20])
  assert first.basis.shape == (2, 2, 3, 12) and second.basis.shape == (2, 2, 12, 20)
  for level in (first, second):
    basis = level.basis.reshape(-1, level.basis.shape[-1])
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-9)
    assert np.all(np.diff(level.deviations) <= 1e-9)
  blocks = samples.reshape(4, 4, 2, 4, 2, 3).transpose(0, 1, 3, 2, 4, 5)
  found = blocks.reshape(-1, 12) @ first.basis.reshape(12, 12)
  np.testing.assert_allclose(
      found.T @ found / len(found), np.diag(first.deviations**2), atol=1e-6)


@pytest.mark.parametrize("kernels, strides", [
    ([5, 5], [2, 2]), ([9, 5], [4, 2]), ([3, 5], [2, 2])])
def test_complete_transforms_lose_what_the_quantiser_loses(kernels, strides):
  """At high rate a uniform quantiser of step d errs by d^2 / 12."""
  depths = np.cumprod(np.square(strides)) * 3
  analysis = gdn_conv.analysis(list(depths), kernels, strides)
  synthesis = gdn_conv.synthesis([depths[0], 3], kernels[::-1], strides[::-1])
  x = np.stack([make_image(64, 64, seed=seed) for seed in range(4)])
  synthesis(analysis(tf.cast(x, tf.float32) / 255.0))
  step = 6.0
  gdn_conv.start(analysis, synthesis, x, step)
  seen = tf.constant(make_image(64, 64, seed=9)[None], tf.float32) / 255.0
  y = analysis(seen)
  assert float(metrics.mse(seen, synthesis(y))[0]) < 0.02 * step**2 / 12
  error = float(metrics.mse(seen, synthesis(tf.round(y)))[0])
  # Coefficients below half a step err less.
  assert 0.5 * step**2 / 12 < error < 1.1 * step**2 / 12


@pytest.mark.parametrize("name", [
    "bls2017", "bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean",
    "mbt2018", *(pytest.param(name, marks=pytest.mark.slow)
                 for name in ("choi2019-mean", "choi2019"))])
def test_a_start_codes_pictures(name):
  # A random start shows nothing: its loss is that of a picture in one colour.
  of_nothing = LMBDA * half_quiet(20).var(axis=(0, 1)).mean()
  assert loss(start_of(name)) < 0.5 * of_nothing


def test_an_analytic_hyperprior_knows_where_an_image_is_quiet():
  model = start_of("mbt2018-mean")
  y = model.analyze(tf.constant(half_quiet(20)[None], tf.float32) / 255.0)
  codec = model.latent_codec
  indexes = codec.params_of(tf.round(codec.analyze(y))).indexes.numpy()
  # Away from the seam.
  quiet, loud = indexes[0, :, :7], indexes[0, :, 9:]
  assert np.mean(loud) - np.mean(quiet) > 8.0


def test_scales_of_an_analytic_hyperprior_save_bits_of_constant_ones():
  model = started("bmshj2018-hyperprior")
  _, fitted = model.reconstruct(half_quiet(20))
  last = model.hyper_synthesis_transform.layers[-1]
  last.kernel.assign(tf.zeros_like(last.kernel))
  assert fitted < 0.9 * model.reconstruct(half_quiet(20))[1]


@pytest.mark.parametrize("name", [
    "mbt2018", pytest.param("choi2019", marks=pytest.mark.slow)])
def test_a_joint_model_starts_as_the_mean_scale_one(name):
  """The context says nothing yet, and the side information passes."""
  joint, mean = (loss(start_of(each)) for each in (name, f"{name}-mean"))
  assert joint == pytest.approx(mean, rel=0.03)


@pytest.mark.parametrize("name", ["mbt2018-mean", *(
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("bmshj2018-factorized", "mbt2018"))])
def test_a_model_adapts_to_another_lmbda_by_its_steps(name):
  model = started(name, lmbda=16.0 * LMBDA)
  before = loss(model)
  model.adapt(16.0 * LMBDA, LMBDA)
  after = loss(model)
  assert after < before
  assert after < 1.03 * loss(start_of(name))


def test_a_hyperprior_of_louder_latents_has_the_same_side_latent():
  model = started("mbt2018-mean")
  codec = model.latent_codec
  last = model.hyper_synthesis_transform.layers[-1]
  last.kernel.assign_add(tf.random.stateless_normal(last.kernel.shape, (1, 2)) * 0.02)
  last.fix_tables()
  y = model.analyze(tf.constant(half_quiet(20)[None], tf.float32) / 255.0)
  z, before = codec.analyze(y), codec.params_of(tf.round(codec.analyze(y)))
  codec.rescale(4.0)
  np.testing.assert_allclose(codec.analyze(4.0 * y), z, atol=1e-3)
  after = codec.params_of(tf.round(z))
  louder = float(index_from_scale(4.0) - index_from_scale(1.0))
  np.testing.assert_allclose(after.indexes, before.indexes + louder, atol=1.6)
  assert np.abs(before.loc).max() > 0.2
  np.testing.assert_allclose(after.loc, 4.0 * before.loc, atol=0.1)


def test_a_factorized_density_starts_as_wide_as_its_latent():
  rng = np.random.default_rng(0)
  widths = np.array([0.2, 1.0, 5.0, 40.0])
  y = (rng.normal(size=(2, 32, 32, 4)) * widths).astype(np.float32)
  codec = FactorizedCodec(4)
  codec.prepare(y)
  bits = codec.price(tf.constant(y))[1].numpy().mean(axis=(0, 1, 2))
  symbols = np.round(y).reshape(-1, 4).astype(int)
  for channel in range(4):
    _, counts = np.unique(symbols[:, channel], return_counts=True)
    share = counts / counts.sum()
    assert bits[channel] < 1.1 * -(share * np.log2(share)).sum() + 0.1


def test_a_factorized_density_is_rescaled_with_its_latent():
  codec = FactorizedCodec(2)
  y = tf.random.stateless_normal([1, 16, 16, 2], (1, 2)) * 20.0
  before = codec.price(y)[1].numpy().mean()
  codec.rescale(2.0)
  assert codec.price(2.0 * y)[1].numpy().mean() == pytest.approx(before + 1.0, abs=0.1)


def test_weights_of_other_distortions_are_those_of_a_mean_square_of_equal_rate():
  assert mse_weight("mse", 0.013) == 0.013
  # The field trains these two for the same rate.
  assert mse_weight("ms-ssim", 16.64) == pytest.approx(0.013)
  assert 0.0035 < mse_weight("ms-ssim", 6.0) < 0.0067
  # Steps of d err by d / 4 in the mean, and by d^2 / 12 squared.
  step = 12.0 / (0.1 * np.log(2.0))
  assert mse_weight("mae", 0.1) == pytest.approx(18.0 / (step**2 * np.log(2.0)))
