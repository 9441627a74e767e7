"""Training of several networks against each other, with a toy of two."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import toys
from tests.conformance.toys import gan
from tests.conftest import make_image
from tfc_models import configs, registry, training
from tfc_models.bundles import naming
from tfc_models.cli.train import override
from tfc_models.codecs import LearnedCodec
from tfc_models.configs.options import DataOptions, TrainOptions
from tfc_models.errors import UsageError
from tfc_models.modeling import weights
from tfc_models.training import callbacks
from tfc_models.training.run import Run

STEPS, EPOCH = 6, 2


@pytest.fixture(autouse=True)
def toy():
  with toys.registered(gan):
    yield


def recipe(photos, name=gan.NAME, **changes):
  config = gan.get_config() if name == gan.NAME else configs.get(f"{name}:tiny")
  side = 32 if name == gan.NAME else config.data.patch_size
  return (config.model.name, config.model.arguments.to_dict(),
          DataOptions(**{**config.data, "train": photos, "patch_size": side}),
          TrainOptions(**{**config.train, "steps": STEPS, "average": 0.9,
                          "schedule": "cosine", **changes}))


def state(train_dir, photos, **changes):
  """Returns the values of all variables of a training directory, by name."""
  run = Run(str(train_dir), *recipe(photos, **changes))
  return run, {name: variable.numpy() for name, variable in
               naming.variables_by_name(run.model).items()}


def figures(train_dir):
  with open(os.path.join(train_dir, "results.json")) as file:
    return json.load(file)["figures"]


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
  """The directory of an undisturbed run."""
  folder = tmp_path_factory.mktemp("whole")
  with toys.registered(gan):
    training.train(str(folder), *recipe(photos))
  return folder


# Kills itself in the middle of the second epoch.
KILLED = """
import os, signal, sys
from tests.conformance import toys
from tests.conformance.toys import gan
from tests.test_networks import recipe
from tfc_models import training
from tfc_models.training import callbacks
go_on = callbacks.Conduct.on_train_batch_end
def kill(self, batch, logs=None):
  go_on(self, batch, logs)
  if self.run.step == 3:
    os.kill(os.getpid(), signal.SIGKILL)
callbacks.Conduct.on_train_batch_end = kill
with toys.registered(gan):
  training.train(sys.argv[1], *recipe(sys.argv[2], sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", [gan.NAME, "hific", "agustsson2019"])
def test_a_killed_run_of_two_networks_ends_like_an_undisturbed_one(
    name, photos, whole, tmp_path):
  if name != gan.NAME:
    whole = tmp_path / "whole"
    training.train(str(whole), *recipe(photos, name))
  folder = tmp_path / "killed"
  killed = subprocess.run(
      [sys.executable, "-c", KILLED, folder, photos, name], capture_output=True)
  assert killed.returncode == -signal.SIGKILL, killed.stderr
  _, early = state(folder, photos, name=name)
  assert early[naming.STEP] == EPOCH
  training.train(str(folder), *recipe(photos, name))
  _, late = state(folder, photos, name=name)
  _, expected = state(whole, photos, name=name)
  assert late.keys() == expected.keys()
  assert {name.split("/")[1] for name in late
          if name.startswith("optimizer/")} >= {"discriminator"}
  for path, value in expected.items():
    np.testing.assert_allclose(late[path], value, atol=1e-6, err_msg=path)
  kernel = next(path for path in late if "discriminator/" in path
                and path.endswith("kernel"))
  assert np.any(late[kernel] != early[kernel])
  for figure, value in figures(whole).items():
    if figure.startswith("epoch") or figure == "seconds":
      continue
    assert figures(folder)[figure] == pytest.approx(value, rel=1e-4), figure


def test_what_only_training_uses_stays_in_the_checkpoint(photos, whole):
  run, values = state(whole, photos)
  assert any("discriminator" in name for name in values)
  assert not any("discriminator" in name for name in values
                 if name.startswith("average/"))
  model, info = weights.load(whole / "model.npz")
  with np.load(whole / "model.npz") as archive:
    assert not any("discriminator" in name for name in archive.files)
  assert info["parameters"] == sum(
      np.prod(v.shape) for v in weights.variables_by_path(model).values()
      if v.trainable)
  codec = LearnedCodec.from_file(whole / "model.npz")
  image = make_image(33, 40)
  np.testing.assert_array_equal(
      codec.decode(codec.encode(image)), model.reconstruct(image)[0])
  assert {"d_loss", "g_loss", "loss"} <= figures(whole).keys()


def test_each_network_has_settings_and_all_follow_the_schedule(
    photos, tmp_path, monkeypatch):
  seen = []

  def note(self, batch, logs=None):
    begin(self, batch, logs)
    seen.append([float(optimizer.learning_rate)
                 for optimizer in self.model.optimizers.values()])

  begin = callbacks.Conduct.on_train_batch_begin
  monkeypatch.setattr(callbacks.Conduct, "on_train_batch_begin", note)
  parts = recipe(
      photos, learning_rate=1e-4, epsilon=1e-3, schedule="step", decay_at=(0.5,),
      networks={"discriminator": {
          "learning_rate": 2e-3, "clip_norm": 0.0, "beta_1": 0.25}})
  run = Run(str(tmp_path), *parts)
  main, other = (run.model.optimizers[name] for name in ("main", "discriminator"))
  assert (main.global_clipnorm, main.beta_1, main.epsilon) == (10.0, 0.9, 1e-3)
  assert (other.global_clipnorm, other.beta_1, other.epsilon) == (None, 0.25, 1e-3)
  training.trainer.go_on(run)
  np.testing.assert_allclose(
      seen, [[1e-4, 2e-3]] * 3 + [[1e-5, 2e-4]] * 3, rtol=1e-5)
  assert json.loads((tmp_path / "config.json").read_text())["train"]["networks"] == {
      "discriminator": {"learning_rate": 2e-3, "clip_norm": 0.0, "beta_1": 0.25}}


def test_flags_set_the_values_of_one_network():
  config = override(gan.get_config(), [
      "--config.train.networks.discriminator.learning_rate=0.5",
      "--config.train.epsilon=1.0"])
  options = TrainOptions(**config.train)
  own = {"learning_rate": 0.5, "beta_1": 0.5}
  main = options.of_optimizer()
  assert vars(options.of_optimizer("discriminator")) == {**vars(main), **own}
  assert main.epsilon == 1.0 and main.beta_1 == 0.9
  with pytest.raises(UsageError, match="no key 'rate' there; known: beta_1, learn"):
    override(config, ["--config.train.networks.discriminator.rate=0.5"])


@pytest.mark.parametrize("frozen, network", [
    ("discriminator", "discriminator"), ("y_codec", "main")])
def test_parts_of_either_network_freeze(photos, tmp_path, frozen, network):
  run = Run(str(tmp_path), *recipe(photos, freeze=(frozen,)))

  def values():
    return {path: variable.numpy() for path, variable in weights.variables_by_path(
        run.model, training_only=True).items() if variable.trainable}

  before = values()
  for images in run.batches(0, 2):
    run.model.update(images)
  changed = {path for path, value in values().items()
             if np.any(value != before[path])}
  assert changed == {path for path in before if not path.startswith(frozen)}
  assert len(run.model.controls.trained[network]) == (
      0 if network == "discriminator" else 1)


@pytest.mark.parametrize("changes, reason", [
    ({"networks": {"critic": {}}},
     "train.networks: beside main toy-gan trains discriminator, not 'critic'"),
    ({"networks": {"discriminator": {"rate": 1.0}}},
     "train.networks.discriminator must be one of 'optimizer', .*'rate'"),
    ({"freeze": ("scale", "y_codec")}, "train.freeze leaves nothing to train"),
    ({"networks": {"discriminator": {"learning_rate": 1e38}}},
     r"step \d: not finite: .*d_loss.*; the checkpoint before it is kept"),
])
def test_settings_that_cannot_work_are_refused(photos, tmp_path, changes, reason):
  with pytest.raises(UsageError, match=reason):
    training.train(str(tmp_path), *recipe(photos, **changes))


@pytest.mark.parametrize("names, reason", [
    (("d_loss",), "Toy gives g_loss, which its `figure_names` do not name"),
    (("d_loss", "g_loss", "h_loss"), "`update` of Toy gives no h_loss"),
])
def test_figures_are_those_that_the_model_names(monkeypatch, names, reason):
  monkeypatch.setattr(gan.Toy, "figure_names", names)
  model = registry.create(gan.NAME, step=16.0).build_variables()
  model.compile({name: tf.keras.optimizers.Adam() for name in model.networks},
                lmbda=0.01)
  with pytest.raises(ValueError, match=reason):
    model.train_step(tf.constant(make_image(32, 32)[None]))


def test_a_model_of_two_networks_needs_two_optimizers():
  model = registry.create(gan.NAME, step=16.0)
  with pytest.raises(ValueError, match="each of main, discriminator, got main"):
    model.compile(tf.keras.optimizers.Adam(1e-3), lmbda=0.01)
