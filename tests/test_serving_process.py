"""`tfcm serve` as a process: its ends, its addresses, its errors."""

import concurrent.futures
import http.client
import json
import re
import signal
import ssl
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import pytest

from tests import serving
from tests.test_cli import tfcm
from tfc_models.serving import tls

pytestmark = pytest.mark.xdist_group("serving")
TFCM = [sys.executable, "-m", "tfc_models"]


@pytest.fixture
def base(toys, tmp_path):
  (tmp_path / "toy").mkdir()
  serving.put(toys[0], tmp_path / "toy", 1)
  return tmp_path / "toy"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
  """Paths of a key and of a certificate for localhost that it signed itself."""
  return serving.certificate(tmp_path_factory.mktemp("tls"))


class Traffic:
  """Asks without end, over gRPC or over REST, and keeps the score."""

  def __init__(self, port, rest_port):
    self.answered = self.refused = 0
    self.wrong = []
    self._rest_port = rest_port
    self.client = serving.Client(
        None, grpc.insecure_channel(f"127.0.0.1:{port}"))
    self._lock = threading.Lock()

  def _score(self, answered=None, wrong=None):
    with self._lock:
      self.answered += bool(answered)
      self.refused += answered is False
      self.wrong += [wrong] if wrong else []

  def grpc(self, stop):
    while not stop.is_set():
      try:
        self.client.predict({"seconds": np.float32([0.05])}, signature="burn")
        self._score(answered=True)
      except grpc.RpcError as error:
        # gRPC cancels what lies before its door in the moment in which it shuts.
        if error.code().name in ("UNAVAILABLE", "CANCELLED"):
          self._score(answered=False)
        else:
          self._score(wrong=str(error))

  def rest(self, stop):
    while not stop.is_set():
      connection = http.client.HTTPConnection("127.0.0.1", self._rest_port, timeout=20)
      try:
        connection.request("POST", "/v1/models/toy:predict", json.dumps(
            {"signature_name": "burn", "instances": [0.05]}))
        status = connection.getresponse().status
        self._score(answered=status == 200,
                    wrong=None if status in (200, 503) else f"HTTP {status}")
      except OSError:  # Of one that nobody took: there is no answer to half of it.
        self._score(answered=False)
      finally:
        connection.close()


def test_a_signal_ends_the_server_after_what_it_accepted(base):
  process = subprocess.Popen(
      [*TFCM, "serve", "--model_base_path", base, "--model_name=toy", "--port=0",
       "--rest_api_port=0", "--max_concurrency=2", "--enable_model_warmup=false"],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
  try:
    line = process.stdout.readline()
    traffic = Traffic(*map(int, re.findall(r":(\d+)\b", line)))
    # An op of TensorFlow Compression, in a process that did not import it.
    assert traffic.client.code(
        {"pmf": np.full(4, 0.25, np.float32)}, signature="cdf") == "OK"
    stop = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
      asking = [pool.submit(ask, stop) for ask in [traffic.grpc, traffic.rest] * 4]
      try:
        while traffic.answered < 20 and not traffic.wrong:
          time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
      finally:
        stop.set()
    for future in asking:
      future.result()
    assert not traffic.wrong
    assert traffic.refused
    _, err = process.communicate()
    # The server's own count: whom it answered has the answer.
    answered = int(re.search(r"(\d+) requests answered", err).group(1))
    assert answered == traffic.answered + 1
    assert "Traceback" not in err
  finally:
    process.kill()


def test_a_request_under_way_is_finished_and_new_ones_are_refused(base):
  client = serving.start(serving.config(base))
  call = client.prediction.Predict.future(serving.predict_request(
      {"seconds": np.float32([1])}, signature="burn"))
  rest = concurrent.futures.ThreadPoolExecutor(1).submit(
      client.rest, "/v1/models/toy:predict",
      {"signature_name": "burn", "instances": [1.0]})
  while client.server.core.gate.inside < 2:
    time.sleep(0.01)
  stopping = concurrent.futures.ThreadPoolExecutor(1).submit(client.server.stop)
  time.sleep(0.2)
  assert client.code({"x": np.float32([1])}) == "UNAVAILABLE"
  with pytest.raises(OSError):
    client.rest("/v1/models/toy")
  assert call.result().model_spec.version.value == 1
  assert rest.result()[0] == 200
  assert stopping.result()


def test_a_request_beyond_the_grace_is_given_up(base):
  client = serving.start(serving.config(base), shutdown_grace_seconds=0.3)
  call = client.prediction.Predict.future(serving.predict_request(
      {"seconds": np.float32([2])}, signature="burn"))
  while not client.server.core.gate.inside:
    time.sleep(0.01)
  start = time.monotonic()
  assert not client.server.stop()
  assert time.monotonic() - start < 1.5
  assert call.exception().code().name in ("CANCELLED", "UNAVAILABLE")
  assert client.server.core.gate.wait_until_empty(10)


def test_both_ways_in_can_be_encrypted(base, pair):
  key, certificate = pair
  config = base.parent / "ssl.config"
  config.write_text("".join(
      f"{name}: {json.dumps(path.read_text())}\n"
      for name, path in (("server_key", key), ("server_cert", certificate))))
  assert tls.read(config) == tls.read_pair(key, certificate)
  assert "PRIVATE" not in repr(tls.read(config))
  with serving.serving(serving.config(base), tls=tls.read(config)) as plain:
    server = plain.server
    channel = grpc.secure_channel(
        f"localhost:{server.port}",
        grpc.ssl_channel_credentials(certificate.read_bytes()))
    assert serving.Client(server, channel).y([1]) == [1.5]
    connection = http.client.HTTPSConnection(
        "localhost", server.rest_port,
        context=ssl.create_default_context(cafile=certificate))
    connection.request("GET", "/v1/models/toy")
    assert connection.getresponse().status == 200
    connection.close()
    assert plain.code({"x": np.float32([1])}, timeout=2) == "UNAVAILABLE"


def test_clients_without_a_certificate_can_be_refused(base, pair):
  key, certificate = (path.read_bytes() for path in pair)
  strict = tls.Tls(key, certificate, authority=certificate, client_verify=True)
  with serving.serving(serving.config(base), tls=strict) as plain:
    for own, code in (((), "UNAVAILABLE"), ((key, certificate), "OK")):
      channel = grpc.secure_channel(
          f"localhost:{plain.server.port}",
          grpc.ssl_channel_credentials(certificate, *own))
      assert serving.Client(plain.server, channel).code(
          {"x": np.float32([1])}, timeout=5) == code


def test_a_unix_socket_serves_alone(base):
  path = base.parent / "socket"
  with serving.serving(serving.config(base), port=-1, rest_api_port=-1,
                       grpc_socket_path=str(path)) as client:
    assert client.server.port is client.server.rest_port is None
    with grpc.insecure_channel(f"unix:{path}") as channel:
      assert serving.Client(client.server, channel).y([1]) == [1.5]


def test_a_port_that_is_taken_is_a_usage_error(base):
  with serving.serving(serving.config(base)) as client:
    for flag, port in (("--port", client.server.port),
                       ("--rest_api_port", client.server.rest_port)):
      code, _, err = tfcm("serve", "--model_base_path", str(base), "--port=0",
                          "--rest_api_port=0", f"{flag}={port}")
      assert code == 1 and str(port) in err and err.count("\n") == 1


@pytest.mark.parametrize("arguments, what", [
    ([], "--model_base_path"),
    (["--model_base_path=nowhere", "--model_config_file=x"], "name one"),
    (["--model_base_path=nowhere"], "nowhere"),
    (["--model_config_file=nowhere"], "nowhere"),
    (["--model_base_path=.", "--batching_parameters_file=x"], "--enable_batching"),
    (["--model_base_path=.", "--enable_batching=maybe"], "neither true nor false"),
    (["--model_base_path=.", "--enable_batching",
      "--batching_parameters_file=nowhere"], "nowhere"),
    (["--model_base_path=.", "--ssl_config_file=nowhere"], "nowhere"),
    (["--model_base_path=.", "--tls_key=x"], "--tls_cert"),
    (["--model_base_path=.", "--grpc_channel_arguments=x"], "name=value"),
    (["--model_base_path=.", "--max_concurrency=0"], "max_concurrency"),
    (["--model_base_path=.", "--max_pixels=-1"], "max_pixels"),
    (["--model_base_path=.", "--port=-1", "--rest_api_port=-1"], "port"),
])
def test_wrong_arguments_are_told_in_one_line(
    arguments, what, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  code, _, err = tfcm("serve", *arguments)
  assert code == 1 and what in err and err.count("\n") == 1


def test_a_missing_package_is_named_with_its_remedy(monkeypatch, tmp_path):
  monkeypatch.setitem(sys.modules, "aiohttp", None)
  code, _, err = tfcm("serve", "--model_base_path", str(tmp_path))
  assert code == 1 and "aiohttp" in err and "tfc_models[serve]" in err
