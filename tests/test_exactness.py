"""A stream decodes to the same integers wherever its models are exact."""

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import make_image
from tests.decode_elsewhere import observe, predicting_layers
from tests.test_cli import fails
from tfc_models import bitstream, configs, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.entropy_models import digest
from tfc_models.errors import BitstreamError, DesyncError
from tfc_models.modeling import weights

HYPERPRIORS = [
    name.replace("-", "_") for name in registry.names()
    if "exact" in inspect.signature(registry.get(name)).parameters]
EXACT = [*HYPERPRIORS, "toderici2017"]


# One process makes the streams, for all tests.
pytestmark = pytest.mark.xdist_group("exactness")


@pytest.fixture(scope="module")
def streams(tmp_path_factory):
  """A folder with weights and a stream of each model."""
  folder = tmp_path_factory.mktemp("streams")
  for recipe in EXACT:
    spec = configs.get(f"{recipe}:tiny").model
    tf.keras.utils.set_random_seed(5)
    model = registry.create(spec.name, **spec.arguments)
    model.prepare([make_image(64, 64)[None]], 0.01)
    model.build_variables()
    # Far from where they start, so that many tables are in use.
    for layer in predicting_layers(model):
      for variable in layer.trainable_variables:
        variable.assign(3.0 * variable)
    name = str(folder / f"{recipe}.npz")
    weights.save(model, name)
    image = make_image(150, 210)
    data = LearnedCodec.from_file(name).encode(image)
    (folder / f"{recipe}.tfcm").write_bytes(data)
  return folder


def seen(folder, *options, **environment):
  """Returns what a process with such an environment saw."""
  kept = {key: value for key, value in os.environ.items()
          if not key.startswith("TF_")}
  done = subprocess.run(
      [sys.executable, "-m", "tests.decode_elsewhere", str(folder), *options],
      env={**kept, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}, check=True,
      capture_output=True, text=True)
  return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def expected(streams):
  return seen(streams, TF_ENABLE_ONEDNN_OPTS="1")


def test_every_model_with_a_predicted_prior_is_exact(expected):
  assert len(HYPERPRIORS) == 4
  for recipe in HYPERPRIORS:
    assert len(expected[recipe]) == 3  # z, the indexes of y, y.
  # Indexes and code of two iterations.
  assert len(set(expected["toderici2017"])) == 4


@pytest.mark.parametrize("recipe", EXACT)
def test_weights_in_single_precision_say_the_same(
    recipe, streams, expected, tmp_path):
  with np.load(streams / f"{recipe}.npz") as arrays:
    single = {
        key: value.astype(np.float32) if value.dtype == np.float16 else value
        for key, value in arrays.items()}
  info = json.loads(single.pop("info").tobytes())
  info["fingerprint"] = weights._fingerprint(info, single)
  np.savez(tmp_path / "single.npz", **single, info=np.frombuffer(
      json.dumps(info, sort_keys=True).encode(), np.uint8))
  model, _ = weights.load(str(tmp_path / "single.npz"))
  assert observe(model, (streams / f"{recipe}.tfcm").read_bytes()) == (
      expected[recipe])


@pytest.mark.parametrize("options, environment", [
    ([], {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    ([], {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}),
    (["xla"], {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"}),
    (["float64"], {}),
], ids=["no oneDNN", "one thread", "XLA", "float64"])
def test_indexes_and_symbols_are_equal_in(
    options, environment, streams, expected):
  assert seen(streams, *options, **environment) == expected


@pytest.mark.parametrize("recipe", HYPERPRIORS)
def test_a_batch_has_the_indexes_of_its_images(recipe, streams):
  model, _ = weights.load(str(streams / f"{recipe}.npz"))
  rng = np.random.default_rng(0)
  z = tf.constant(rng.integers(
      -20, 21, (2, 3, 4, model.z_codec.num_channels)), tf.float32)
  both = model.hyper_synthesis_transform(z)
  for number in range(2):
    np.testing.assert_array_equal(
        both[number], model.hyper_synthesis_transform(z[number:number + 1])[0])
  if recipe == "mbt2018":
    depth = model.arguments["latent_depth"]
    y = tf.constant(rng.normal(0, 4, (2, 12, 16, depth)), tf.float32)
    (strings,), y_hat = model.y_codec.compress(y, both)
    (one,), _ = model.y_codec.compress(y[1:], both[1:])
    assert one[0] == strings[1]
    np.testing.assert_array_equal(
        model.y_codec.decompress([strings], (12, 16, depth), both), y_hat)


@pytest.mark.parametrize("recipe", HYPERPRIORS)
def test_a_flipped_index_is_noticed(recipe, streams, monkeypatch):
  codec = LearnedCodec.from_file(str(streams / f"{recipe}.npz"))
  data = (streams / f"{recipe}.tfcm").read_bytes()
  last = codec.model.hyper_synthesis_transform.layers[-1]
  original = last.call

  def flipped(x):
    outputs = original(x).numpy()
    # One step of the scale table; a context network sees it as side information.
    outputs[0, 3, 3] += 1.0 if recipe != "mbt2018" else 60.0
    return tf.constant(outputs)

  monkeypatch.setattr(last, "call", flipped)
  with pytest.raises(DesyncError, match="came out different"):
    codec.decode(data)


def test_the_command_line_says_desync_and_leaves_nothing(
    streams, tmp_path, monkeypatch):
  def wrong(indexes):
    return tf.constant([0x1234])

  monkeypatch.setattr(digest, "_digests", wrong)
  fails(2, "digest 1234, in the file", "decompress", streams / "mbt2018.tfcm",
        "--model_path", streams / "mbt2018.npz", "-o", tmp_path / "x.png")
  assert not list(tmp_path.iterdir())


def test_a_string_without_its_digest_is_refused(streams):
  codec = LearnedCodec.from_file(str(streams / "mbt2018.npz"))
  header, (chunk,), *_ = bitstream.read((streams / "mbt2018.tfcm").read_bytes())
  short = chunk._replace(strings=(chunk.strings[0], b"x"))
  with pytest.raises(BitstreamError, match="too short for the digest"):
    codec.decode(bitstream.write(header, [short]))
