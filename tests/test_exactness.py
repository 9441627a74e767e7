"""A stream decodes to the same integers wherever its models are exact."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import checkpoints
from tests.conformance import suite, waking
from tests.conftest import make_image
from tests.decode_elsewhere import exact_layers, observe
from tests.test_cli import fails
from tfc_models import bitstream, configs, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.convert import convert
from tfc_models.entropy_models import HyperpriorCodec, digest
from tfc_models.errors import BitstreamError, DesyncError
from tfc_models.layers import exact
from tfc_models.modeling import weights
from tfc_models.weight_info import fingerprint


def hyperpriors(model):
  return [c for c in model.latent_codecs() if isinstance(c, HyperpriorCodec)]


# Of what is eight layers deep, and would else say but the ends of the scales.
LOUDNESS = {"hu2020": 1.0}


def loud(name, **changes):
  """Returns a tiny model far from where it starts, so that many tables are in use."""
  spec = configs.get(f"{name}:tiny").model
  tf.keras.utils.set_random_seed(5)
  model = registry.create(spec.name, **{**spec.arguments, **changes})
  model.build_variables()
  variables = [variable for layer in exact_layers(model)
               for variable in layer.trainable_variables]
  random = [variable.numpy() for variable in variables]
  model.prepare([make_image(64, 64)[None]], 0.01)
  waking.wake(model, model.to_batch(make_image(64, 64)), spread=30.0)
  if name == "lee2019":  # The channels without context are the quietest of a start.
    last, first = (network.layers[number] for network, number in (
        (model.analysis_transform, -1), (model.hyper_analysis_transform, 0)))
    gain = np.repeat([1.0, 30.0], [8, 4])
    last.kernel.assign(last.kernel * gain)
    first.kernel.assign(first.kernel / gain[:, None])
  # A start leaves much at zero.
  for variable, more in zip(variables, random):
    variable.assign(LOUDNESS.get(name, 3.0) * (variable + more))
  model.fix_tables()
  return model


EXACT = [name for name in registry.names("image")
         if any(layer.exact for layer in exact_layers(suite.bare(name)))]
HYPERPRIORS = [name for name in EXACT if hyperpriors(suite.bare(name))]
# Looked at whenever tests run: the default, a walk by fronts, signs.
DAILY = {"tfcm-flex", "mbt2018", "toderici2017"}
# Networks that were trained as real ones, see `tests/test_convert.py`.
CONVERTED = "converted"
CODED = [*HYPERPRIORS, CONVERTED]


def marked(names):
  """Returns names as parameters: those of others than `DAILY` wait until all run."""
  return [pytest.param(name, marks=[] if name in {*DAILY, CONVERTED} else [
      pytest.mark.slow]) for name in names]


# One process makes the streams, for all tests.
pytestmark = pytest.mark.xdist_group("exactness")


@pytest.fixture(scope="module")
def streams(request, tmp_path_factory):
  """A folder with weights and a stream of each model that is looked at."""
  exact = [name for name in EXACT if name in DAILY or (
      request.config.getoption("markexpr") != "not slow")]
  folder = tmp_path_factory.mktemp("streams")
  converted = tmp_path_factory.mktemp(CONVERTED)
  Image.fromarray(make_image(64, 64)).save(converted / "photo.png")
  checkpoints.write(converted / "mbt2018.pth", checkpoints.network(
      "mbt2018", checkpoints.seen("mbt2018")))
  convert(converted / "mbt2018.pth", converted, images=str(converted / "photo.png"))
  shutil.copy(converted / "model.npz", folder / f"{CONVERTED}.npz")
  for name in exact:
    weights.save(loud(name), folder / f"{name}.npz")
  for name in (*exact, CONVERTED):
    data = LearnedCodec.from_file(str(folder / f"{name}.npz")).encode(
        make_image(90, 130))
    (folder / f"{name}.tfcm").write_bytes(data)
  for name in {*exact} - DAILY:
    # Where most of a window, or of a site's neighbours, lies outside.
    for height, width in ((1, 1), (17, 33)):
      small = f"{name}-{height}x{width}"
      shutil.copy(folder / f"{name}.npz", folder / f"{small}.npz")
      data = LearnedCodec.from_file(str(folder / f"{name}.npz")).encode(
          make_image(height, width))
      (folder / f"{small}.tfcm").write_bytes(data)
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


def test_streams_of_every_exact_model_use_many_tables(streams, expected):
  assert CONVERTED in expected and len(expected) > 3
  for name in expected:
    assert "desync" not in expected[name]
    assert len(set(expected[name])) == len(expected[name]) > 1
  for name in {*CODED} & {*expected}:
    model, _ = weights.load(str(streams / f"{name}.npz"))
    told = model.told(1)
    coded, _ = model.latent_codec.symbols(
        model.analyze(model.to_batch(make_image(90, 130)), *told), *told)
    for leaf, one in zip(model.latent_codec.leaves(), coded):
      assert len(np.unique(one.symbols)) > 15, (name, leaf.name)
      if leaf.digested:
        assert len(np.unique(one.evidence)) > 20, (name, leaf.name)


@pytest.mark.parametrize("name", marked([*EXACT, CONVERTED]))
def test_weights_in_single_precision_say_the_same(
    name, streams, expected, tmp_path):
  with np.load(streams / f"{name}.npz") as arrays:
    single = {
        key: value.astype(np.float32) if value.dtype == np.float16 else value
        for key, value in arrays.items()}
  info = json.loads(single.pop("info").tobytes())
  info["fingerprint"] = fingerprint(info, single)
  np.savez(tmp_path / "single.npz", **single, info=np.frombuffer(
      json.dumps(info, sort_keys=True).encode(), np.uint8))
  model, _ = weights.load(str(tmp_path / "single.npz"))
  assert observe(model, (streams / f"{name}.tfcm").read_bytes()) == expected[name]


@pytest.mark.parametrize("options, environment", [
    pytest.param(
        [], {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_NUM_INTRAOP_THREADS": "1",
             "TF_NUM_INTEROP_THREADS": "1"}, id="no oneDNN, one thread"),
    pytest.param(
        [], {"TF_ENABLE_ONEDNN_OPTS": "0"}, id="no oneDNN",
        marks=pytest.mark.slow),
    pytest.param(
        ["xla"], {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"},
        id="XLA", marks=pytest.mark.slow),
    pytest.param(["float64"], {}, id="float64", marks=pytest.mark.slow),
])
def test_indexes_and_symbols_are_equal_in(
    options, environment, streams, expected):
  assert seen(streams, *options, **environment) == expected


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize("name", [
    name for name in HYPERPRIORS if "exact" in suite.bare(name).arguments
    and exact_layers(suite.bare(name, exact=False))])
def test_sums_in_another_precision_change_floats_and_no_integers(
    name, is_exact, monkeypatch):
  """Without the change of floats, environments that agree would say nothing."""
  tf.keras.utils.set_random_seed(5)
  (codec,) = hyperpriors(suite.bare(name, exact=is_exact).build_variables())
  z = tf.constant(np.random.default_rng(0).integers(
      -20, 21, (1, 3, 4, codec.depth)), tf.float32)
  before = codec.synthesis(z)
  monkeypatch.setattr(exact, "CARRIER", tf.float64)
  assert np.array_equal(before, codec.synthesis(z)) == is_exact


@pytest.mark.parametrize("name", marked(CODED))
def test_a_batch_has_the_indexes_of_its_images(name, streams):
  model, _ = weights.load(str(streams / f"{name}.npz"))
  rng = np.random.default_rng(0)
  # Channels of what each of them codes: of the whole y, or of a side latent.
  depths = {id(model.latent_codec): model.depth}
  for codec in hyperpriors(model):
    depths[id(codec.z_codec)] = codec.depth
  for codec in hyperpriors(model):
    z = tf.constant(rng.integers(-20, 21, (2, 4, 4, codec.depth)), tf.float32)
    _, z_hat = codec.z_codec.symbols(z, *model.told(2))
    params = codec.params_of(z_hat, *model.told(2))
    shape = (4 * codec.factor, 4 * codec.factor, depths[id(codec)])
    y = tf.constant(rng.normal(0, 4, (2, *shape)), tf.float32)
    strings, y_hat = codec.y_codec.compress(y, params)
    np.testing.assert_array_equal(
        codec.y_codec.decompress(strings, shape, params), y_hat)
    for number in range(2):
      one, _ = codec.y_codec.compress(
          y[number:number + 1],
          codec.params_of(z_hat[number:number + 1], *model.told(1)))
      assert [s[0] for s in one] == [s[number] for s in strings]


@pytest.mark.parametrize("name", marked(HYPERPRIORS))
def test_a_flipped_index_is_noticed(name, streams, monkeypatch):
  codec = LearnedCodec.from_file(str(streams / f"{name}.npz"))
  data = (streams / f"{name}.tfcm").read_bytes()
  for nested in hyperpriors(codec.model):
    def flipped(z_hat, *told, original=nested.synthesis):
      outputs = original(z_hat, *told)
      indexes, *rest = tf.nest.flatten(outputs)
      indexes = indexes.numpy()
      # From one end of the scale table to the other, at one site.
      indexes[0, 3, 3] = 60.0 - indexes[0, 3, 3]
      return tf.nest.pack_sequence_as(outputs, [tf.constant(indexes), *rest])

    with monkeypatch.context() as patch:
      patch.setattr(nested, "synthesis", flipped)
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
