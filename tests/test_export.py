"""Exports give the bytes and pixels of the command line, and load as servers load them."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests import exports
from tests.conftest import make_image
from tfc_models import bitstream
from tfc_models.codecs import loading
from tfc_models.datasets.files import image_bytes, read_image
from tfc_models.errors import UsageError
from tfc_models.export import export, transport, versions
from tfc_models.export.split import Networks, check

pytestmark = pytest.mark.xdist_group("export")

# Small ones, untrained: a hyperprior, and one whose networks and coder take turns.
_RECIPES = ("tfcm_base", pytest.param("mbt2018", marks=pytest.mark.slow))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
  return str(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", params=_RECIPES)
def full(request, base):
  """A codec, and the full export of its weights as loaded."""
  path = exports.tiny(request.param, base)
  version, _ = export(path, None, base, name=f"{request.param}-full")
  return loading.load(path, effort=1), tf.saved_model.load(version).signatures


@pytest.fixture(scope="module")
def split(base):
  path, facts = export("tfcm-base", 50, base, "split")
  return path, facts


def _files():
  gray = make_image(40, 50, channels=1)
  return [exports.png(make_image(65, 127)), exports.png(gray), image_bytes(
      make_image(64, 64), "JPEG", "image", quality=90)]


def test_a_full_export_writes_the_bytes_of_the_library_and_reads_them(full):
  codec, signatures = full
  files = _files()
  streams = signatures["encode"](tf.constant(files))["bitstream_bytes"].numpy()
  decoded = signatures["decode"](tf.constant(streams))["image_bytes"].numpy()
  for file, stream, back in zip(files, streams, decoded):
    image = read_image(file)
    assert stream == codec.encode(image)
    found = read_image(bytes(back))
    assert found.shape == image.shape
    assert np.abs(np.int32(found) - codec.decode(stream)).max() <= 1


def test_a_full_export_codes_pixels(full):
  codec, signatures = full
  image = make_image(65, 127)
  stream = signatures["encode_tensors"](
      tf.constant(image[None]))["bitstream_bytes"].numpy()[0]
  assert stream == codec.encode(image)
  np.testing.assert_array_equal(
      signatures["decode_tensors"](tf.constant(stream))["image"],
      read_image(bytes(signatures["decode"](
          tf.constant([stream]))["image_bytes"].numpy()[0])))


def test_a_full_export_refuses_streams_that_are_none_of_its_weights(full):
  codec, signatures = full
  stream = codec.encode(make_image(64, 64))
  other = loading.load("bmshj2018-factorized", effort=1).encode(make_image(64, 64))
  changed = bytearray(stream)
  changed[-8] ^= 1
  for data, reason in ((other, "with these weights"), (stream[:-3], "cut off"),
                       (bytes(changed), "checksum"), (stream + b"x", "follow"),
                       (b"", "with these weights")):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
      signatures["decode"](tf.constant([data]))


def test_a_file_may_carry_metadata_that_an_export_skips(full):
  codec, signatures = full
  stream = codec.read(codec.encode(make_image(64, 64)))
  data = bitstream.write(stream.header, stream.chunks, {"icc": b"profile"})
  found = signatures["decode"](tf.constant([data]))["image_bytes"].numpy()[0]
  assert read_image(bytes(found)).shape == (64, 64, 3)


@pytest.mark.slow
def test_any_prefix_of_a_progressive_file_decodes(base):
  weight_file = exports.tiny("toderici2017", base)
  path, _ = export(weight_file, 50, base, name="progressive")
  signatures = tf.saved_model.load(path).signatures
  codec = loading.load(weight_file, 50, effort=1)
  image = make_image(32, 64)
  stream = signatures["encode"](
      tf.constant([exports.png(image)]))["bitstream_bytes"].numpy()[0]
  assert stream == codec.encode(image)
  # Of more iterations than the export writes, too.
  read = codec.read(loading.load(weight_file, 100, effort=1).encode(image))
  assert len(read.chunks) == 2
  for count in (1, 2):
    data = bitstream.write(read.header, read.chunks[:count])
    found = signatures["decode"](tf.constant([data]))["image_bytes"].numpy()[0]
    expected = codec.decode(data)
    assert np.abs(np.int32(read_image(bytes(found))) - expected).max() <= 1


def test_a_split_export_holds_no_operation_of_the_range_coder(split):
  text = open(os.path.join(split[0], "saved_model.pb"), "rb").read()
  for name in (b"CreateRange", b"EntropyEncode", b"EntropyDecode"):
    assert name not in text


@pytest.mark.parametrize("recipe, has_split", [
    ("bls2017", True), ("bmshj2018_factorized", True), ("bmshj2018_hyperprior", True),
    ("mbt2018_mean", True), ("mbt2018", False), ("toderici2016", False),
    ("choi2019_mean", False), ("choi2019", False),
    ("toderici2017", False), ("johnston2018", False), ("vric", False)])
def test_networks_of_a_split_are_of_core_operations(recipe, has_split):
  model = exports.tiny_model(recipe)
  model.fix_scales()
  if not has_split:
    with pytest.raises(UsageError, match="no split form"):
      split_networks(model)
    return
  for function in split_networks(model):
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(
        node for inner in graph.library.function for node in inner.node_def)]
    assert not [node.op for node in nodes if node.op.startswith(
        ("Entropy", "CreateRange"))]


def split_networks(model):
  """Returns the functions of the split form of a model."""
  check(model)
  networks = Networks(model)
  return [networks.encode, *networks.evidence, networks.decode]


_BARE = """
import sys
sys.modules["tensorflow_compression"] = sys.modules["tfc_models"] = None
import numpy as np, tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
found = signatures["encode"](tf.constant([open(sys.argv[2], "rb").read()]))
names = ("shape", "z_symbols_bytes", "y_symbols_bytes")
indexes = signatures["hyper_decode"](**{name: found[name] for name in names[:2]})
assert indexes["y_indexes_bytes"][0] == found["y_indexes_bytes"][0]
image = signatures["decode"](**{name: found[name] for name in names})["image_bytes"]
np.savez(sys.argv[3], image=np.frombuffer(image.numpy()[0], np.uint8), **{
    name: np.frombuffer(found[name].numpy()[0], np.uint8) for name in names[1:]})
"""


def test_a_process_without_our_packages_runs_a_split_export(split, tmp_path):
  image = make_image(65, 127)
  file, out = tmp_path / "a.png", tmp_path / "out.npz"
  file.write_bytes(exports.png(image))
  subprocess.run(
      [sys.executable, "-c", _BARE, split[0], str(file), str(out)], check=True,
      cwd=tmp_path)
  codec = loading.load("tfcm-base", 50, effort=1)
  coded, _ = codec.model.latent_codec.symbols(
      codec.model.analyze(codec.model.to_batch(image)))
  with np.load(out) as found:
    for name, one in zip(("z", "y"), coded):
      symbols = transport.unpack_symbols(
          found[f"{name}_symbols_bytes"].tobytes(), one.symbols.shape[-1])
      np.testing.assert_array_equal(symbols[None], one.symbols)
    decoded = read_image(found["image"].tobytes())
  expected = codec.decode(codec.encode(image))
  assert np.abs(np.int32(decoded) - expected).max() <= 1


def test_versions_count_on_and_nothing_half_written_stays(split, base, monkeypatch):
  folder = os.path.join(base, "tfcm-base")
  assert versions.numbers(folder) == [1]
  monkeypatch.setattr(
      "tfc_models.export.saved_model.write", lambda *_: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    export("tfcm-base", 50, base, "split")
  assert os.listdir(folder) == ["1"]
  for _ in range(2):
    with versions.new(base, "numbered") as version:
      open(os.path.join(version.filling, "file"), "w").close()
  assert version.path == os.path.join(base, "numbered", "2")
  assert sorted(os.listdir(os.path.join(base, "numbered"))) == ["1", "2"]


def test_an_export_says_what_it_holds(split):
  path, facts = split
  with open(os.path.join(path, "assets.extra", "codec.json")) as file:
    assert json.load(file) == facts
  assert facts["model"] == "tfcm-base" and facts["quality"] == 50
  assert facts["fingerprint"] == loading.load("tfcm-base", 50).fingerprint.hex()
  answer = tf.saved_model.load(path).signatures["codec"](tf.constant([""]))
  assert json.loads(answer["info_bytes"].numpy()[0]) == facts


def _documented(start, end):
  """Returns signature to names of inputs and of outputs, of a table in the docs."""
  text = (pathlib.Path(__file__).parent.parent / "docs/SERVING.md").read_text()
  table = text.split("## Signatures")[1].split(start)[1].split(end)[0]
  rows = [[re.findall(r"`(\w+)`", cell) for cell in line.split("|")[1:4]]
          for line in table.splitlines() if line.startswith("| `")]
  return {name: (set(inputs), set(outputs)) for (name,), inputs, outputs in rows}


def test_signatures_are_those_of_the_documents(full, split):
  found = tf.saved_model.load(split[0]).signatures
  for signatures, documented in (
      (full[1], _documented("Full:", "Split,")),
      (found, _documented("Split,", "Symbols are"))):
    assert documented == {
        name: (set(function.structured_input_signature[1]),
               set(function.structured_outputs))
        for name, function in signatures.items() if name != "serving_default"}


def test_warm_up_requests_are_those_of_tensorflow_serving(split):
  from tensorflow_serving.apis import prediction_log_pb2
  path = os.path.join(split[0], "assets.extra", "tf_serving_warmup_requests")
  signatures = tf.saved_model.load(split[0]).signatures
  called = []
  for record in tf.data.TFRecordDataset(path):
    log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
    request = log.predict_log.request
    assert request.model_spec.name == "tfcm-base"
    called.append(request.model_spec.signature_name)
    signatures[called[-1]](**{
        name: tf.constant(tf.make_ndarray(value))
        for name, value in request.inputs.items()})
  # All but what tells of the codec.
  assert set(called) == signatures.keys() - {"codec"}


@pytest.mark.parametrize("arguments, reason", [
    (("mbt2018", 75, "split"), "no split form"),
    (("tfcm-base", 50, "other"), "flavor must be"),
])
def test_what_cannot_be_exported_is_refused_before_anything_is_written(
    arguments, reason, tmp_path):
  name, quality, flavor = arguments
  with pytest.raises(UsageError, match=reason):
    export(name, quality, str(tmp_path / "models"), flavor)
  assert not os.listdir(tmp_path)


@pytest.fixture(scope="module")
def networks(base):
  """Weights of a hyperprior, a picture, and the integers that the library makes of it."""
  path = exports.tiny("bmshj2018_hyperprior", base)
  codec = loading.load(path, effort=1)
  image = make_image(128, 192)
  coded, _ = codec.model.latent_codec.symbols(
      codec.model.analyze(codec.model.to_batch(image)))
  return path, image, {
      "z_symbols": coded[0].symbols, "y_symbols": coded[1].symbols,
      "y_indexes": coded[1].evidence}


@pytest.fixture(scope="module")
def onnx(networks, base):
  pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
  return export(networks[0], None, base, "onnx", name="onnx")[0]


def _equal(found, expected):
  for name, values in expected.items():
    np.testing.assert_array_equal(found[name], values)


@pytest.mark.slow
def test_onnxruntime_finds_the_integers_of_the_library(networks, onnx):
  onnxruntime = pytest.importorskip(
      "onnxruntime", reason="onnxruntime is not installed")
  _, image, expected = networks
  session = onnxruntime.InferenceSession(os.path.join(onnx, "encode.onnx"))
  names = [output.name for output in session.get_outputs()]
  _equal(dict(zip(names, session.run(None, {"image": image[None]}))), expected)
  session = onnxruntime.InferenceSession(os.path.join(onnx, "hyper_decode.onnx"))
  (indexes,) = session.run(None, {
      "shape": np.int32([*image.shape]), "z_symbols": expected["z_symbols"].numpy()})
  np.testing.assert_array_equal(indexes, expected["y_indexes"])
  with np.load(os.path.join(onnx, "tables.npz")) as tables:
    assert sorted(tables) == ["y/cdf", "y/cdf_offset", "z/cdf", "z/cdf_offset"]


def test_openvino_finds_the_integers_of_the_library(networks, onnx):
  openvino = pytest.importorskip("openvino", reason="openvino is not installed")
  _, image, expected = networks
  core = openvino.Core()

  def run(name, inputs):
    # Half precision, where a processor has it, finds other integers.
    model = core.compile_model(
        os.path.join(onnx, name), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return model(inputs)

  _equal(run("encode.onnx", {"image": image[None]}), expected)
  found = run("hyper_decode.onnx", {
      "shape": np.int32([*image.shape]), "z_symbols": expected["z_symbols"].numpy()})
  np.testing.assert_array_equal(found["y_indexes"], expected["y_indexes"])


def test_tflite_finds_the_integers_of_the_library(networks, base):
  path, image, expected = networks
  lite, _ = export(path, None, base, "tflite", name="tflite")
  runner = tf.lite.Interpreter(
      os.path.join(lite, "model.tflite")).get_signature_runner("encode")
  _equal(runner(image=image[None]), expected)
