"""Networks of CompressAI become ours, and say what they said there.

`tests/compressai` holds what CompressAI 1.2.8 made of the random networks that
`tests/checkpoints.py` makes, and of `make_image(64, 128)`.
"""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import checkpoints
from tests.checkpoints import seen
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import configs, training
from tfc_models.codecs import LearnedCodec
from tfc_models.configs import options
from tfc_models.convert import compressai, conversion, self_test
from tfc_models.entropy_models import AutoregressiveCodec, FactorizedCodec
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings
from tfc_models.weight_info import read_info

NAMES = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean", "mbt2018")
HYPER = NAMES[1:]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """A folder with the checkpoints, and what two calls make of them."""
  folder = tmp_path_factory.mktemp("convert")
  Image.fromarray(make_image(80, 70)).save(folder / "photo.png")
  paths = []
  for name in NAMES:
    paths.append(folder / f"{name}.pth.tar")
    checkpoints.write(paths[-1], checkpoints.network(name, seen(name)))
  for option, which in (("--float", paths), ("--json", paths[1:])):
    code, out, err = tfcm("convert", *which, "-o", folder / option.strip("-"), option,
                          "--images", folder / "photo.png")
    assert (code, err) == (0, "")
  assert [json.loads(line)["model"] for line in out.splitlines()] == list(HYPER)
  return folder


def load(folder, kind, name):
  return weights.load(str(folder / kind / name / "model.npz"))[0]


def as_compressai_prices(model, y, output):
  """Returns a dict from latent to bits, at the scales themselves, not at tables.

  Its forward pass shows a context round(y), whatever the means.
  """
  codec = model.latent_codec
  if isinstance(codec, FactorizedCodec):
    return {"y": float(output.bits["y"])}
  z_hat, _ = codec.z_codec(codec.analyze(y))
  outputs = codec.synthesis(z_hat)
  if isinstance(codec.y_codec, AutoregressiveCodec):
    outputs = codec.y_codec.network(tf.round(y), outputs)
  scale, loc = outputs, 0.0
  if outputs.shape[-1] > y.shape[-1]:
    scale, loc = tf.split(outputs, 2, axis=-1)
  scale = np.maximum(np.float64(scale) / 2**8, 0.11) * np.sqrt(2.0)
  residual = np.abs(np.round(np.float64(y) - np.float64(loc) / 2**6))
  mass = 0.5 * (tf.math.erfc((residual - 0.5) / scale)
                - tf.math.erfc((residual + 0.5) / scale))
  return {"z": float(output.bits["z"]),
          "y": float(-np.sum(np.log2(np.maximum(mass, 1e-9))))}


@pytest.mark.parametrize("name", [pytest.param(
    name, marks=() if name == "mbt2018" else pytest.mark.slow) for name in NAMES])
def test_a_real_network_is_that_of_compressai(name, made):
  model, theirs = load(made, "float", name), seen(name)
  x = model.to_batch(make_image(64, 128))
  y = model.analyze(x)[0]
  if name == "bmshj2018-factorized":
    y += theirs["quantiles"][:, 0, 1]
  np.testing.assert_allclose(y, theirs["y"], atol=1e-4)
  output = model(x)
  np.testing.assert_allclose(
      np.clip(output.x_hat[0, ::4, ::4], 0, 1), theirs["x_hat"], atol=1e-4)
  for latent, bits in as_compressai_prices(model, model.analyze(x), output).items():
    assert abs(bits / theirs[f"bits_{latent}"] - 1) < 1e-4, latent


@pytest.mark.parametrize("name", HYPER)
def test_a_network_of_integers_says_nearly_the_same(name, made):
  facts = json.loads((made / "json" / name / "convert.json").read_text())
  assert facts["model"] == name and facts["arguments"]["exact"]
  test = facts["self_test"]
  assert test["images"] == ["photo.png"]
  assert abs(test["excess"]) < 0.01 and test["clipped"] < 0.01
  assert abs(test["real_psnr"] - test["integer_psnr"]) < 0.05
  # Powers of two that bring each layer near to what it may be.
  for path, factor in facts["scales"].items():
    assert np.log2(factor) % 1 == 0, path
  if name == "mbt2018":
    assert len(facts["scales"]) == 6 and 0 <= facts["arguments"]["context_bits"] <= 3


@pytest.mark.parametrize("name", [
    "mbt2018-mean", *(pytest.param(name, marks=pytest.mark.slow) for name in (
        "bmshj2018-hyperprior", "mbt2018"))])
def test_a_converted_model_codes_at_once(name, made, tmp_path):
  folder, photo = made / "json" / name, made / "photo.png"
  stream, decoded = tmp_path / "x.tfcm", tmp_path / "x.png"
  assert tfcm("compress", photo, "--model", folder, "-o", stream)[0] == 0
  assert tfcm("decompress", stream, "--model_path", folder, "-o", decoded)[0] == 0
  codec = LearnedCodec.from_file(str(folder / "model.npz"))
  expected, _ = codec.model.reconstruct(
      make_image(80, 70), Settings(effort=codec.effort))
  np.testing.assert_array_equal(np.asarray(Image.open(decoded)), expected)


FINGERPRINTS = """
import sys
from tfc_models.convert import conversion, sources
for path in sys.argv[1:]:
  model, _ = conversion.build(sources.read(path).weights, is_float=False)
  print(conversion.weight_files.packed(model)[0]["fingerprint"])
"""


def fingerprints_elsewhere(paths):
  """Returns those of files that another process converts, without oneDNN."""
  done = subprocess.run(
      [sys.executable, "-c", FINGERPRINTS, *paths],
      check=True, capture_output=True, text=True,
      env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_NUM_INTRAOP_THREADS": "1",
           "TF_NUM_INTEROP_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
  return done.stdout.split()


def test_every_machine_gives_the_same_fingerprint(made):
  assert fingerprints_elsewhere(made / f"{name}.pth.tar" for name in HYPER) == [
      read_info(made / "json" / name / "model.npz")["fingerprint"] for name in HYPER]


@pytest.mark.slow
def test_training_starts_from_a_converted_model(made, tmp_path, photos):
  config = configs.get("mbt2018_mean:tiny")
  arguments = dict(num_filters=8, latent_depth=12, origin="compressai")
  folder = made / "json" / "mbt2018-mean"
  path = training.train(
      str(tmp_path), "mbt2018-mean", arguments,
      options.DataOptions(**{**config.data, "train": photos}),
      options.TrainOptions(**{**config.train, "init": str(folder), "steps": 2}))
  trained, start = weights.load(path)[0], load(made, "json", "mbt2018-mean")
  moved = [
      name for name, variable in weights.variables_by_path(trained).items()
      if not np.array_equal(variable, weights.variables_by_path(start)[name])]
  assert any(name.startswith("hyper_synthesis_transform") for name in moved)
  assert "z_codec/tables/cdf" in moved  # Built anew for what it is now.
  for name in ("analysis_transform/layer-0/kernel", "z_codec/prior/_base/_biases/0"):
    np.testing.assert_allclose(
        weights.variables_by_path(trained)[name],
        weights.variables_by_path(start)[name], atol=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_old_names_of_keys_are_known(name):
  old = {
      "module." + key.replace(".matrices.", "._matrices.").replace(
          ".biases.", "._bias").replace(".factors.", "._factors."): array
      for key, array in checkpoints.network(name, seen(name)).items()}
  found = compressai.weights_of(old)
  assert found.model == name
  assert (found.num_filters, found.latent_depth) == (8, 12)


def test_the_zoo_names_its_files_so():
  for name, expected in {
      "bmshj2018-factorized-prior-1-446d5c7f.pth.tar": (NAMES[0], "mse", 1, "446d5c7f"),
      "bmshj2018-factorized-ms-ssim-8-8811bd14.pth.tar": (
          NAMES[0], "ms-ssim", 8, "8811bd14"),
      "mbt2018-mean-ms-ssim-4-12626c13.pth.tar": (NAMES[2], "ms-ssim", 4, "12626c13"),
      "mbt2018-7-8ba2bf82.pth.tar": (NAMES[3], "mse", 7, "8ba2bf82"),
      "checkpoint_best.pth.tar": (None, None, None, None),
      "cheng2020-anchor-1-dad2ebff.pth.tar": (None, None, None, None)}.items():
    assert tuple(compressai.parse_name(name)) == expected


def spoilt(change):
  """Returns the network of `mbt2018-mean` with a change of its arrays."""
  state = checkpoints.network("mbt2018-mean", seen("mbt2018-mean"))
  change(state)
  return state


REFUSED = {
    "another architecture": (
        lambda s: s.update({"g_a.0.conv1.weight": s["g_a.0.weight"]}),
        "g_a.0.conv1.weight belongs to no network"),
    "no GDN": (lambda s: s.pop("g_a.1.beta"), "without GDN"),
    "nothing known": (lambda s: s.pop("g_a.0.weight"), "no kernel g_a.0.weight"),
    "a layer less": (lambda s: s.pop("g_s.2.bias"), "no g_s.2.bias"),
    "another shape": (
        lambda s: s.update({"h_s.2.weight": s["h_s.2.weight"][:, :5]}),
        r"h_s.2.weight is \(12, 5, 5, 5\), wanted \(12, 18, 5, 5\)"),
    "numbers beyond half precision": (
        lambda s: s.update({"h_s.4.weight": s["h_s.4.weight"] * 1e5}), "--float"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_checkpoint_is_refused_with(what, tmp_path):
  change, reason = REFUSED[what]
  checkpoints.write(tmp_path / "x.pth", spoilt(change))
  Image.fromarray(make_image(64, 64)).save(tmp_path / "x.png")
  fails(1, reason.replace("\\", ""), "convert", tmp_path / "x.pth", "-o",
        tmp_path / "out", "--images", tmp_path / "x.png")
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("excess, is_told, is_refused", [
    (0.004, False, False), (0.02, True, False), (0.04, False, True),
    (float("nan"), False, True)])
def test_integers_that_cost_much_are_told_and_refused(
    excess, is_told, is_refused, made, tmp_path, monkeypatch, caplog):
  model = weights.load(str(made / "json" / "bmshj2018-hyperprior" / "model.npz"))[0]
  monkeypatch.setattr(conversion, "build", lambda *_: (model, {"a": 1.0}))
  monkeypatch.setattr(self_test, "compare", lambda *_: dict(
      excess=excess, real_psnr=30.0, integer_psnr=30.0, clipped=0.0))
  words = ("convert", made / "bmshj2018-hyperprior.pth.tar", "-o", tmp_path / "out",
           "--images", made / "photo.png")
  if is_refused:
    fails(1, "of the rate, more than 3%; --float keeps them real", *words)
    assert not (tmp_path / "out").exists()
  else:
    assert tfcm(*words)[0] == 0
  assert ("cost 2.00 % of the rate" in caplog.text) == is_told


def test_files_that_are_not_as_their_names_say_are_refused(made, tmp_path):
  data = (made / "mbt2018.pth.tar").read_bytes()
  for name, reason in {
      "mbt2018-3-22901978.pth.tar": "where its name says 22901978",
      "mbt2018-mean-3.pth.tar": "holds mbt2018, not mbt2018-mean"}.items():
    (tmp_path / name).write_bytes(data)
    fails(1, reason, "convert", tmp_path / name, "-o", tmp_path / "out")
  checkpoint = made / "mbt2018.pth.tar"
  for words, reason in {
      ("--model", "mbt2018-mean"): "not mbt2018-mean",
      ("--quality", "9"): "1..8, got 9"}.items():
    fails(1, reason, "convert", checkpoint, "-o", tmp_path / "out", *words)
  fails(1, "no such file", "convert", tmp_path / "none", "-o", tmp_path / "out")
  fails(1, "--overwrite replaces it", "convert", checkpoint, "-o",
        made / "json" / "mbt2018")
  assert not (tmp_path / "out").exists()


def test_a_name_of_the_zoo_says_rate_metric_and_licence(made, tmp_path):
  data = (made / "bmshj2018-factorized.pth.tar").read_bytes()
  digest = hashlib.sha256(data).hexdigest()
  path = tmp_path / f"bmshj2018-factorized-ms-ssim-2-{digest[:8]}.pth.tar"
  path.write_bytes(data)
  code, out, err = tfcm("convert", path, "-o", tmp_path / "out")
  assert (code, err) == (0, "") and "BSD-3-Clause-Clear" in out
  info = read_info(tmp_path / "out" / "model.npz")
  assert (info["lmbda"], info["distortion"]) == (4.58, "ms-ssim")
  assert info["sha256"] == digest and "InterDigital" in info["licence"]
