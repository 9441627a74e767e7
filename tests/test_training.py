"""Training: learns, resumes after a kill, refuses what cannot work."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conformance import suite, toys
from tests.conformance.toys import averages
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import configs, registry, training
from tfc_models.cli.train import override
from tfc_models.configs.options import DataOptions, TrainOptions
from tfc_models.errors import UsageError
from tfc_models.fileio import LEFTOVER_SECONDS
from tfc_models.modeling import weights
from tfc_models.training import callbacks, schedules
from tfc_models.training.run import Run
from tfc_models.weight_info import read_info


@pytest.fixture(scope="module", autouse=True)
def toy():
  with toys.registered(averages):
    yield


def options(photos, config=None, **changes):
  config = config or configs.get("tfcm_base:tiny")
  data = DataOptions(**{**config.data, "train": photos})
  train = TrainOptions(**{**config.train, "steps": 2, **changes})
  return config.model.name, config.model.arguments.to_dict(), data, train


def toy_options(photos, **changes):
  """Those of a model that trains in no time, by steps that a weight file shows."""
  return options(
      photos, averages.get_config(), **{"learning_rate": 0.1, **changes})


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
  """The weight file of a run of these options."""
  return training.train(
      str(tmp_path_factory.mktemp("trained")), *options(photos))


@pytest.fixture(scope="module")
def trained_toy(photos, tmp_path_factory):
  return training.train(
      str(tmp_path_factory.mktemp("toy")), *toy_options(photos))


def arrays(path):
  model, _ = weights.load(path)
  return {
      name: variable.numpy()
      for name, variable in weights.variables_by_path(model).items()}


def test_an_interrupted_training_ends_like_an_undisturbed_one(
    photos, tmp_path, monkeypatch):
  rates = {"y_codec": 3.0}
  whole = training.train(
      str(tmp_path / "whole"), *toy_options(photos, steps=4, rates=rates))
  parts = str(tmp_path / "parts")
  save = Run.save

  def stop_after_first(self, figures):
    save(self, figures)
    raise InterruptedError

  monkeypatch.setattr(Run, "save", stop_after_first)
  with pytest.raises(InterruptedError):
    training.train(parts, *toy_options(photos, steps=4, rates=rates))
  assert read_info(os.path.join(parts, "model.npz"))["steps"] == 2
  monkeypatch.undo()
  early = arrays(os.path.join(parts, "model.npz"))
  resumed = training.train(parts, *toy_options(photos, steps=4, rates=rates))
  assert read_info(resumed)["steps"] == read_info(whole)["steps"] == 4
  for (name, one), other in zip(arrays(whole).items(), arrays(resumed).values()):
    np.testing.assert_allclose(one, other, atol=1e-6, err_msg=name)
  assert np.any(arrays(resumed)["scale"] != early["scale"])


@pytest.mark.slow
def test_sigkill_in_the_middle_resumes_to_a_working_model(photos, tmp_path):
  train_dir = tmp_path / "run"
  command = [
      sys.executable, "-m", "tfc_models", "train", "--config=tfcm_base:tiny",
      f"--train_dir={train_dir}", f"--config.data.train={photos}",
      "--config.train.steps=20"]
  process = subprocess.Popen(
      command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  deadline = time.monotonic() + 120
  while not (train_dir / "checkpoints" / "checkpoint").exists():
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.05)
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert read_info(str(train_dir / "model.npz"))["steps"] < 20
  code, out, _ = tfcm(*command[3:])
  assert code == 0 and "ready; tfcm compress" in out
  assert read_info(str(train_dir / "model.npz"))["steps"] == 20
  stream = tmp_path / "x.tfcm"
  photo = os.path.join(photos, "0.png")
  assert tfcm("compress", photo, "-o", stream, "--model", train_dir)[0] == 0
  assert tfcm("decompress", stream, "-o", tmp_path / "x.png",
              "--model_path", train_dir)[0] == 0
  assert Image.open(tmp_path / "x.png").size == (90, 80)
  fails(2, "--model_path", "decompress", stream, "-o", tmp_path / "y.png")
  fails(1, "takes no quality", "compress", photo, "--model", train_dir,
        "--quality", 50, "-o", tmp_path / "y.tfcm")
  assert json.loads((train_dir / "config.json").read_text())["train"][
      "steps"] == 20


@pytest.mark.slow
def test_another_lmbda_starts_from_given_weights(photos, trained, tmp_path):
  second = training.train(
      str(tmp_path),
      *options(photos, init=trained, lmbda=4 * 0.004, learning_rate=0.0))
  a, b = arrays(trained), arrays(second)
  np.testing.assert_allclose(b["gain"], 2.0 * a["gain"], 1e-3)
  np.testing.assert_array_equal(
      a["synthesis_transform/kernel"], b["synthesis_transform/kernel"])


def test_a_run_leaves_best_model_results_config_and_curves(
    photos, tmp_path, capfd):
  name, arguments, data, train = options(photos, steps=4, average=0.5)
  data = DataOptions(**{**vars(data), "validation": photos})
  training.train(
      str(tmp_path), name, arguments, data, train, progress="lines")
  out = capfd.readouterr().out
  assert re.search(r"step 2/4 loss .* psnr .* val_loss .* steps/s, 0:00:\d\d left", out)
  results = json.loads((tmp_path / "results.json").read_text())
  assert results["finished"] and results["steps"] == 4
  assert results["seconds"] > 0 and results["patches_per_second"] > 0
  assert results["best_val_loss"] <= results["figures"]["val_loss"]
  assert {"loss", "bpp", "bpp_y", "bpp_z", "mse", "psnr", "gradient_norm",
          "learning_rate", "val_loss"} <= results["figures"].keys()
  info = read_info(str(tmp_path / "model.npz"))
  assert info["fingerprint"] == results["fingerprint"]
  assert read_info(str(tmp_path / "best.npz"))["steps"] in (2, 4)
  config = json.loads((tmp_path / "config.json").read_text())
  assert config["versions"].keys() == {"tfc_models", "tensorflow", "python"}
  assert configs.from_dict(config).train.average == 0.5
  tags = set()
  for file in (tmp_path / "logs").rglob("events*"):
    for event in tf.compat.v1.train.summary_iterator(str(file)):
      tags |= {value.tag for value in event.summary.value}
  assert {"epoch_loss", "epoch_bpp_y", "epoch_gradient_norm",
          "epoch_learning_rate", "original and decoded", "bpp estimated",
          "bpp coded"} <= tags


def test_saved_weights_are_the_moving_average(photos, trained_toy, tmp_path):
  average = training.train(str(tmp_path / "b"), *toy_options(photos, average=0.9))
  start = 16.0
  moved = np.abs(arrays(trained_toy)["scale"] - start)
  behind = np.abs(arrays(average)["scale"] - start)
  assert 0 < behind < moved


def test_a_time_budget_ends_the_run_and_its_schedule(photos, tmp_path):
  training.train(
      str(tmp_path), *toy_options(
          photos, steps=1000, minutes=1e-4, schedule="cosine"))
  results = json.loads((tmp_path / "results.json").read_text())
  assert results["finished"] and results["steps"] == 2
  assert results["figures"]["learning_rate"] == pytest.approx(0.001)


def test_schedules_start_fall_and_end_where_they_should():
  def rates(schedule):
    return [schedules.learning_rate(2.0, schedule, (0.5, 0.75), progress)
            for progress in (0.0, 0.5, 0.75, 1.0, 1.5)]

  assert rates("constant") == [2.0] * 5
  np.testing.assert_allclose(
      rates("cosine"), [2.0, 1.01, 0.3100, 0.02, 0.02], rtol=1e-3)
  np.testing.assert_allclose(rates("step"), [2.0, 0.2, 0.02, 0.02, 0.02])
  assert schedules.progress(5, 10) == 0.5
  assert schedules.progress(5, 10, seconds=45.0, minutes=1.0) == 0.75


@pytest.mark.slow
def test_a_prior_starts_from_the_latents_of_given_transforms(photos, tmp_path):
  given = suite.fresh("bmshj2018-factorized", num_filters=8, latent_depth=12)
  last = given.analysis_transform.layers[-1]
  last.kernel.assign(300.0 * last.kernel)
  weights.save(given, tmp_path / "given.npz")
  model = Run(str(tmp_path / "run"), *options(
      photos, configs.get("bmshj2018_hyperprior:tiny"),
      init=str(tmp_path / "given.npz"), init_parts=("analysis_transform",))).model
  loaded, _ = weights.load(tmp_path / "given.npz")
  y = model.analyze(model.to_batch(make_image(64, 64)))
  np.testing.assert_array_equal(y, loaded.analyze(model.to_batch(make_image(64, 64))))

  def bits():
    return float(model.latent_codec(y)[1]["y"][0])

  fitted = bits()
  model.latent_codec.prepare(y.numpy() / 30.0)
  assert fitted < 0.7 * bits()


def test_frozen_parts_keep_their_weights(photos, trained_toy, tmp_path):
  before = arrays(trained_toy)
  after = arrays(training.train(str(tmp_path), *toy_options(
      photos, init=os.path.dirname(trained_toy), freeze=("y_codec",))))
  trainable = [name for name in before if "tables" not in name]
  changed = {name for name in trainable
             if not np.array_equal(before[name], after[name])}
  assert changed == {"scale"} and len(trainable) > 3


def test_parts_have_learning_rates_of_their_own_and_the_longest_name_counts(
    photos, tmp_path):
  """Of Adam all first steps are as long as the learning rate."""
  def moved(name, **changes):
    run = Run(str(tmp_path / name), *toy_options(
        photos, learning_rate=1e-2, **changes))
    paths = weights.variables_by_path(run.model)
    before = {path: variable.numpy() for path, variable in paths.items()}
    for images in run.batches(0, 1):
      run.model.update(images)
    return {path: np.abs(variable.numpy() - before[path])
            for path, variable in paths.items() if variable.trainable}

  plain = moved("plain")
  rated = moved("rated", rates={
      "y_codec/prior/_base/_biases": 0.5, "y_codec": 10.0})
  for path, step in plain.items():
    factor = 1.0 if path == "scale" else 0.5 if "_biases" in path else 10.0
    assert np.any(step > 1e-3)
    np.testing.assert_allclose(rated[path], factor * step, rtol=0.01, atol=1e-5)
  assert len(plain) > 5


def test_validation_sees_integer_networks_at_the_scales_of_its_weights(
    photos, tmp_path):
  run = Run(str(tmp_path), *options(
      photos, configs.get("bmshj2018_hyperprior:tiny"), average=0.9))
  run.model.fix_tables()
  layers = [layer for layer in run.model.submodules if hasattr(layer, "kernel_bits")]
  before = [layer.kernel_bits.numpy() for layer in layers]
  for average in run.model.moving_average.averages:
    average.assign(average / 100.0)
  conduct = callbacks.Conduct(run)
  conduct.set_model(run.model)
  conduct.on_test_begin()
  during = [layer.kernel_bits.numpy() for layer in layers]
  conduct.on_test_end()
  assert len(layers) == 3
  for few, more in zip(before, during):
    assert np.all(more > few)


@pytest.mark.parametrize("config", [
    "toderici2017:scaled-coded-tiny", "toderici2017:gru-coded-tiny",
    "johnston2018:narrow-coded"])
def test_recipes_of_entropy_coders_train_nothing_else(config):
  config = configs.get(config)
  model = registry.create(config.model.name, **{
      **config.model.arguments, "width": 16, "iterations": 2, "binary_rnn_width": 8})
  model.build_variables()
  model.compile(tf.keras.optimizers.Adam(), lmbda=1.0, freeze=config.train.freeze)
  trained = {id(variable) for variable in model.controls.trained["main"]}
  paths = [path for path, variable in weights.variables_by_path(model).items()
           if id(variable) in trained]
  assert paths and all(path.startswith("binary_rnn/") for path in paths)


def test_flags_set_the_rate_of_any_part():
  config = override(configs.get("bmshj2018_hyperprior:tiny"), [
      "--config.train.rates.z_codec=3.0", "--config.train.rates.y_codec/walk=2"])
  assert TrainOptions(**config.train).rates == {"z_codec": 3.0, "y_codec/walk": 2.0}
  with pytest.raises(UsageError, match="rates.z_codec=fast: 'fast' is no number"):
    override(config, ["--config.train.rates.z_codec=fast"])


def test_variables_that_stand_still_are_named_once(photos, tmp_path, caplog):
  class Still(averages.Toy):
    """With a variable that the loss does not see, and one that it hardly sees."""

    def __init__(self, *, step):
      super().__init__(step=step)
      self.dead = tf.Variable([1.0, 2.0])
      self.faint = tf.Variable([1.0, 2.0])

    def synthesize(self, y_hat):
      seen = tf.reduce_sum(0.0 * self.dead + 1e-15 * self.faint)
      return super().synthesize(y_hat) + seen

  registry.register("still-toy")(Still)
  try:
    _, arguments, data, train = toy_options(photos, steps=4)
    with caplog.at_level("WARNING"):
      training.train(str(tmp_path), "still-toy", arguments, data, train)
  finally:
    registry.unregister("still-toy")
  results = json.loads((tmp_path / "results.json").read_text())
  assert results["below_epsilon"] == ["dead", "faint"]
  assert results["figures"]["below_epsilon"] == 2
  assert re.findall("step .* hardly move: .*", caplog.text) == [
      "step 2: gradients are below train.epsilon, so that these hardly move: dead, "
      "faint"]


@pytest.mark.parametrize("name", [
    pytest.param("bmshj2018_factorized", marks=pytest.mark.slow),
    pytest.param("bmshj2018_hyperprior", marks=pytest.mark.slow), "mbt2018"])
def test_every_variable_of_a_published_layout_moves(photos, tmp_path, name):
  config = configs.get(f"{name}:tiny")
  run = Run(str(tmp_path), *options(photos, config))
  paths = weights.variables_by_path(run.model)
  before = {path: variable.numpy() for path, variable in paths.items()}
  for images in run.batches(0, 2):
    run.model.update(images)
  assert run.model.below_epsilon() == []
  for path, variable in paths.items():
    assert not variable.trainable or np.any(variable.numpy() != before[path]), path


@pytest.mark.slow
def test_a_deeper_model_starts_from_the_weights_of_a_shallower_one(
    photos, trained, tmp_path, caplog):
  name, arguments, data, train = options(
      photos, init=trained, learning_rate=1e-30)
  deeper = training.train(
      str(tmp_path), name, {**arguments, "synthesis_blocks": 2}, data,
      train)
  assert "has no synthesis_blocks/1; they keep" in caplog.text
  image = make_image(64, 64)
  one, _ = weights.load(trained)[0].reconstruct(image)
  other, _ = weights.load(deeper)[0].reconstruct(image)
  np.testing.assert_array_equal(one, other)  # New blocks begin as zero.
  with pytest.raises(UsageError, match="no variable of tfcm-base fits bls2017"):
    config = configs.get("bls2017:tiny")
    training.train(
        str(tmp_path / "c"), "bls2017", config.model.arguments.to_dict(), data,
        train)


def test_what_a_killed_run_left_half_written_is_removed(photos, tmp_path):
  """But neither what another run may be at, nor in folders of a like name."""
  folder, other = tmp_path / "run[12]", tmp_path / "run1"
  long_ago = time.time() - LEFTOVER_SECONDS - 10
  for place in (folder, other):
    for name in ("old", "new"):
      (place / f"checkpoints/ckpt-{name}_temp").mkdir(parents=True)
      (place / f".tfcm-{name}").write_text("half")
    for name in ("checkpoints/ckpt-old_temp", ".tfcm-old"):
      os.utime(place / name, (long_ago, long_ago))
  Run(str(folder), *toy_options(photos))
  assert [p.name for p in folder.glob(".tfcm-*")] == [".tfcm-new"]
  assert [p.name for p in (folder / "checkpoints").iterdir()] == [
      "ckpt-new_temp"]
  assert (other / ".tfcm-old").exists()
  assert (other / "checkpoints/ckpt-old_temp").exists()


def test_a_directory_holds_one_model(photos, trained):
  folder = os.path.dirname(trained)
  name, arguments, data, train = options(photos, steps=2)
  with pytest.raises(UsageError, match="holds a checkpoint of tfcm-base with"):
    training.train(folder, name, {**arguments, "width": 16}, data, train)
  with pytest.raises(UsageError, match="does not fit these options; continue"):
    training.train(folder, *options(photos, steps=4, average=0.5))


def test_a_loss_that_is_not_finite_stops_with_a_reason(photos, tmp_path):
  with pytest.raises(
      UsageError, match=r"step \d: not finite: .*bpp_y, .*loss"):
    training.train(
        str(tmp_path), *toy_options(photos, learning_rate=1e30, clip_norm=0.0))


@pytest.mark.parametrize("section, change, reason", [
    ("data", {"patch_size": 100}, "multiple of 32"),
    ("data", {"patch_size": 640}, "no usable image .5 below 640"),
    ("train", {"distortion": "ssim"}, "must be one of"),
    ("train", {"distortion": "ms-ssim"}, "at least 161"),
    ("train", {"distortion": "log-mse"}, "for progressive models, not tfcm-base"),
    ("train", {"truncate": 2}, "for progressive models, not tfcm-base"),
    ("train", {"truncate": -1}, "at least 0, got -1"),
    ("train", {"target_bpp": -0.1}, "train.target_bpp must be at least 0, got -0.1"),
    ("data", {"validation": "nowhere"}, "no image files"),
    ("data", {"max_downscale": 0.5}, "at least 1, got 0.5"),
    ("data", {"batch_size": 0}, "at least 1, got 0"),
    ("train", {"average": 1.0}, "1 excluded, got 1.0"),
    ("train", {"lmbda": 0.0}, "above 0, got 0.0"),
    ("train", {"steps": 5}, "multiple of train.steps_per_epoch=2, got 5"),
    ("train", {"optimizer": "sgd"}, "train.optimizer must be one of 'adam', 'soap'"),
    ("train", {"schedule": "linear"}, "'constant', 'cosine', 'step', got 'linear'"),
    ("train", {"init": "nowhere"}, "neither shipped weights"),
    ("train", {"freeze": ("nowhere",)}, "train.freeze: no variables below 'nowhere'"),
    ("train", {"rates": {"z_codex": 2.0}}, "train.rates: no variables below 'z_codex'"),
    ("train", {"rates": {"z_codec": 0.0}}, "train.rates.z_codec must be above 0, got 0"),
])
def test_options_that_cannot_work_are_refused(
    photos, tmp_path, section, change, reason):
  name, arguments, data, train = options(photos)
  if section == "data":
    data = DataOptions(**{**vars(data), **change})
  else:
    train = TrainOptions(**{**vars(train), **change})
  with pytest.raises(UsageError, match=reason):
    training.train(str(tmp_path), name, arguments, data, train)
  assert not (tmp_path / "model.npz").exists()


def test_a_damaged_weight_file_is_refused(tiny_weights, tmp_path):
  with open(tiny_weights, "rb") as file:
    data = file.read()
  path = tmp_path / "model.npz"
  for damaged in (data[:len(data) // 2], b"", b"text"):
    path.write_bytes(damaged)
    with pytest.raises(UsageError, match="weight file"):
      weights.load(str(path))
  with np.load(tiny_weights) as archive:
    content = dict(archive)
  content["gain"] = content["gain"] + np.float16(1)
  np.savez(path, **content)
  with pytest.raises(UsageError, match="fingerprint differs"):
    weights.load(str(path))
