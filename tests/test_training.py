"""Training: learns, resumes after a kill, refuses what cannot work."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import configs, training
from tfc_models.configs.options import DataOptions, TrainOptions
from tfc_models.errors import UsageError
from tfc_models.models import weights
from tfc_models.training.run import Run
from tfc_models.weight_info import read_info


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
  folder = tmp_path_factory.mktemp("photos")
  for i in range(4):
    Image.fromarray(make_image(80, 90, seed=i)).save(folder / f"{i}.png")
  return str(folder)


def options(photos, **changes):
  config = configs.get("tfcm_base:tiny")
  data = DataOptions(**{**config.data, "train": photos})
  train = TrainOptions(**{**config.train, **changes})
  return config.model.name, config.model.arguments.to_dict(), data, train


def arrays(path):
  model, _ = weights.load(path)
  return {
      name: variable.numpy()
      for name, variable in weights.variables_by_path(model).items()}


def test_an_interrupted_training_ends_like_an_undisturbed_one(
    photos, tmp_path, monkeypatch):
  whole = training.train(
      str(tmp_path / "whole"), *options(photos, steps=6))
  parts = str(tmp_path / "parts")
  save = Run.save

  def stop_after_first(self, figures):
    save(self, figures)
    raise InterruptedError

  monkeypatch.setattr(Run, "save", stop_after_first)
  with pytest.raises(InterruptedError):
    training.train(parts, *options(photos, steps=6))
  assert read_info(os.path.join(parts, "model.npz"))["steps"] == 2
  monkeypatch.undo()
  resumed = training.train(parts, *options(photos, steps=6))
  assert read_info(resumed)["steps"] == read_info(whole)["steps"] == 6
  for (name, one), other in zip(arrays(whole).items(), arrays(resumed).values()):
    np.testing.assert_allclose(one, other, atol=1e-6, err_msg=name)


def test_sigkill_in_the_middle_resumes_to_a_working_model(photos, tmp_path):
  train_dir = tmp_path / "run"
  command = [
      sys.executable, "-m", "tfc_models", "train", "--config=tfcm_base:tiny",
      f"--train_dir={train_dir}", f"--config.data.train={photos}",
      "--config.train.steps=40"]
  process = subprocess.Popen(
      command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  deadline = time.monotonic() + 120
  while not (train_dir / "checkpoints" / "checkpoint").exists():
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.05)
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert read_info(str(train_dir / "model.npz"))["steps"] < 40
  ended = subprocess.run(command, capture_output=True, text=True, check=True)
  assert "ready; tfcm compress" in ended.stdout
  assert read_info(str(train_dir / "model.npz"))["steps"] == 40
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
      "steps"] == 40


def test_another_lmbda_starts_from_given_weights(photos, tmp_path):
  first = training.train(str(tmp_path / "a"), *options(photos))
  second = training.train(
      str(tmp_path / "b"),
      *options(photos, init=first, lmbda=4 * 0.004, learning_rate=0.0))
  a, b = arrays(first), arrays(second)
  np.testing.assert_allclose(b["gain"], 2.0 * a["gain"], 1e-3)
  np.testing.assert_array_equal(
      a["synthesis_transform/kernel"], b["synthesis_transform/kernel"])


def test_validation_is_logged(photos, tmp_path, capfd):
  name, arguments, data, train = options(photos, steps=2)
  data = DataOptions(**{**vars(data), "validation": photos})
  training.train(
      str(tmp_path), name, arguments, data, train, progress="lines")
  assert "val_loss" in capfd.readouterr().out


def test_a_loss_that_is_not_finite_stops_with_a_reason(photos, tmp_path):
  with pytest.raises(UsageError, match="the loss became (nan|inf)"):
    training.train(
        str(tmp_path), *options(photos, learning_rate=1e30, clip_norm=0.0,
                                schedule="constant"))


@pytest.mark.parametrize("section, change, reason", [
    ("data", {"patch_size": 100}, "multiple of 32"),
    ("data", {"patch_size": 640}, "no usable image .4 below 640"),
    ("train", {"distortion": "ssim"}, "must be one of"),
    ("train", {"distortion": "ms-ssim"}, "at least 161"),
    ("train", {"steps": 5}, "multiple of train.steps_per_epoch=2, got 5"),
    ("train", {"schedule": "linear"}, "'constant', 'cosine', 'step', got 'linear'"),
    ("train", {"init": "nowhere"}, "neither shipped weights"),
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
