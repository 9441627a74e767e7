"""Training sets of tensorflow_datasets, mocked."""

import io
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conformance import toys
from tests.conformance.toys import averages
from tests.conftest import make_image
from tests.test_training import toy_options
from tfc_models import training
from tfc_models.configs.options import DataOptions
from tfc_models.datasets import sources
from tfc_models.errors import UsageError
from tfc_models.weight_info import read_info


def test_a_tfds_set_trains(tmp_path):
  name, arguments, data, train = toy_options("tfds:cifar10", steps=2)
  data = DataOptions(**{**vars(data), "patch_size": 32})
  with toys.registered(averages), mock_tfds():
    training.train(str(tmp_path), name, arguments, data, train)
  assert read_info(str(tmp_path / "model.npz"))["steps"] == 2


@pytest.mark.parametrize("pattern, key", [
    ("tfds:cifar10", "image"), ("tfds:div2k:validation", "hr"),
    ("tfds:clic", "image"), ("tfds:open_images_v4", "image")])
def test_patches_of_a_tfds_set_depend_on_their_number_alone(pattern, key):
  patch = 16  # Mocked images have sides of 5 to 50.
  with mock_tfds():
    images = sources.open_images(pattern, patch, image_key=key)
    whole = list(images.batches(batch_size=2, patch_size=patch, num_batches=3))
    rest = list(images.batches(
        batch_size=2, patch_size=patch, first_batch=2, num_batches=1))
    np.testing.assert_array_equal(whole[2], rest[0])
    assert len(list(images.pictures(0))) >= 1


def test_broken_images_of_a_tfds_set_are_named_and_skipped(
    monkeypatch, caplog):
  """One cut, one of no format, one too small; one with alpha is of use."""
  import tensorflow_datasets as tfds

  def encoded(image, size=32):
    buffer = io.BytesIO()
    image.resize((size, size)).save(buffer, "PNG")
    return buffer.getvalue()

  picture = Image.fromarray(make_image(32, 32))
  files = [encoded(picture)[:-40], b"<html>", encoded(picture, 8),
           encoded(picture.convert("RGBA")), encoded(picture)]
  builder = types.SimpleNamespace(
      info=types.SimpleNamespace(features={"image": None}),
      as_dataset=lambda **_: tf.data.Dataset.from_tensor_slices(
          {"image": files}))
  monkeypatch.setattr(tfds, "builder", lambda name: builder)
  with caplog.at_level("WARNING"):
    images = sources.open_images("tfds:mine", 16)
    assert len(list(images.pictures(0))) == 2
    batches = list(images.batches(batch_size=3, patch_size=16, num_batches=2))
  assert len(batches) == 2 and images.num_skipped == 3
  assert len(caplog.messages) == 2
  assert "skipped: tfds:mine, image 0: broken image" in caplog.text
  assert "skipped: tfds:mine, image 1: not an image" in caplog.text


@pytest.mark.parametrize("pattern, key, reason", [
    ("tfds:no_such_set", "image", "no_such_set"),
    ("tfds:div2k", "image", "no feature 'image'; data.image_key may be one of hr, lr"),
    ("tfds:cifar10:nosplit", "image", "nosplit"),
    ("tfds:cifar10", "image", "no usable image .all are below 64"),
])
def test_tfds_sets_that_cannot_work_are_refused(pattern, key, reason):
  with mock_tfds(), pytest.raises(UsageError, match=reason):
    sources.open_images(pattern, 64, image_key=key)


def mock_tfds():
  import tensorflow_datasets as tfds
  return tfds.testing.mock_data(
      num_examples=6, policy=tfds.testing.MockPolicy.USE_CODE)


def test_a_set_that_is_not_here_says_how_to_fetch_it(tmp_path, monkeypatch):
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
  with pytest.raises(UsageError, match="data.download=True fetches"):
    sources.open_images("tfds:cifar10", 32)
