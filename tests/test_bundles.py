"""Bundles: the exported step trains as TensorFlow does, and comes back."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conformance import kinds, toys
from tests.conformance.toys import gan
from tests.test_cli import fails, tfcm
from tfc_models import bundles, configs, registry
from tfc_models.bundles import naming, run_bundle
from tfc_models.configs.options import DataOptions, TrainOptions
from tfc_models.entropy_models import FrequencyCodec
from tfc_models.errors import UsageError
from tfc_models.training.run import Run
from tfc_models.weight_info import read_info

STEPS = 20


def recipe(name, photos, **changes):
  config = configs.get(f"{name}:tiny")
  return (
      config.model.name, config.model.arguments.to_dict(),
      DataOptions(**{**config.data, "train": photos}),
      TrainOptions(**{**config.train, "steps": STEPS, **changes}))


def run_there(bundle, out, *arguments, code=0):
  """Runs a bundle in a process of its own; returns its log and output."""
  done = subprocess.run(
      [sys.executable, os.path.join(bundle, "run_bundle.py"), "--out", out,
       "--log_every", "1", *arguments], capture_output=True, text=True,
      check=False, env={**os.environ, "JAX_PLATFORMS": "cpu"})
  assert done.returncode == code, done.stderr
  log = os.path.join(out, run_bundle.LOG_FILE)
  lines = open(log).read().splitlines() if os.path.exists(log) else []
  return [json.loads(line) for line in lines], done.stdout + done.stderr


def losses_here(bundle, tmp_path, steps):
  """Returns the losses of TensorFlow from a bundle's variables and images."""
  config = configs.from_dict(
      json.loads(open(os.path.join(bundle, "config.json")).read()))
  config.data.train = os.path.join(bundle, run_bundle.IMAGE_DIR)
  run = Run(str(tmp_path / "here"), config.model.name,
            config.model.arguments.to_dict(), DataOptions(**config.data),
            TrainOptions(**config.train))
  with open(os.path.join(bundle, run_bundle.META_FILE)) as file:
    state = run_bundle.read_state(bundle, json.load(file))
  for name, variable in naming.variables_by_name(run.model).items():
    if name in state:
      variable.assign(state[name])
  update = tf.function(run.model.update)
  losses = []
  for images in run.batches(0, steps):
    for network, optimizer in run.model.optimizers.items():
      optimizer.learning_rate = run.learning_rate(0.0, network)
    losses.append(float(update(images)["loss"]))
  return losses


# The others hold no operation that these lack.
@pytest.mark.slow
@pytest.mark.parametrize("name", kinds.leading())
def test_a_bundle_trains_as_tensorflow_does_and_comes_back(
    name, photos, tmp_path):
  parts = recipe(name.replace("-", "_"), photos, average=0.9)
  trains_there_and_comes_back(parts, photos, tmp_path)


@pytest.mark.slow
def test_a_bundle_rotates_gradients(photos, tmp_path):
  parts = recipe("bls2017", photos, optimizer="soap")
  trains_there_and_comes_back(parts, photos, tmp_path)


@pytest.mark.slow
def test_a_bundle_trains_two_networks(photos, tmp_path):
  config = gan.get_config()
  with toys.registered(gan):
    trains_there_and_comes_back(
        (config.model.name, config.model.arguments.to_dict(),
         DataOptions(**{**config.data, "train": photos}),
         TrainOptions(**{**config.train, "steps": STEPS, "schedule": "cosine",
                         "rates": {"y_codec": 3.0}})),
        photos, tmp_path)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    run = Run(str(tmp_path / "back"), *results_parts(results))
    state = {}
    run_bundle.read_results(str(tmp_path / "out"), state)
    named = naming.variables_by_name(run.model)
    moments = [name for name in state if name.startswith("optimizer/discriminator/")]
    assert len(moments) == 1 + 2 * 4  # Its steps; of each variable, two.
    for name, value in state.items():
      np.testing.assert_allclose(named[name].numpy(), value, err_msg=name)


def results_parts(results):
  config = configs.from_dict(results["config"])
  return (config.model.name, config.model.arguments.to_dict(),
          DataOptions(**config.data), TrainOptions(**config.train))


def trains_there_and_comes_back(parts, photos, tmp_path):
  bundle, out = str(tmp_path / "bundle"), str(tmp_path / "out")
  bundles.export(bundle, *parts, limit_mib=8.0)
  log, text = run_there(bundle, out)
  assert re.search("jax .* jaxlib .* numpy .*\ncompiled in", text)
  assert [line["step"] for line in log] == list(range(1, STEPS + 1))
  found, expected = [line["loss"] for line in log], losses_here(bundle, tmp_path, STEPS)
  model = registry.create(parts[0], **parts[1])
  # An element between two centres may go to either, and training another way from then.
  is_hard = any(isinstance(codec, FrequencyCodec) for codec in model.latent_codecs())
  surely = STEPS // 2 if is_hard else STEPS
  np.testing.assert_allclose(found[:surely], expected[:surely], rtol=1e-4)
  np.testing.assert_allclose(found, expected, rtol=0.05)
  train_dir = tmp_path / "back"
  assert tfcm("train", "--import_bundle", out, "--train_dir", train_dir)[0] == 0
  assert read_info(train_dir / "model.npz")["steps"] == STEPS
  stream, photo = tmp_path / "x.tfcm", os.path.join(photos, "0.png")
  assert tfcm("compress", photo, "-o", stream, "--model", train_dir)[0] == 0
  assert tfcm("decompress", stream, "-o", tmp_path / "x.png",
              "--model_path", train_dir)[0] == 0
  assert Image.open(tmp_path / "x.png").size == (90, 80)


@pytest.mark.slow
def test_a_bundle_that_was_cut_off_goes_on_there_or_here(photos, tmp_path):
  bundle = str(tmp_path / "bundle")
  parts = recipe("tfcm_base", photos, average=0.9, steps=6)
  summary = bundles.export(bundle, *parts, limit_mib=8.0)
  assert re.search(r"MiB, step 0, 5 images; python .*run_bundle.py", summary)
  whole, _ = run_there(bundle, str(tmp_path / "whole"))
  out = str(tmp_path / "parts")
  # The schedule is that of six steps; the run stops after three.
  text = open(os.path.join(bundle, "run_bundle.py")).read()
  with open(os.path.join(bundle, "run_bundle.py"), "w") as file:
    file.write(text.replace(
        'while step < train["steps"]:', "while step < 3:"))
  run_there(bundle, out)
  with open(os.path.join(bundle, "run_bundle.py"), "w") as file:
    file.write(text)
  here = tmp_path / "here"
  code, _, error = tfcm("train", "--import_bundle", out, "--train_dir", here)
  assert code == 0, error
  results = json.loads((here / "results.json").read_text())
  assert results["finished"] and results["steps"] == 6
  log, _ = run_there(bundle, out, "--resume", out)
  np.testing.assert_allclose(
      [line["loss"] for line in log], [line["loss"] for line in whole],
      rtol=1e-6)
  fails(1, "nothing to take over", "train", "--import_bundle", out,
        "--train_dir", here)
  assert len([f for f in os.listdir(out) if f.startswith("shard")]) == 3
  os.unlink(os.path.join(out, next(
      f for f in os.listdir(out) if f.startswith("shard"))))
  fails(1, "No such file", "train", "--import_bundle", out,
        "--train_dir", tmp_path / "new")


@pytest.mark.slow
def test_several_steps_a_call_and_averages_end_the_same(photos, tmp_path):
  states = []
  for count in (1, 2):
    bundle, out = str(tmp_path / f"b{count}"), str(tmp_path / f"o{count}")
    bundles.export(
        bundle, *recipe("tfcm_base", photos, steps=4, schedule="constant"),
        limit_mib=8.0, steps_per_call=count)
    run_there(bundle, out)
    state = {}
    run_bundle.read_results(out, state)
    states.append(state)
  assert states[0].keys() == states[1].keys()
  for name, value in states[0].items():
    np.testing.assert_allclose(value, states[1][name], atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_a_bundle_goes_on_from_a_checkpoint(photos, tmp_path):
  parts = recipe("tfcm_base", photos, steps=4)
  run = Run(str(tmp_path / "dir"), *parts)
  for images in run.batches(0, 2):
    run.model.update(images)
  run.save({})
  bundle = str(tmp_path / "bundle")
  assert "step 2," in bundles.export(
      bundle, *parts, train_dir=str(tmp_path / "dir"), limit_mib=8.0)
  log, _ = run_there(bundle, str(tmp_path / "out"))
  assert [line["step"] for line in log] == [3, 4]


@pytest.mark.slow
def test_a_run_stops_at_its_time_and_at_a_broken_loss(photos, tmp_path):
  bundle = str(tmp_path / "bundle")
  bundles.export(bundle, *recipe("tfcm_base", photos), limit_mib=8.0)
  out = str(tmp_path / "out")
  _, text = run_there(bundle, out, "--minutes", "0.0001")
  assert "0 steps in" in text
  _, text = run_there(
      bundle, str(tmp_path / "nan"), "--learning_rate", "nan", code=1)
  assert "not finite by step 2" in text


def test_what_does_not_fit_is_refused(photos, tmp_path):
  with pytest.raises(UsageError, match="more than 0.1; to start from"):
    bundles.export(
        str(tmp_path / "a"), *recipe("tfcm_base", photos), limit_mib=0.1)
  with pytest.raises(UsageError, match="steps_per_call=3 must divide"):
    bundles.export(
        str(tmp_path / "b"), *recipe("tfcm_base", photos), steps_per_call=3)
