"""Distances of sets of patches, with a network that the user has."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import metrics
from tfc_models.evaluation.features import FeatureStore, Network
from tfc_models.evaluation.report import Report
from tfc_models.evaluation.store import Store


def samples(seed, shift=0.0, count=400):
  rng = np.random.default_rng(seed)
  return rng.normal(shift, 1.0, (count, 4)) @ np.diag([1.0, 2.0, 3.0, 0.5])


def test_frechet_distance_of_gaussians_is_the_closed_form():
  a, b = samples(0), samples(1)
  exact = np.cov(a, rowvar=False) - np.cov(b, rowvar=False)
  assert np.abs(exact).max() > 0.01
  assert metrics.frechet_distance(a, a) == pytest.approx(0.0, abs=1e-9)
  # A shift, and twice the size: |m|^2, and tr C.
  mean = a.mean(axis=0)
  assert metrics.frechet_distance(a, a + [3, 0, 4, 0]) == pytest.approx(25.0)
  assert metrics.frechet_distance(a, 2 * a - mean) == pytest.approx(
      np.trace(np.cov(a, rowvar=False)), rel=1e-6)


def test_kernel_distance_has_no_bias_and_sees_a_shift():
  same = [metrics.kernel_distance(samples(2 * seed, count=40), samples(2 * seed + 1, count=40))
          for seed in range(60)]
  spread = np.std(same) / np.sqrt(len(same))
  assert abs(np.mean(same)) < 3 * spread and min(same) < 0
  assert metrics.kernel_distance(samples(0), samples(1, shift=1.0)) > 10 * np.std(same)


def test_patches_are_of_two_grids():
  image = make_image(90, 70)
  found = metrics.patches(image, 32)
  assert found.shape == (2 * 2 + 2 * 1, 32, 32, 3)
  np.testing.assert_array_equal(found[1], image[:32, 32:64])
  np.testing.assert_array_equal(found[-1], image[48:80, 16:48])
  assert metrics.patches(image, 100).shape == (0, 100, 100, 3)


def save_network(folder, size=None, outputs=1):
  """Saves a network of three features, the mean colours."""
  class Means(tf.Module):

    @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32)])
    def __call__(self, x):
      means = tf.reduce_mean(x, axis=(1, 2))
      return {f"output_{number}": means for number in range(outputs)}

  module = Means()
  tf.saved_model.save(module, str(folder), signatures=module.__call__)
  return str(folder)


def test_features_are_of_the_patches_as_the_network_takes_them(tmp_path):
  store = FeatureStore(str(tmp_path), save_network(tmp_path / "network", size=64))
  images = [make_image(260, 390, seed=seed) for seed in range(3)]
  records = [{"codec_id": "c", "image_id": str(seed)} for seed in range(3)]
  assert store.distances(records) == (None, None, None)
  for seed, image in enumerate(images):
    store.add("c", str(seed), image, image // 2)
    store.add("same", str(seed), image, image)
  x = metrics.patches(images[1]) / np.float32(255.0)
  x = tf.image.resize(x, (64, 64), antialias=True).numpy().mean((1, 2))
  np.testing.assert_allclose(
      np.load(store.path_of("original", "1")), x, atol=1e-5)
  fid, kid, count = store.distances(records)
  assert fid > 1e-3 and count == 3
  same = store.distances([{**record, "codec_id": "same"} for record in records])
  assert same[0] == pytest.approx(0.0, abs=1e-6) and same[1] < kid
  # Too small for a patch, and so for a distance.
  store.add("c", "small", images[0][:200], images[0][:200])
  assert store.distances([{"codec_id": "c", "image_id": "small"}]) == (None, None, 0)


@pytest.mark.slow
def test_an_evaluation_reports_distances_of_features(tmp_path):
  network = save_network(tmp_path / "network", size=64)
  images = tmp_path / "images"
  images.mkdir()
  for seed in range(3):
    Image.fromarray(make_image(260, 390, seed=seed)).save(images / f"{seed}.png")
  words = ["evaluate", "--codecs", "png", "jpeg@5", "--images", images, "-o",
           tmp_path / "out"]
  assert tfcm(*words)[0] == 0
  assert "FID" not in (tmp_path / "out" / "report.md").read_text()
  code, _, err = tfcm(*words, "--features", network)
  assert (code, err) == (0, "")
  store, features = Store(str(tmp_path / "out")), FeatureStore(
      str(tmp_path / "out"), network)
  png, jpeg = Report(store, features=features).averages
  assert png["patches"] == 3 and png["fid"] == pytest.approx(0.0, abs=1e-6)
  assert jpeg["fid"] > 1e-6
  assert "| FID" in (tmp_path / "out" / "report.md").read_text()


def test_what_is_no_network_of_features_is_refused(tmp_path):
  Image.fromarray(make_image(8, 8)).save(tmp_path / "x.png")
  words = ["evaluate", "--codecs", "png", "--images", tmp_path, "-o", tmp_path / "out"]
  fails(1, "no SavedModel with a serving_default", *words, "--features", tmp_path)
  with_two = save_network(tmp_path / "two", outputs=2)
  fails(1, "must take (B, H, W, 3) and give (B, D), nothing else", *words, "--features",
        with_two)
  assert Network(save_network(tmp_path / "one"))(make_image(300, 300)).shape == (1, 3)
