"""Lossless coding of subbands: what the conformance suite does not ask."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conformance import checks, suite
from tests.conftest import make_image
from tests.test_cli import fails
from tfc_models import configs
from tfc_models.codecs import LearnedCodec
from tfc_models.entropy_models import LogisticCodec
from tfc_models.entropy_models.gaussian import GaussianParams
from tfc_models.modeling.settings import Settings
from tfc_models.ops import companding, reversible
from tfc_models.transforms.lifting import LiftingTransform


def noise(*shape):
  return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_colours_come_back():
  rgb = np.stack(np.meshgrid(*3 * [[0, 1, 2, 127, 128, 254, 255]]), axis=-1)
  planes = reversible.planes_from_rgb(tf.constant(rgb, tf.float32)).numpy()
  np.testing.assert_array_equal(planes, np.round(planes))
  assert planes[..., 0].min() >= 0 and planes[..., 0].max() <= 255
  assert np.abs(planes[..., 1:]).max() <= 255
  assert not planes[rgb.min(-1) == rgb.max(-1)][..., 1:].any()
  np.testing.assert_array_equal(reversible.rgb_from_planes(planes), rgb)


def test_companded_integers_are_odd_and_far_from_ties():
  x = np.arange(-companding.LIMIT, companding.LIMIT + 1.0, dtype=np.float32)
  y = companding.compand(x).numpy()
  np.testing.assert_array_equal(y, -y[::-1])
  assert np.all(np.diff(y) >= 0) and y.max() == companding.COMPANDED_LIMIT <= 255
  assert companding.compand(1e9) == companding.COMPANDED_LIMIT
  exact = 40.0 * np.log1p(np.arange(512))
  assert np.abs(exact % 1 - 0.5).min() > 1e-4


@pytest.mark.parametrize("width", [0, 2])
def test_lifting_comes_back_whatever_it_has_learned(width):
  transform = LiftingTransform(width)
  x = tf.constant(noise(2, 6, 10, 3), tf.float32)
  transform.forward(x)
  for variable in transform.trainable_variables:
    variable.assign(variable + 0.3 * tf.random.stateless_normal(variable.shape, (1, 2)))
  for module in transform.submodules:
    if hasattr(module, "fix_tables"):
      module.fix_tables()
  ll, details = transform.forward(x)
  assert ll.shape == details[0].shape == (2, 3, 5, 3)
  np.testing.assert_array_equal(transform.inverse(ll, details), x)


def test_lifting_of_a_line_leaves_nothing_but_at_its_end():
  x = tf.constant(np.add.outer(3 * np.arange(8), 2 * np.arange(8))[None, :, :, None], tf.float32)
  _, details = LiftingTransform(0).forward(x)
  for band in details:
    assert not np.any(band[0, :-1, :-1])


def test_logistic_symbols_cost_what_they_are_said_to():
  codec = LogisticCodec("y")
  codec.fix_tables()
  rng = np.random.default_rng(2)
  indexes = rng.uniform(0, 63, (1, 30_000, 1)).astype(np.float32)
  loc = rng.uniform(-90, 90, indexes.shape).astype(np.float32)
  scale = 0.025 * 3200.0 ** (np.round(indexes) / 63)
  y = np.round(loc + rng.logistic(0.0, scale)).astype(np.float32)
  params = GaussianParams(tf.constant(indexes), tf.constant(loc))
  y_hat, bits = codec(y, params)
  np.testing.assert_array_equal(y_hat, y)
  strings, _ = codec.compress(y, params)
  assert 8 * len(strings[0].numpy()[0]) == pytest.approx(float(bits["y"][0]), rel=0.01)
  np.testing.assert_array_equal(codec.decompress(strings, y.shape[1:], params), y)


def small(**changes):
  """Returns a tiny model with more of a structure."""
  arguments = configs.get("ma2020:tiny").model.arguments
  model = suite.fresh("ma2020", **{**arguments, **changes})
  model.fix_tables()
  return model


@pytest.mark.slow
def test_images_of_all_kinds_come_back():
  codec = LearnedCodec(small(levels=3, networks=2), b"abcd")
  stripes = np.zeros((33, 40, 3), np.uint8)
  stripes[:, ::2] = 255
  for image in (noise(1, 100, 3), stripes):
    np.testing.assert_array_equal(codec.decode(codec.encode(image)), image)


@pytest.fixture(scope="module")
def lossy():
  return small(levels=2, lossless=False, filter_width=4)


@pytest.mark.slow
def test_the_lossy_mode_has_qualities(lossy):
  assert "lossless" not in lossy.capabilities
  codec, image = LearnedCodec(lossy, b"abcd"), make_image(40, 50)
  sizes, errors = [], []
  for quality in (10, 90):
    data = codec.encode(image, Settings(quality=quality))
    decoded = codec.decode(data)
    np.testing.assert_array_equal(
        decoded, lossy.reconstruct(image, Settings(quality=quality))[0])
    sizes.append(len(data))
    errors.append(np.square(np.float64(image) - decoded).mean())
  assert sizes[0] < sizes[1] and errors[0] > errors[1]


@pytest.mark.slow
def test_what_contexts_see_of_a_lossy_file_are_integers(lossy):
  y = tf.constant(noise(1, 32, 32, 3), tf.float32)
  for quality in (1, 100):
    _, y_hat = lossy.latent_codec.symbols(y, tf.constant([quality]))
    np.testing.assert_array_equal(y_hat, np.round(y_hat))


@pytest.mark.slow
@pytest.mark.parametrize("check", [
    "a_higher_quality_takes_more_bytes_and_errs_less",
    "any_size_and_grey_round_trip", "the_estimated_bits_are_those_coded",
    "thirty_steps_lower_the_loss_and_reach_every_variable",
    "encoder_and_decoder_are_one_graph_each_for_all_sizes", "eager_and_graph_agree",
    "training_noise_depends_on_seed_step_and_sample"])
def test_the_lossy_mode_is_a_model_like_others(lossy, check, tmp_path):
  checks.run(check, lossy, tmp_path)


def test_what_is_not_lossless_is_refused(tmp_path):
  path = tmp_path / "photo.png"
  Image.fromarray(make_image(20, 30)).save(path)
  for flag, reason in [
      ("--effort=5", "not lossless"), ("--quality=3", "no quality"),
      ("--tune=psnr", "exclude")]:
    fails(1, reason, "compress", path, "--lossless", "--model=tfcm-base", flag)
