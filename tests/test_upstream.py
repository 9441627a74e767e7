"""Models code with the operations of TensorFlow Compression alone, and say so."""

import importlib
import operator
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc
from PIL import Image

from tests import coding_only
from tests.conftest import make_image
from tests.exports import tiny_model
from tests.test_cli import fails, tfcm
from tests.test_pretrained import GOLDEN
from tests.wheels import ROOT
from tfc_models import upstream
from tfc_models.errors import UsageError
from tfc_models.modeling.weights import variables_by_path


@pytest.fixture(scope="module")
def stand_ins():
  """The module that codes without the package, in a process that has it."""
  with pytest.MonkeyPatch.context() as patch:
    for name in ("tensorflow_compression_ops", "tf_keras"):
      patch.setitem(sys.modules, name, None)  # Gone again afterwards.
    coding_only.stand_for(sys.modules)
    return importlib.import_module("tfc_models.upstream.coding_only")


class Holder(tf.Module):
  """What models are for `variables_by_path`."""

  training_only = ()

  def __init__(self, part):
    super().__init__()
    self.part = part


def same_variables(whole, stand_in):
  """Checks paths and shapes; gives both the same values that are not the first."""
  random = np.random.default_rng(0)
  variables, others = (
      variables_by_path(Holder(part)) for part in (whole, stand_in))
  assert variables and variables.keys() == others.keys()
  for path, variable in variables.items():
    value = random.normal(0.3, 0.5, variable.shape).astype(np.float32)
    variable.assign(value)
    others[path].assign(value)


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_has_the_variables_and_parameters_of_the_package(stand_ins, inverse):
  layers = [
      module.GDN(
          inverse=inverse, alpha_parameter=2, epsilon_parameter=0.5,
          gamma_initializer=lambda shape, dtype: tf.ones(shape, dtype), name="gdn")
      for module in (tfc, stand_ins)]
  for layer in layers:
    layer.build(tf.TensorShape([None, None, None, 5]))
    assert layer.inverse == inverse
  for name in ("beta", "gamma"):
    np.testing.assert_array_equal(*(getattr(layer, name) for layer in layers))
  same_variables(*layers)
  for name in ("beta", "gamma"):
    found = getattr(layers[1], name)
    np.testing.assert_array_equal(getattr(layers[0], name), found)
    assert tf.reduce_min(found) >= 0
    assert (getattr(layers[0], f"{name}_parameter").offset
            == getattr(layers[1], f"{name}_parameter").offset)


@pytest.mark.parametrize("widths", [(3, 3), (2, 4, 3)])
def test_the_density_has_the_variables_and_values_of_the_package(stand_ins, widths):
  priors = [
      module.NoisyDeepFactorized(
          batch_shape=(4,), num_filters=widths, init_scale=10.0)
      for module in (tfc, stand_ins)]
  same_variables(*priors)
  y = tf.constant(np.linspace(-60, 60, 2 * 7 * 3 * 4).reshape(2, 7, 3, 4), tf.float32)
  for name in ("log_prob", "base.log_cdf", "base.log_survival_function"):
    expected, found = (operator.attrgetter(name)(prior)(y) for prior in priors)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
  names = [[variable.name for variable in prior.base.trainable_variables]
           for prior in priors]
  assert any(name.endswith("matrix_0:0") for name in names[1])


def alone(*words):
  """Returns exit code and stderr of a verb without the package."""
  done = subprocess.run(
      [sys.executable, "-m", "tests.coding_only", *map(str, words)], cwd=ROOT,
      capture_output=True, text=True)
  return done.returncode, done.stderr


@pytest.mark.slow
def test_streams_are_the_same_without_the_package(tmp_path):
  photo = tmp_path / "photo.png"
  Image.fromarray(make_image(65, 127)).save(photo)
  for made, run in (("whole", tfcm), ("alone", alone)):
    assert run("compress", photo, "-o", tmp_path / f"{made}.tfcm")[0] == 0
  assert (tmp_path / "alone.tfcm").read_bytes() == (
      tmp_path / "whole.tfcm").read_bytes()


@pytest.mark.parametrize("name", ["bls2017-q75", pytest.param(
    "mbt2018-q75", marks=pytest.mark.slow)])
def test_published_layouts_decode_without_the_package(name, tmp_path):
  out = tmp_path / "out.png"
  assert alone("decompress", GOLDEN / name / "stream.tfcm", "-o", out) == (0, "")
  difference = (np.asarray(Image.open(out), np.int32)
                - np.asarray(Image.open(GOLDEN / name / "pixels.png"), np.int32))
  assert np.abs(difference).max() <= 1


def test_what_trains_is_refused_before_it_looks_for_data(monkeypatch, tmp_path):
  monkeypatch.setattr(upstream, "IS_WHOLE", False)
  recipe = ("--config=tfcm_base:tiny", f"--config.data.train={tmp_path / 'none'}")
  for words in (("--train_dir", tmp_path / "run"), ("--export_bundle", tmp_path / "b")):
    fails(1, "pip install tfc_models on Python 3.9, 3.10 or 3.11",
          "train", *recipe, *words)
  assert not list(tmp_path.iterdir())


def test_models_refuse_to_train_and_to_build_tables(monkeypatch):
  monkeypatch.setattr(upstream, "IS_WHOLE", False)
  model = tiny_model("tfcm_base")
  with pytest.raises(UsageError, match="operations alone"):
    model.compile("adam", lmbda=0.01)
  with pytest.raises(UsageError, match="operations alone"):
    model.fix_tables()


def test_without_operations_one_line_names_what_is_missing(tmp_path):
  code, error = alone("nothing", "decompress", GOLDEN / "vric-q100" / "stream.tfcm",
                      "-o", tmp_path / "out.png")
  assert (code, error.count("\n")) == (1, 1)
  assert "pip install tfc_models" in error and "is missing" in error


def test_keras_3_is_refused(monkeypatch, stand_ins):
  monkeypatch.setitem(sys.modules, "tensorflow_compression_ops", stand_ins)
  monkeypatch.setitem(sys.modules, "tf_keras", types.SimpleNamespace(Model=object))
  monkeypatch.delitem(sys.modules, "tfc_models.upstream.coding_only")
  with pytest.raises(UsageError, match="TF_USE_LEGACY_KERAS=1"):
    importlib.import_module("tfc_models.upstream.coding_only")
