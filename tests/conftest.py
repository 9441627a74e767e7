"""Fixtures: tiny models and pictures made in code."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Two workers on two cores; more threads each would only wait for each other.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
import pytest


def make_image(height, width, channels=3, seed=0):
  """Returns a uint8 picture of smooth shapes with some texture."""
  rng = np.random.default_rng(seed)
  row, column = np.mgrid[0:height, 0:width]
  planes = [
      128 + 80 * np.sin(row / rng.uniform(9, 40) + column / rng.uniform(9, 40))
      + rng.normal(0, 6, (height, width)) for _ in range(channels)]
  return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


@pytest.fixture
def image():
  return make_image(65, 127)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
  """Path of the weights of a tiny, untrained tfcm-base."""
  import tfc_models.models  # noqa: F401 - Registers them.
  from tfc_models import configs, registry
  from tfc_models.modeling import weights
  config = configs.get("tfcm_base:tiny")
  model = registry.create(
      config.model.name, **config.model.arguments.to_dict())
  model.prepare([make_image(64, 64)[None]], lmbda=0.01)
  path = tmp_path_factory.mktemp("weights") / "model.npz"
  weights.save(model, path, lmbda=0.01)
  return str(path)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
  """Folder of a few photographs to train on."""
  from PIL import Image
  folder = tmp_path_factory.mktemp("photos")
  for i in range(5):
    Image.fromarray(make_image(80 + i, 90, seed=i)).save(folder / f"{i}.png")
  return str(folder)


@pytest.fixture(scope="session")
def toys(tmp_path_factory):
  """SavedModels for the model server: y is x / 2 + 1, and x / 2 + 2."""
  from tests import serving
  folder = tmp_path_factory.mktemp("toys")
  for offset in (1, 2):
    serving.save(folder / str(offset), offset)
  return [folder / "1", folder / "2"]
