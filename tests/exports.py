"""Small untrained models as files, to export and to serve."""

import importlib
import os

import pytest
import tensorflow as tf

from tfc_models import configs, registry
from tfc_models.datasets.files import image_bytes
from tfc_models.modeling import weights


def tiny_model(recipe):
  """Returns the tiny variant of a recipe, with variables."""
  config = configs.get(f"{recipe}:tiny")
  # Whatever ran before: of some weights, sums of two graphs fall to two sides of a half.
  tf.keras.utils.set_random_seed(1)
  model = registry.create(config.model.name, **config.model.arguments)
  return model.build_variables()


def tiny(recipe, folder):
  """Returns the path of weights of the tiny variant of a recipe."""
  path = os.path.join(folder, f"{recipe}.npz")
  weights.save(tiny_model(recipe), path)
  return path


def png(image):
  """Returns the bytes of a PNG file of a uint8 image (H, W, 1 or 3)."""
  return image_bytes(image, "PNG", "image")


NAMES = ("full", "split", "one-latent")


def export_all(folder, names=NAMES):
  """Puts exports of models into a folder, some of NAMES, beside weights."""
  exporting = importlib.import_module("tfc_models.export.flavors")
  recipes = {name: "bmshj2018_factorized" if name == "one-latent" else "tfcm_base"
             for name in names}
  files = {recipe: tiny(recipe, folder) for recipe in dict.fromkeys(recipes.values())}
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(exporting, "_WARM_UP_SIZES", ((64, 64),))
    for name, recipe in recipes.items():
      exporting.export(files[recipe], None, folder,
                       "full" if name == "full" else "split", name)
