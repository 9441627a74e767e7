"""Weight files: what is stored in fewer bits, and what starts another model."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import suite
from tests.conformance.toys import averages
from tests.conftest import make_image
from tfc_models import configs, pretrained, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.modeling import weights
from tfc_models.weight_info import read_info


def values(model):
  return {name: variable.numpy()
          for name, variable in weights.variables_by_path(model).items()}


@pytest.mark.slow
def test_kernels_of_eight_bits_are_near_and_smaller(tmp_path):
  spec = configs.get("toderici2017:gru-tiny").model
  model = suite.ready(spec)
  sixteen, eight = tmp_path / "a.npz", tmp_path / "b.npz"
  weights.save(model, sixteen)
  info = weights.save(model, eight, bits=8)
  assert os.path.getsize(eight) < 0.85 * os.path.getsize(sixteen)
  loaded, found = weights.load(eight)
  assert found == info
  expected, got = values(model), values(loaded)
  assert expected.keys() == got.keys()
  changed = 0
  for name, value in expected.items():
    if name.endswith("kernel") and not name.startswith("binary_rnn"):
      step = np.abs(value).max(axis=tuple(range(value.ndim - 1))) / 127
      assert np.all(np.abs(got[name] - value) <= 1.01 * step), name
      changed += np.any(got[name] != value)
  assert changed > 5
  # The integer networks are the same ones.
  for one, other in zip(model.binary_rnn.submodules, loaded.binary_rnn.submodules):
    if hasattr(one, "integers"):
      for a, b in zip(one.integers(), other.integers()):
        np.testing.assert_array_equal(a, b)
  codec = LearnedCodec.from_file(eight)
  image = make_image(40, 50)
  np.testing.assert_array_equal(
      codec.decode(codec.encode(image)), codec.model.reconstruct(image)[0])
  # What was stored in 8 bits is stored so again, value for value.
  again = tmp_path / "c.npz"
  assert weights.save(loaded, again, bits=8)["parameters"] == info["parameters"]
  for name, value in values(weights.load(again)[0]).items():
    np.testing.assert_allclose(value, got[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("config, own", [
    ("mbt2018_mean:tiny", ()),
    ("tfcm_base:tiny", ("analysis_transform", "synthesis_transform"))])
def test_fine_parts_keep_their_bits(tmp_path, config, own):
  model = suite.ready(configs.get(config).model)
  part = "analysis_transform" if not own else "hyper_analysis_transform"
  weights.save(model, tmp_path / "a.npz", bits=8, fine=(part,))
  before, after = values(model), values(weights.load(tmp_path / "a.npz")[0])
  errors = {
      name: np.abs(after[name] - value).max() / np.abs(value).max()
      for name, value in before.items() if value.size >= 1024 and value.ndim == 4 and np.any(value)}
  assert {name.split("/")[0] for name in errors} > {part, "synthesis_transform"}
  for name, error in errors.items():
    assert (error < 1e-3) == name.startswith((part, *own)), name


@pytest.mark.slow
def test_a_kernel_of_fewer_taps_starts_the_middle_of_a_larger_one(tmp_path):
  arguments = configs.get("toderici2017:gru-tiny").model.arguments.to_dict()
  model = suite.fresh("toderici2017", **arguments)
  weights.save(model, tmp_path / "a.npz")
  wider = suite.fresh("toderici2017", **arguments, state_kernel=3)
  x = suite.padded(model, make_image(64, 64))
  assert np.any(wider(x).x_hat != model(x).x_hat)
  weights.warm_start(wider, tmp_path / "a.npz")
  kernel = wider.encoders[0].stack[1].candidate.kernel
  assert kernel.shape[:2] == (3, 3) and np.any(kernel[1, 1] != 0)
  assert not np.any(tf.concat([kernel[0], kernel[2]], axis=0))
  loaded, _ = weights.load(tmp_path / "a.npz")
  np.testing.assert_allclose(
      wider(x).stages[0], loaded(x).stages[0], atol=1e-4)


def test_what_a_warm_start_lacks_is_named_by_its_parts(tmp_path, caplog):
  arguments = configs.get("toderici2017:gru-tiny").model.arguments.to_dict()
  arguments["binary_rnn_width"] = 0
  weights.save(suite.fresh("toderici2017", **arguments), tmp_path / "a.npz")
  coded = suite.fresh("toderici2017", **{**arguments, "binary_rnn_width": 8})
  with caplog.at_level("WARNING"):
    weights.warm_start(coded, tmp_path / "a.npz")
  assert "a.npz has no binary_rnn; they keep" in caplog.text


def test_a_file_keeps_the_defaults_that_it_was_made_with(tmp_path):
  def define(step):
    class Model(averages.Toy):
      def __init__(self, *, step=step, **kwargs):
        super().__init__(step=step, **kwargs)

    return Model

  registry.register("old-toy")(define(4.0))
  try:
    info = weights.save(suite.fresh("old-toy"), tmp_path / "a.npz")
    assert info["arguments"] == {"step": 4.0}
    registry.unregister("old-toy")
    registry.register("old-toy")(define(8.0))
    loaded, found = weights.load(tmp_path / "a.npz")
    assert found == info and loaded.arguments == {"step": 4.0}
    assert registry.complete("old-toy", {}) == {"step": 8.0}
  finally:
    registry.unregister("old-toy")


# What the files of shipped names leave to constructors: their format as much as
# what they say. A new argument joins with the value that these files mean.
UNSAID = {
    "bmshj2018-factorized": {"origin": "tfc_models"},
    "bmshj2018-hyperprior": {"exact": True, "origin": "tfc_models"},
    "johnston2018": {"code_depth": 32, "state_kernel": 3},
    "mbt2018": {"exact": True, "fixed_grid": False, "origin": "tfc_models",
                "context_bits": 3},
    "mbt2018-mean": {"exact": True, "fixed_grid": False, "origin": "tfc_models"},
    "tfcm-base": {"width": 128, "hyper_width": 96, "hyper_depth": 64},
    "toderici2016": {"code_depth": 4},
    "toderici2017": {"code_depth": 32, "state_kernel": 1},
}


def test_shipped_weights_mean_the_defaults_of_their_time():
  for entry in pretrained.manifest():
    info = read_info(pretrained.weight_path(entry))
    complete = registry.complete(info["model"], info["arguments"])
    unsaid = {name: value for name, value in complete.items()
              if name not in info["arguments"]}
    # Files of now say all, and need nothing here; later ones more than the first.
    if unsaid:
      assert unsaid.items() <= UNSAID[info["model"]].items(), info["model"]
