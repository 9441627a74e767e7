"""Clients know addresses, and what to try again, whoever answers."""

import base64
import contextlib
import http.server
import json
import threading
import time

import pytest

from tests.conftest import make_image
from tfc_models.errors import UsageError
from tfc_models.serving import Client, address


class _Scripted(http.server.BaseHTTPRequestHandler):
  """Answers with what a list says: a status, "cut", "slow" or a document."""

  protocol_version = "HTTP/1.1"

  def do_GET(self):
    self._send(200, {"model_version_status": [{"version": "1", "state": "AVAILABLE"}]})

  def do_POST(self):
    self.rfile.read(int(self.headers["Content-Length"]))
    self.server.asked += 1
    step = self.server.script.pop(0)
    if step == "cut":
      self.close_connection = True
    elif step == "slow":
      time.sleep(1)
      self.close_connection = True
    elif isinstance(step, int):
      self._send(step, {"error": "a reason\nand more"})
    else:
      self._send(200, step)

  def _send(self, status, document):
    data = json.dumps(document).encode()
    self.send_response(status)
    self.send_header("Content-Length", str(len(data)))
    self.end_headers()
    self.wfile.write(data)

  def log_message(self, *_):
    pass


@contextlib.contextmanager
def _scripted(*script, port=0):
  server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Scripted)
  server.script, server.asked = list(script), 0
  thread = threading.Thread(target=server.serve_forever, args=(0.05,))
  thread.start()
  try:
    yield server
  finally:
    server.shutdown()
    thread.join()
    server.server_close()


def _b64(data):
  return {"b64": base64.b64encode(data).decode()}


_INFO = {"outputs": [_b64(json.dumps(
    {"flavor": "full", "fingerprint": "01020304", "model": "m"}).encode())]}
_STREAM = {"outputs": [_b64(b"stream")]}


def _split_info(model, tables):
  info = {"flavor": "split", "fingerprint": "", "model": model, "arguments": {}}
  return {"outputs": {"info_bytes": [_b64(json.dumps(info).encode())],
                      "tables_bytes": [_b64(tables)]}}


@pytest.fixture
def quick(monkeypatch):
  monkeypatch.setattr("tfc_models.serving.retrying._FIRST_PAUSE", 0.01)


def test_what_may_pass_is_tried_again(quick):
  with _scripted(503, _INFO, 429, "cut", 503, _STREAM) as server:
    with Client(f"http://127.0.0.1:{server.server_port}") as client:
      assert client.compress(make_image(8, 8)) == b"stream"
    assert not server.script


def test_attempts_are_counted(quick):
  with _scripted(*[503] * 9) as server:
    with Client(f"http://127.0.0.1:{server.server_port}", retries=2) as client:
      with pytest.raises(UsageError, match="a reason .UNAVAILABLE"):
        client.compress(make_image(8, 8))
    assert server.asked == 3


@pytest.mark.parametrize("answer, reason", [
    (400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (500, "UNKNOWN"),
    ({"outputs": [_b64(b"no json")]}, "no export"), ({"outputs": 3}, "no sense"),
    ({}, "no sense"), ([], "no sense"),
    ({"outputs": [{"b64": "?"}]}, "no sense"), ({"outputs": [[1]]}, "lacks info"),
    ({"outputs": [_b64(b'{"flavor": "onnx", "fingerprint": ""}')]}, "no export"),
    (_split_info("none", b""), "cannot code"),
    (_split_info("bls2017", b""), "cannot code"),
    (_split_info("toderici2016", b""), "cannot code"),
])
def test_what_would_fail_again_is_not_tried_again(quick, answer, reason):
  with _scripted(answer, _INFO) as server:
    with Client(f"http://127.0.0.1:{server.server_port}/m") as client:
      with pytest.raises(UsageError, match=reason) as raised:
        client.compress(make_image(8, 8))
    assert server.asked == 1 and str(raised.value).startswith("http://127.0.0.1:")


def test_nothing_is_tried_after_the_deadline():
  with _scripted("slow", _INFO) as server:
    start = time.monotonic()
    with Client(f"http://127.0.0.1:{server.server_port}", timeout=0.3) as client:
      with pytest.raises(UsageError, match="no answer within 0.3 sec") as raised:
        client.compress(make_image(8, 8))
    assert time.monotonic() - start < 0.9 and server.asked == 1
    assert raised.value.argument == "timeout"


def test_nobody_there_is_told_in_a_line(quick):
  for scheme in ("grpc", "http"):
    with Client(f"{scheme}://127.0.0.1:1/m", retries=1) as client:
      with pytest.raises(UsageError, match="UNAVAILABLE"):
        client.compress(make_image(8, 8))
  with Client("http://nowhere.invalid/m") as client:
    with pytest.raises(UsageError, match="nowhere.invalid:8501/m: "):
      client.compress(make_image(8, 8))


@pytest.mark.parametrize("url, expected", [
    ("grpc://a", ("grpc", "a", 8500, "default", None, None)),
    ("http://a:1/", ("http", "a", 1, "default", None, None)),
    ("https://a/m", ("https", "a", 443, "m", None, None)),
    ("grpcs://[::1]:2/m/versions/3", ("grpcs", "::1", 2, "m", 3, None)),
    ("http://a/v1/models/m%20n/labels/best", ("http", "a", 8501, "m n", None, "best")),
])
def test_urls_say_where_a_model_is(url, expected):
  assert address.read(url) == expected


@pytest.mark.parametrize("url", [
    "", "localhost:8500", "ftp://a/m", "grpc://", "http://a:port/m", "http://a/m/n",
    "http://a/m:predict", "http://a/m?x=1", "http://me:secret@a/m", "grpc://a:99999"])
def test_what_is_no_url_of_a_model_is_refused(url):
  with pytest.raises(UsageError, match="wanted grpc://HOST"):
    Client(url)


def test_certificates_are_for_tls_and_must_be_some(tmp_path):
  (tmp_path / "ca.pem").write_text("nothing")
  with pytest.raises(UsageError, match="go with grpcs and https"):
    Client("http://a", ca=str(tmp_path / "ca.pem"))
  for ca in ("ca.pem", "missing.pem"):
    with pytest.raises(UsageError, match=ca):
      Client("https://a", ca=str(tmp_path / ca))
  with pytest.raises(UsageError, match="missing.pem"):
    Client("grpcs://a", ca=str(tmp_path / "missing.pem"))
