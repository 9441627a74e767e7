"""What nobody here wrote loads the exports, or asks our server, and codes the same."""

import concurrent.futures
import contextlib
import glob
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from tests import exports
from tests.conftest import make_image
from tfc_models.codecs import loading
from tfc_models.datasets.files import read_image
from tfc_models.errors import UsageError
from tfc_models.export import transport
from tfc_models.serving import (
    ModelConfig,
    Options,
    SavedModel,
    TritonServer,
    address,
    channels,
)
from tfc_models.serving.asking import Call, Served

# Shares exports with the tests of the client.
pytestmark = pytest.mark.xdist_group("client")


@pytest.fixture(scope="module")
def codec(exported):
  return loading.load(str(exported / "tfcm_base.npz"), effort=1)


@pytest.fixture(scope="module")
def remote(server):
  """The range coder of a client of the split export."""
  channel = channels.connect(address.read(f"grpc://127.0.0.1:{server.port}/split"))
  with contextlib.closing(channel):
    return Served.of(Call(channel, 60, 0)).codec


def _names(path, signature):
  """Returns the names of tensors of a signature, as of `c_api.py`."""
  (graph,) = loader_impl.parse_saved_model(path).meta_graphs
  definition = graph.signature_def[signature]
  return json.dumps({
      side: {name: info.name for name, info in getattr(definition, side).items()}
      for side in ("inputs", "outputs")})


def _run_in_c(path, signature, tmp_path, inputs, *libraries):
  """Returns the outputs of a signature, or what the runtime complains of."""
  folder = os.path.dirname(tf.__file__)
  if not os.path.exists(os.path.join(folder, "libtensorflow_cc.so.2")):
    pytest.skip("this wheel of TensorFlow comes without libtensorflow_cc")
  np.savez(tmp_path / "in.npz", **inputs)
  done = subprocess.run(
      [sys.executable, os.path.join(os.path.dirname(__file__), "c_api.py"), folder,
       path, _names(path, signature), tmp_path / "in.npz", tmp_path / "out.npz",
       *libraries], capture_output=True, text=True)
  if done.returncode:
    return done.stderr
  with np.load(tmp_path / "out.npz") as outputs:
    return dict(outputs)


def _stream(remote, symbols, indexes, image):
  """Returns the file of what networks made of an image, arrays."""
  return remote.write({
      "shape": np.int32([image.shape]),
      "z_symbols_bytes": [transport.pack_symbols(symbols[0][0]).numpy()],
      "y_symbols_bytes": [transport.pack_symbols(symbols[1][0]).numpy()],
      "y_indexes_bytes": [transport.pack_indexes(indexes[0]).numpy()]})


def test_tensorflow_in_c_runs_a_split_export(exported, codec, remote, tmp_path):
  image = make_image(65, 127)
  found = _run_in_c(str(exported / "split" / "1"), "encode_tensors", tmp_path,
                    {"image": image[None]})
  assert isinstance(found, dict), found
  assert _stream(remote, (found["z_symbols"], found["y_symbols"]),
                 found["y_indexes"], image) == codec.encode(image)


@pytest.mark.slow
def test_tensorflow_in_c_runs_a_full_export_once_it_knows_the_range_coder(
    exported, codec, tmp_path):
  image = make_image(65, 127)
  ask = (str(exported / "full" / "1"), "encode_tensors", tmp_path,
         {"image": image[None]})
  assert "Op type not registered" in _run_in_c(*ask)
  import tensorflow_compression
  (library,) = glob.glob(os.path.join(
      os.path.dirname(tensorflow_compression.__file__), "**",
      "libtensorflow_compression.so"), recursive=True)
  found = _run_in_c(*ask, library)
  assert isinstance(found, dict), found
  assert found["bitstream_bytes"].tobytes() == codec.encode(image)


_OVMS = """
import sys
sys.modules["tensorflow"] = sys.modules["tfc_models"] = None
import ovmsclient
client = ovmsclient.make_grpc_client(sys.argv[1])
assert client.get_model_status("full")[1]["state"] == "AVAILABLE"
metadata = client.get_model_metadata("full")
assert list(metadata["inputs"]) == ["image_bytes"], metadata
found = client.predict({"image_bytes": [open("a.png", "rb").read()]}, "full")
open("a.tfcm", "wb").write(found[0])
"""


def test_the_client_of_another_server_asks_ours(server, codec, tmp_path):
  pytest.importorskip("ovmsclient", reason="ovmsclient is not installed")
  (tmp_path / "a.png").write_bytes(exports.png(make_image(65, 127)))
  subprocess.run([sys.executable, "-c", _OVMS, f"127.0.0.1:{server.port}"], check=True,
                 cwd=tmp_path)
  assert (tmp_path / "a.tfcm").read_bytes() == codec.encode(make_image(65, 127))


@pytest.fixture
def triton(exported):
  pytest.importorskip("pytriton", reason="nvidia-pytriton is not installed")
  options = Options(port=0, rest_api_port=0, max_concurrency=2, shutdown_grace_seconds=5)
  server = TritonServer(
      options, [ModelConfig("full", str(exported / "full"))], SavedModel)
  server.start()
  yield server
  assert server.stop()


def _ask_triton(module, port, model, name, values, output):
  """Returns an output of a request of byte strings, and the errors, lists."""
  array = np.array(values, object)[:, None]
  tensor = module.InferInput(name, array.shape, "BYTES")
  tensor.set_data_from_numpy(array)
  client = module.InferenceServerClient(f"127.0.0.1:{port}")
  with contextlib.closing(client):
    answer = client.infer(model, [tensor])
  return [answer.as_numpy(key)[:, 0].tolist() for key in (output, "error")]


@pytest.mark.slow
def test_triton_serves_streams_and_images(triton, codec):
  import tritonclient.grpc
  import tritonclient.http
  images = [make_image(40, 50, seed=seed) for seed in range(4)]
  streams = [codec.encode(image) for image in images]
  files = [exports.png(image) for image in images]
  for module, port in ((tritonclient.grpc, triton.port),
                       (tritonclient.http, triton.rest_port)):
    for model in ("full", "full.encode"):
      assert _ask_triton(module, port, model, "image_bytes", files[:2],
                         "bitstream_bytes") == [streams[:2], [b"", b""]]
    (back,), _ = _ask_triton(module, port, "full.decode", "bitstream_bytes",
                             streams[:1], "image_bytes")
    assert np.abs(np.int32(read_image(back)) - codec.decode(streams[0])).max() <= 1
  # At once, one of them no image: the others are answered.
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(lambda file: _ask_triton(
        tritonclient.grpc, triton.port, "full.encode", "image_bytes", [file],
        "bitstream_bytes"), [*files[:3], b"no image"]))
  assert answers[:3] == [[[stream], [b""]] for stream in streams[:3]]
  assert answers[3][0] == [b""]
  assert answers[3][1] == [b"INVALID_ARGUMENT: the image is neither PNG nor JPEG"]


def test_triton_refuses_what_it_does_not_offer(monkeypatch):
  monkeypatch.setitem(sys.modules, "pytriton", None)
  with pytest.raises(UsageError, match="pip install 'tfc_models.triton.'"):
    TritonServer(Options(), [], SavedModel)
  monkeypatch.setitem(sys.modules, "pytriton", object())
  with pytest.raises(UsageError, match="grpc_socket_path is not offered"):
    TritonServer(Options(grpc_socket_path="x"), [], SavedModel)
