"""The wheel codes on Python 3.12, by TensorFlow 2.17 and operations alone.

Skipped where there is no such Python, or nowhere to get packages from.
"""

import glob
import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests import exports, wheels
from tests.conftest import make_image
from tests.test_cli import tfcm
from tests.test_pretrained import GOLDEN, PEAK, RMS
from tfc_models import bitstream, pretrained
from tfc_models.codecs import LearnedCodec, StreamDecoder, kind_of
from tfc_models.datasets.files import read_image

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("python312")]

# All shipped weights, in one process: goldens to pixels, an image to files.
_CODE = """
import json, pathlib, sys
import numpy as np
from tfc_models import codecs, pretrained, read_image
golden, photo, out = map(pathlib.Path, sys.argv[1:])
image = read_image(str(photo))
for stream in sorted(golden.glob("*/stream.tfcm")):
  np.save(out / stream.parent.name, codecs.StreamDecoder().decode(stream.read_bytes()))
for entry in pretrained.manifest():
  codec = codecs.open_weights(pretrained.weight_path(entry), entry["quality"])
  if codec.extension != ".tfcm":
    continue
  data = codec.encode(image)
  (out / (entry["file"] + ".tfcm")).write_bytes(data)
  np.save(out / entry["file"], codec.decode(data))
"""

# As others run an export: without this toolkit.
_RUN_EXPORT = """
import sys
sys.modules["tfc_models"] = None
import tensorflow as tf, tensorflow_compression_ops
signatures = tf.saved_model.load(sys.argv[1]).signatures
data = signatures["encode"](tf.constant([open(sys.argv[2], "rb").read()]))
image = signatures["decode"](data["bitstream_bytes"])["image_bytes"]
open(sys.argv[3] + ".tfcm", "wb").write(data["bitstream_bytes"].numpy()[0])
open(sys.argv[3] + ".png", "wb").write(image.numpy()[0])
"""


def is_image(entry):
  return kind_of(pretrained.weight_path(entry)) == "image"


def interpreter():
  """Returns the path of a Python 3.12, or None."""
  for name in (os.environ.get("PYTHON312"), shutil.which("python3.12"),
               *glob.glob(os.path.expanduser("~/.pyenv/versions/3.12*/bin/python"))):
    if name and subprocess.run(
        [name, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 12))"],
        capture_output=True).returncode == 0:
      return name
  return None


def run(*words, code=0, cwd=None):
  """Runs a program of the new environment; returns stdout and stderr."""
  environment = {key: value for key, value in os.environ.items()
                 if key != "PYTHONPATH" and not key.startswith("TF_")}
  done = subprocess.run(
      [*map(str, words)], cwd=cwd, capture_output=True, text=True,
      env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"})
  assert done.returncode == code, done.stderr
  return done.stdout, done.stderr


@pytest.fixture(scope="module")
def binaries(tmp_path_factory):
  """The folder of programs of an environment with the wheel."""
  python = interpreter()
  if python is None:
    pytest.skip("no Python 3.12 on the PATH; PYTHON312=/path/to/python3.12 names one")
  folder = tmp_path_factory.mktemp("python312")
  found = folder / "env" / "bin"
  subprocess.run([python, "-m", "venv", folder / "env"], check=True)
  pip = [found / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
  try:
    run(*pip, "download", "--no-deps", "--dest", folder / "x", "tf_keras==2.17.0")
  except AssertionError:
    pytest.skip("pip finds no tf_keras: there is no package index to install from")
  run(*pip, "install", wheels.build(folder))
  yield found
  shutil.rmtree(folder / "env")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
  path = tmp_path_factory.mktemp("photo") / "photo.png"
  Image.fromarray(make_image(90, 130)).save(path)
  return path


@pytest.fixture(scope="module")
def coded(binaries, photo, tmp_path_factory):
  """The folder of what `_CODE` wrote."""
  folder = tmp_path_factory.mktemp("coded")
  run(binaries / "python", "-c", _CODE, GOLDEN, photo, folder, cwd=folder)
  return folder


def test_the_environment_lacks_nothing(binaries):
  out, _ = run(binaries / "python", "-m", "pip", "list", "--format=json")
  found = {entry["name"].lower().replace("-", "_"): entry["version"]
           for entry in json.loads(out)}
  assert found["tensorflow"].startswith("2.17.")
  assert found["tensorflow_compression_ops"] == "2.17.0"
  assert "tensorflow_compression" not in found
  run(binaries / "python", "-m", "pip", "check")


@pytest.mark.parametrize("name", sorted(p.parent.name for p in GOLDEN.glob("*/stream.tfcm")))
def test_golden_streams_decode(name, coded):
  expected = read_image(str(GOLDEN / name / "pixels.png"))
  difference = np.load(coded / f"{name}.npy") - expected.astype(float)
  assert np.abs(difference).max() <= PEAK
  assert np.sqrt(np.mean(difference**2)) <= RMS


@pytest.mark.parametrize(
    "entry", [e for e in pretrained.manifest() if is_image(e)],
    ids=lambda entry: entry["file"])
def test_files_written_there_decode_here(entry, coded):
  data = (coded / f"{entry['file']}.tfcm").read_bytes()
  there = np.load(coded / f"{entry['file']}.npy")
  here = StreamDecoder().decode(data)
  assert np.abs(here.astype(int) - there).max() <= PEAK
  assert bitstream.read(data).header.fingerprint.hex() == entry["fingerprint"]


@pytest.mark.parametrize(
    "entry", [e for e in pretrained.manifest() if e["name"] == "tfcm-base"],
    ids=lambda entry: entry["file"])
def test_the_default_model_writes_the_same_bytes(entry, coded, photo):
  codec = LearnedCodec.from_file(pretrained.weight_path(entry), entry["quality"])
  assert (coded / f"{entry['file']}.tfcm").read_bytes() == codec.encode(
      read_image(str(photo)))


def test_the_command_line_codes(binaries, photo, tmp_path):
  program, stream, out = binaries / "tfcm", tmp_path / "a.tfcm", tmp_path / "a.png"
  _, err = run(program, "compress", photo, "-o", stream)
  assert err == ""
  assert "tfcm-base" in run(program, "info", stream)[0]
  assert "ok" in run(program, "verify", stream)[0]
  assert "tfcm-base" in run(program, "models")[0]
  assert run(program, "decompress", stream, "-o", out)[1] == ""
  assert tfcm("decompress", stream, "-o", tmp_path / "here.png")[0] == 0
  difference = np.int32(read_image(str(out))) - read_image(str(tmp_path / "here.png"))
  assert np.abs(difference).max() <= PEAK


@pytest.mark.parametrize("recipe", ["tfcm_flex", "mbt2018"])
def test_weights_of_ones_own_code_there(recipe, binaries, photo, tmp_path):
  model, stream = exports.tiny(recipe, tmp_path), tmp_path / "a.tfcm"
  run(binaries / "tfcm", "compress", photo, "--model", model, "-o", stream)
  run(binaries / "tfcm", "decompress", stream, "--model_path", model,
      "-o", tmp_path / "a.png")
  difference = (np.int32(read_image(str(tmp_path / "a.png")))
                - StreamDecoder([model]).decode(stream.read_bytes()))
  assert np.abs(difference).max() <= PEAK


@pytest.mark.parametrize("words", [
    ("train", "--config=tfcm_base:tiny", "--train_dir=run", "--config.data.train=."),
    ("train", "--config=tfcm_base:tiny", "--export_bundle=b", "--config.data.train=."),
    ("zoo", wheels.ROOT / "data" / "zoo.json", "--work_dir=work",
     "--config.data.train=."),
    ("benchmark", "--models=tfcm_base:tiny"),
], ids=lambda words: words[0])
def test_what_trains_says_why_not(words, binaries, tmp_path):
  _, err = run(binaries / "tfcm", *words, code=1, cwd=tmp_path)
  assert err.count("\n") == 1 and "pip install tfc_models on Python 3.9" in err
  assert not list(tmp_path.iterdir())


def test_full_exports_run_without_the_toolkit(binaries, photo, exported, tmp_path):
  run(binaries / "python", "-c", _RUN_EXPORT, exported / "full" / "1", photo,
      tmp_path / "out", cwd=tmp_path)
  codec = LearnedCodec.from_file(str(exported / "tfcm_base.npz"))
  data = (tmp_path / "out.tfcm").read_bytes()
  assert data == codec.encode(read_image(str(photo)))
  difference = np.int32(read_image(str(tmp_path / "out.png"))) - codec.decode(data)
  assert np.abs(difference).max() <= PEAK
