"""Models, servers and clients for the tests of the model server."""

import contextlib
import functools
import http.client
import json
import shutil

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfc_models.serving import ModelConfig, Options, SavedModel, Server


class _Toy(tf.Module):
  """Halves numbers, burns time, counts bytes; no model of ours."""

  def __init__(self, offset):
    self.offset = tf.Variable(offset)

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
  def half(self, x):
    return {"y": x / 2 + self.offset}

  @tf.function(input_signature=[
      tf.TensorSpec([None, 2], tf.int64, "a"), tf.TensorSpec([None], tf.bool, "b")])
  def two(self, a, b):
    return {"sum": tf.reduce_sum(a, 1), "not": tf.logical_not(b)}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
  def size(self, image_bytes):
    image = functools.partial(tf.io.decode_png, channels=3)
    sizes = tf.map_fn(
        lambda data: tf.size(image(data)), image_bytes, fn_output_signature=tf.int32)
    return {"size": sizes, "image_bytes": image_bytes}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "seconds")])
  def burn(self, seconds):
    end = tf.timestamp() + tf.cast(tf.reduce_max(seconds), tf.float64)
    count = tf.while_loop(
        lambda _: tf.timestamp() < end, lambda i: i + 1, [tf.constant(0)])[0]
    with tf.control_dependencies([count]):
      return {"seconds": tf.identity(seconds)}


@tf.function(input_signature=[tf.TensorSpec([4], tf.float32, "pmf")])
def _cdf(pmf):
  # Of TensorFlow Compression; no server knows it who has not imported that.
  import tensorflow_compression as tfc
  return {"cdf": tfc.pmf_to_quantized_cdf(pmf, 8)}


def save(path, offset):
  """Puts a SavedModel at `path` whose y is x / 2 + offset."""
  toy = _Toy(float(offset))
  tf.saved_model.save(toy, str(path), signatures={
      "serving_default": toy.half, "two": toy.two, "size": toy.size,
      "burn": toy.burn, **({"cdf": _cdf} if offset == 1 else {})})


def put(source, base, number):
  """Makes a version of a SavedModel appear at once, as `tfcm export` does."""
  temporary = base / f".{number}"
  shutil.copytree(source, temporary)
  temporary.rename(base / str(number))


class Client:
  """Both ways to one server.

  Args:
    server: started `Server`.
  """

  def __init__(self, server, channel=None):
    self.server = server
    self.channel = channel or grpc.insecure_channel(f"127.0.0.1:{server.port}")
    self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
    self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

  def predict(self, inputs, name="toy", timeout=20, **spec):
    """Returns the `PredictResponse`, over gRPC."""
    return self.prediction.Predict(predict_request(inputs, name, **spec), timeout)

  def y(self, x, **spec):
    """Returns what the default signature makes of numbers, over gRPC."""
    response = self.predict({"x": np.float32(x)}, **spec)
    return tf.make_ndarray(response.outputs["y"]).tolist()

  def code(self, *arguments, **spec):
    """Returns the name of the code with which a prediction ends, over gRPC."""
    try:
      self.predict(*arguments, **spec)
    except grpc.RpcError as error:
      assert "\n" not in error.details() and error.details().isprintable()
      return error.code().name
    return "OK"

  def rest(self, path, body=None, headers=None):
    """Returns status and content, over REST; POST if there is a body."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", self.server.rest_port, timeout=20)
    with contextlib.closing(connection):
      if isinstance(body, dict):
        body = json.dumps(body)
      connection.request("GET" if body is None else "POST", path, body, headers or {})
      response = connection.getresponse()
      content = response.read()
      if "json" in response.headers["Content-Type"]:
        content = json.loads(content)
        assert (response.status == 200) == ("error" not in content)
      return response.status, content

  def count(self, status, name="toy"):
    """Returns how many requests ended with a code, by the metrics."""
    _, page = self.rest("/monitoring/prometheus/metrics")
    line = (f':tensorflow:serving:request_count{{model_name="{name}",'
            f'status="{status}"}} ')
    found = [text for text in page.decode().splitlines() if text.startswith(line)]
    return float(found[0].split()[-1]) if found else 0


def predict_request(inputs, name="toy", version=None, label=None, signature="",
                    outputs=()):
  """Returns a `PredictRequest` of arrays or of `TensorProto`s."""
  request = predict_pb2.PredictRequest(output_filter=outputs)
  request.model_spec.name = name
  request.model_spec.signature_name = signature
  if version is not None:
    request.model_spec.version.value = version
  if label is not None:
    request.model_spec.version_label = label
  for key, value in inputs.items():
    if isinstance(value, np.ndarray):
      value = tf.make_tensor_proto(value)
    request.inputs[key].CopyFrom(value)
  return request


def start(*configs, **options):
  """Returns a `Client` of a server of `ModelConfig`s, at any free ports."""
  options = {
      "port": 0, "rest_api_port": 0, "file_system_poll_wait_seconds": 0.05,
      "max_concurrency": 2, **options}
  server = Server(Options(**options), configs, SavedModel)
  server.start()
  return Client(server)


@contextlib.contextmanager
def serving(*configs, **options):
  """Yields the `Client` of `start`, and stops its server."""
  client = start(*configs, **options)
  try:
    yield client
  finally:
    assert client.server.stop()


def config(base, **options):
  return ModelConfig("toy", str(base), **options)
