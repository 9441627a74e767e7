"""Requests to the model server, good and bad, over gRPC and REST."""

import base64
import io
import json
import socket
import threading
import time
import zlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from tests import serving
from tests.conftest import make_image
from tests.fuzz.requests import Requests
from tfc_models.serving import status

pytestmark = pytest.mark.xdist_group("serving")
PREDICT = "/v1/models/toy:predict"


@pytest.fixture(scope="module")
def client(toys, tmp_path_factory):
  base = tmp_path_factory.mktemp("base")
  for number, toy in zip((1, 2), toys):
    serving.put(toy, base, number)
  with serving.serving(
      serving.config(base, latest=2, labels={"stable": 1, "canary": 2}),
      max_pixels=10_000, max_request_bytes=2**20,
      rest_api_timeout_in_ms=1500) as client:
    yield client


@pytest.fixture(autouse=True)
def goes_on(client):
  """Whatever a test did, the server answers and holds nothing."""
  yield
  assert client.y([1]) == [2.5]
  assert client.server.core.gate.wait_until_empty(10)


def png(height=6, width=5):
  buffer = io.BytesIO()
  Image.fromarray(make_image(height, width)).save(buffer, "PNG")
  return buffer.getvalue()


def b64(data):
  return {"b64": base64.b64encode(data).decode()}


def test_the_latest_version_answers_unless_one_is_named(client):
  assert client.y([1, 3]) == [2.5, 3.5]
  assert client.y([1, 3], version=1) == [1.5, 2.5]
  assert client.y([1], label="stable") == [1.5]
  assert client.y([1], label="canary") == [2.5]
  body = {"instances": [1, 3.0]}
  assert client.rest(PREDICT, body) == (200, {"predictions": [2.5, 3.5]})
  for place, y in (("versions/1", 1.5), ("labels/stable", 1.5), ("labels/canary", 2.5)):
    assert client.rest(f"/v1/models/toy/{place}:predict", body) == (
        200, {"predictions": [y, y + 1]})


def test_random_requests_are_answered_by_what_is_wrong_with_them(client, caplog):
  target = Requests(client=client)
  found = {target.take(target.make(number)) for number in range(150)}
  assert found >= {"REST 400", "REST 404", "GRPC OK", "GRPC INVALID_ARGUMENT",
                   "GRPC NOT_FOUND", "GRPC no message"}
  assert not caplog.records  # Strangers do not fill the log.


def test_names_that_clients_made_up_come_back_in_one_short_line(client):
  for name in ("\n\x1b[31m", "x" * 100_000):
    with pytest.raises(grpc.RpcError) as caught:
      client.predict({"x": np.float32([1])}, name)
    assert caught.value.code().name == "NOT_FOUND"
    assert caught.value.details().isprintable() and len(caught.value.details()) < 500


def test_version_0_is_the_latest_where_there_is_none(client):
  """OpenVINO's clients send it."""
  assert client.y([1], version=0) == [2.5]
  assert client.rest("/v1/models/toy/versions/0:predict", {"instances": [1]}) == (
      200, {"predictions": [2.5]})
  _, content = client.rest("/v1/models/toy/versions/0")
  assert len(content["model_version_status"]) == 2


def test_an_answer_names_what_made_it(client):
  spec = client.predict({"x": np.float32([1])}, label="stable").model_spec
  assert (spec.name, spec.version.value, spec.signature_name) == (
      "toy", 1, "serving_default")


def test_outputs_can_be_chosen(client):
  inputs = {"a": np.int64([[1, 2], [3, 4]]), "b": np.array([True, False])}
  response = client.predict(inputs, signature="two", outputs=["sum"])
  assert list(response.outputs) == ["sum"]
  assert tf.make_ndarray(response.outputs["sum"]).tolist() == [3, 7]
  for outputs in (["sum", "sum"], ["other"]):
    assert client.code(
        inputs, signature="two", outputs=outputs) == "INVALID_ARGUMENT"


def test_rest_has_rows_and_columns(client):
  rows = [{"a": [1, 2], "b": True}, {"a": [3, 4], "b": False}]
  columns = {"a": [[1, 2], [3, 4]], "b": [True, False]}
  assert client.rest(PREDICT, {"signature_name": "two", "instances": rows}) == (
      200, {"predictions": [{"sum": 3, "not": False}, {"sum": 7, "not": True}]})
  assert client.rest(PREDICT, {"signature_name": "two", "inputs": columns}) == (
      200, {"outputs": {"sum": [3, 7], "not": [False, True]}})


def test_bytes_travel_as_base64(client):
  data = png()
  assert client.rest(PREDICT, {"signature_name": "size", "inputs": [b64(data)]}) == (
      200, {"outputs": {"size": [90], "image_bytes": [b64(data)]}})
  response = client.predict({"image_bytes": np.array([data], object)}, signature="size")
  assert tf.make_ndarray(response.outputs["image_bytes"]).tolist() == [data]


@pytest.mark.parametrize("code, inputs, spec", [
    ("NOT_FOUND", {"x": np.float32([1])}, {"name": "unknown"}),
    ("NOT_FOUND", {"x": np.float32([1])}, {"version": 7}),
    ("INVALID_ARGUMENT", {"x": np.float32([1])}, {"label": "unknown"}),
    ("FAILED_PRECONDITION", {"x": np.float32([1])}, {"signature": "unknown"}),
    ("INVALID_ARGUMENT", {"x": np.int32([1])}, {}),
    ("INVALID_ARGUMENT", {"x": np.array([b"1"], object)}, {}),
    ("INVALID_ARGUMENT", {"x": np.float32([[1]])}, {}),
    ("INVALID_ARGUMENT", {"x": np.float32([1]), "z": np.float32([1])}, {}),
    ("INVALID_ARGUMENT", {"z": np.float32([1])}, {}),
    ("INVALID_ARGUMENT", {"image_bytes": np.array([b"\0\xff\n"], object)},
     {"signature": "size"}),
])
def test_grpc_says_what_is_wrong(client, code, inputs, spec):
  assert client.code(inputs, **spec) == code


@pytest.mark.parametrize("claim", [
    {"tensor_shape": {"dim": [{"size": 2**40}]}, "float_val": [1.0]},
    {"tensor_shape": {"dim": [{"size": 2**19}]}, "float_val": [1.0]},
    {"tensor_shape": {"dim": [{"size": -1}]}, "float_val": [1.0]},
    {"tensor_shape": {"unknown_rank": True}},
    {"tensor_shape": {"dim": [{"size": 3}]}, "tensor_content": b"12345"},
])
def test_a_tensor_that_claims_what_it_does_not_hold_is_refused(client, claim):
  """A value stands for all that follow, so a few bytes can claim terabytes."""
  proto = TensorProto(dtype="DT_FLOAT", **claim)
  assert client.code({"x": proto}) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("code, path, body", [
    (404, "/v1/models/unknown:predict", {"instances": [1]}),
    (404, "/v1/models/toy/versions/7:predict", {"instances": [1]}),
    (400, "/v1/models/toy/labels/unknown:predict", {"instances": [1]}),
    (400, "/v1/models/toy/versions/x:predict", {"instances": [1]}),
    (400, "/v1/models/toy:guess", {"instances": [1]}),
    (404, "/elsewhere", {"instances": [1]}),
    (404, "/v1/models/unknown", None),
    (404, "/v1/models/toy/versions/7", None),
    (400, "/v1/models/toy:predict", None),
    (501, "/v1/models/toy:classify", {"examples": [{"x": 1}]}),
    (501, "/v1/models/toy:regress", {"examples": [{"x": 1}]}),
    (400, PREDICT, {"signature_name": "unknown", "instances": [1]}),
    (400, PREDICT, {"signature_name": 7, "instances": [1]}),
    (400, PREDICT, {"signature_name": "size", "instances": [{"b64": "!"}]}),
    (400, PREDICT, {"signature_name": "size", "instances": [b64(b"no image")]}),
    (400, PREDICT, {"instances": ["1"]}),
    (400, PREDICT, {"instances": [b64(b"1")]}),
    (400, PREDICT, {"instances": [[1], [2]]}),
    (413, PREDICT, {"instances": [1] * 2**19}),
])
def test_rest_says_what_is_wrong(client, code, path, body):
  found, content = client.rest(path, body)
  assert found == code
  assert "\n" not in content["error"] and content["error"].isprintable()


def test_what_is_no_prediction_is_unimplemented(client):
  for method, request in (
      (client.prediction.Classify, classification_pb2.ClassificationRequest()),
      (client.prediction.Regress, regression_pb2.RegressionRequest())):
    with pytest.raises(grpc.RpcError) as caught:
      method(request)
    assert caught.value.code().name == "UNIMPLEMENTED"


def test_states_and_signatures_are_told(client):
  request = get_model_status_pb2.GetModelStatusRequest()
  request.model_spec.name = "toy"
  response = client.models.GetModelStatus(request)
  assert [(v.version, v.state, v.status.error_code)
          for v in response.model_version_status] == [(2, 30, 0), (1, 30, 0)]
  _, content = client.rest("/v1/models/toy/labels/stable")
  assert content == {"model_version_status": [{
      "version": "1", "state": "AVAILABLE",
      "status": {"error_code": "OK", "error_message": ""}}]}
  request = get_model_metadata_pb2.GetModelMetadataRequest(
      metadata_field=["signature_def"])
  request.model_spec.name = "toy"
  response = client.prediction.GetModelMetadata(request)
  signatures = get_model_metadata_pb2.SignatureDefMap()
  response.metadata["signature_def"].Unpack(signatures)
  assert signatures.signature_def["size"].inputs["image_bytes"].dtype == tf.string
  _, content = client.rest("/v1/models/toy/metadata")
  told = content["metadata"]["signature_def"]["signature_def"]
  assert told["serving_default"]["method_name"] == "tensorflow/serving/predict"
  assert content["model_spec"]["version"] == "2"


def test_strings_that_stand_for_others_count_as_often(client):
  claim = {"tensor_shape": {"dim": [{"size": 2**16}]}, "dtype": "DT_STRING"}
  for strings, reason in (([b"x" * 10**4], "claims"), ([], "Input is empty")):
    with pytest.raises(grpc.RpcError, match=reason):
      client.predict({"image_bytes": TensorProto(**claim, string_val=strings)},
                     signature="size")


def test_images_are_measured_before_they_are_decoded(client):
  claim = bytearray(png())
  claim[16:24] = (30_000).to_bytes(4, "big") * 2
  unreadable = bytes(claim)
  claim[29:33] = zlib.crc32(claim[12:29]).to_bytes(4, "big")
  from tfc_models import bitstream
  stream = bitstream.write(bitstream.Header("m", b"1234", 8192, 8192), [
      bitstream.Chunk(bitstream.LATENT, 0, (b"x",))])
  for data in (bytes(claim), png(101, 100), stream):
    inputs = {"image_bytes": np.array([data], object)}
    with pytest.raises(grpc.RpcError, match="pixels"):
      client.predict(inputs, signature="size")
    code, content = client.rest(
        PREDICT, {"signature_name": "size", "instances": [b64(data)]})
    assert code == 400 and "pixels" in content["error"]
  with pytest.raises(grpc.RpcError, match="header cannot be read"):
    client.predict({"image_bytes": np.array([unreadable], object)}, signature="size")
  # Of all images of a request together.
  assert client.code(
      {"image_bytes": np.array([png(50, 101)] * 2, object)}, signature="size"
  ) == "INVALID_ARGUMENT"
  assert client.code(
      {"image_bytes": np.array([png(50, 100)] * 2, object)}, signature="size") == "OK"


def test_a_deadline_ends_a_prediction(client):
  start = time.monotonic()
  assert client.code({"seconds": np.float32([30])}, signature="burn",
                     timeout=0.3) == "DEADLINE_EXCEEDED"
  # In TensorFlow, too: nothing goes on behind our back.
  assert client.server.core.gate.wait_until_empty(5)
  code, content = client.rest(
      PREDICT, {"signature_name": "burn", "instances": [30.0]})
  assert code == 504 and "deadline" in content["error"]
  assert client.server.core.gate.wait_until_empty(5)
  assert time.monotonic() - start < 20


def test_too_many_requests_are_refused(toys, tmp_path):
  serving.put(toys[0], tmp_path, 1)
  with serving.serving(
      serving.config(tmp_path), max_concurrency=1, max_queued=1) as client:
    slow = [threading.Thread(target=client.code, args=(
        {"seconds": np.float32([0.6])},), kwargs={"signature": "burn"})
            for _ in range(2)]
    for thread in slow:
      thread.start()
    while client.server.core.gate.inside < 2:
      time.sleep(0.01)
    assert client.code({"x": np.float32([1])}) == "RESOURCE_EXHAUSTED"
    code, content = client.rest(PREDICT, {"instances": [1]})
    assert code == 429 and "try again" in content["error"]
    # What takes no work is answered all the same.
    assert client.rest("/v1/models/toy")[0] == 200
    for thread in slow:
      thread.join()
    assert client.y([1]) == [1.5]


def test_a_client_that_vanishes_is_not_worked_for(toys, tmp_path):
  serving.put(toys[0], tmp_path, 1)
  with serving.serving(serving.config(tmp_path), max_concurrency=1) as client:
    gate = client.server.core.gate
    busy = threading.Thread(target=client.code, args=(
        {"seconds": np.float32([0.6])},), kwargs={"signature": "burn"})
    busy.start()
    while gate.inside < 1:
      time.sleep(0.01)
    call = client.prediction.Predict.future(
        serving.predict_request({"x": np.float32([1])}))
    rest = post(client, {"instances": [1]})
    while gate.inside < 3:
      time.sleep(0.01)
    call.cancel()
    rest.close()
    busy.join()
    assert gate.wait_until_empty(5)
    assert client.count("CANCELLED") == 2 and client.count("OK") == 1


def post(client, body, length=None):
  """Returns the socket of a request whose answer nobody has read."""
  connection = socket.create_connection(("127.0.0.1", client.server.rest_port))
  text = body if isinstance(body, bytes) else json.dumps(body).encode()
  connection.sendall((
      f"POST {PREDICT} HTTP/1.1\r\nHost: h\r\n"
      f"Content-Length: {length or len(text)}\r\n\r\n").encode() + text)
  return connection


def test_a_slow_client_keeps_nobody_waiting(client):
  slow = [post(client, b'{"inst', length=100) for _ in range(20)]
  start = time.monotonic()
  assert client.rest(PREDICT, {"instances": [1]})[0] == 200
  assert time.monotonic() - start < 2
  assert slow[0].recv(100).startswith(b"HTTP/1.1 408 ")
  for connection in slow:
    connection.close()


def test_random_bodies_get_documented_codes(client):
  rng = np.random.default_rng(5)
  good = json.dumps({"signature_name": "two", "instances": [
      {"a": [1, 2], "b": True}, {"a": [3, 4], "b": False}]}).encode()
  codes = set()
  for number in range(150):
    body = bytearray(good)
    if number % 3:
      for _ in range(rng.integers(1, 6)):
        body[rng.integers(len(body))] = rng.choice(list(b'[]{},:"01e-.\\tn\xff'))
    else:
      body = rng.integers(0, 256, rng.integers(0, 99), np.uint8)
    code, _ = client.rest(PREDICT, bytes(body))
    codes.add(code)
  assert 400 in codes and codes <= {200, 400, 501}
  for body in (b"[" * 10**5, b"[" * 900 + b"]" * 900, b"9" * 10**4,
               b'{"instances": [' + b"[" * 40 + b"]" * 40 + b"]}",
               b'{"instances": [1e999, NaN]}', b'{"inputs": {"x": {}}}',
               b'{"signature_name": "size", "instances": ["\\ud800"]}'):
    assert client.rest(PREDICT, body)[0] in (200, 400)
  # Not even HTTP.
  with socket.create_connection(("127.0.0.1", client.server.rest_port)) as raw:
    raw.sendall(b"\x16\x03\x01\x00\xa5" + bytes(100) + b"\r\n\r\n")
    assert b" 400 " in raw.recv(100)


def test_random_protos_get_documented_codes(client):
  rng = np.random.default_rng(6)
  good = serving.predict_request(
      {"a": np.int64([[1, 2]]), "b": np.array([True])}, signature="two"
  ).SerializeToString()
  send = client.channel.unary_unary(
      "/tensorflow.serving.PredictionService/Predict",
      request_serializer=lambda data: data,
      response_deserializer=predict_pb2.PredictResponse.FromString)
  codes = set()
  for _ in range(200):
    data = bytearray(good)
    for _ in range(rng.integers(1, 4)):
      data[rng.integers(len(data))] = rng.integers(256)
    try:
      send(bytes(data), timeout=20)
      codes.add("OK")
    except grpc.RpcError as error:
      codes.add(error.code().name)
  # INTERNAL is gRPC's own word for what is no proto.
  assert "INVALID_ARGUMENT" in codes and codes <= {
      "OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "INTERNAL"}


def test_a_message_beyond_the_limit_is_refused(client):
  assert client.code({"x": np.zeros(2**18 + 9, np.float32)}) == "RESOURCE_EXHAUSTED"


def test_health_is_told(client):
  stub = health_pb2_grpc.HealthStub(client.channel)
  for service in ("", "tensorflow.serving.PredictionService"):
    response = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_metrics_have_the_names_of_tensorflow_serving(client):
  before = client.count("OK")
  client.y([1])
  client.rest(PREDICT, {"instances": [1]})
  assert client.count("OK") == before + 2
  # Names that clients make up are no labels.
  client.code({"x": np.float32([1])}, name="made-up")
  code, page = client.rest("/monitoring/prometheus/metrics")
  text = page.decode()
  assert code == 200 and "made-up" not in text
  for entrypoint in ("GRPC", "REST"):
    assert (':tensorflow:serving:request_latency_count{API="Predict",'
            f'entrypoint="{entrypoint}",model_name="toy"}}') in text
  assert ":tensorflow:serving:runtime_latency_bucket" in text
  assert ('tfcm_serving_version_state{model_name="toy",state="AVAILABLE",'
          'version="2"} 1.0') in text
  assert "tfcm_serving_requests_in_flight 0.0" in text


def test_messages_of_tensorflow_become_one_printable_line():
  many = ("2 root error(s) found.\n  (0) INVALID_ARGUMENT: bad \x00 \x1b[3m\n"
          "\t [[{{node a}}]]\n  (1) INVALID_ARGUMENT: bad")
  assert status.one_line(many) == "(0) INVALID_ARGUMENT: bad ? ?[3m"
  assert status.one_line("Graph execution error:\n\nno [[{{node a}}]]") == "no"
  assert len(status.one_line("x" * 10**6)) == 400
  assert status.one_line("assertion failed: [no [PNG]] [[{{node a}}]]") == "no [PNG]"
