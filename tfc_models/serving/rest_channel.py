"""TensorFlow Serving's REST API as its clients speak it."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import urllib.parse

import numpy as np

from tfc_models.errors import UsageError
from tfc_models.serving.grpc_channel import MAX_BYTES
from tfc_models.serving.retrying import left
from tfc_models.serving.status import HTTP, ServingError, one_line

_PIECE = 2**18


class RestChannel:
  """Asks over HTTP; arguments and methods as of `GrpcChannel`."""

  def __init__(self, address, ca=None):
    self._address = address
    self._context = None
    if address.is_secure:
      try:
        self._context = ssl.create_default_context(cafile=ca)
      except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{ca}: no certificates in PEM ({error})") from None
    self._idle = []  # Connections that wait for the next request.

  def predict(self, signature, inputs, sole, deadline, version=None):
    """As of `GrpcChannel`."""
    if version is None:
      version = self._address.version
    if version is None:
      # The answers do not say which it was.
      version = self._latest(deadline)
    body = json.dumps({
        "signature_name": signature,
        "inputs": {name: _to_json(value) for name, value in inputs.items()}})
    answer = self._ask("POST", f"/versions/{version}:predict", body, deadline)
    outputs = answer.get("outputs")
    if not isinstance(outputs, dict) or set(outputs) == {"b64"}:
      outputs = {sole: outputs}
    return {name: _from_json(value) for name, value in outputs.items()}, version

  def close(self):
    """As of `GrpcChannel`."""
    while self._idle:
      self._idle.pop().close()

  def _latest(self, deadline):
    """Returns the number of the version that is asked when none is named."""
    label = self._address.label
    place = "" if label is None else f"/labels/{urllib.parse.quote(label)}"
    answer = self._ask("GET", place, None, deadline)
    try:
      return max(
          int(status["version"]) for status in answer["model_version_status"]
          if status["state"] == "AVAILABLE")
    except (KeyError, TypeError, ValueError):
      raise ServingError(
          "UNAVAILABLE", "no version of the model is available") from None

  def _ask(self, method, place, body, deadline):
    """Returns the JSON object that answers."""
    path = f"/v1/models/{urllib.parse.quote(self._address.model)}{place}"
    with self._errors():
      status, data = self._exchange(method, path, body, deadline)
    try:
      answer = json.loads(data)
      text = answer.get("error")
    except (ValueError, AttributeError, RecursionError):
      answer, text = {}, None
    if status != 200:
      raise ServingError(_code(status), one_line(text or f"HTTP status {status}"))
    return answer

  def _exchange(self, method, path, body, deadline):
    """Returns status and content."""
    connection = self._idle.pop() if self._idle else self._connection()
    try:
      connection.timeout = left(deadline)
      if connection.sock is None:
        connection.connect()
      connected = connection.sock
      connected.settimeout(left(deadline))
      connection.request(method, path, body, {"Content-Type": "application/json"})
      response = connection.getresponse()
      pieces, size = [], 0
      while True:
        connected.settimeout(left(deadline))
        piece = response.read(_PIECE)
        if not piece:
          break
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
          raise ServingError("INTERNAL", f"an answer of more than {MAX_BYTES} bytes")
    except BaseException:
      connection.close()
      raise
    self._idle.append(connection)
    return response.status, b"".join(pieces)

  def _connection(self):
    place = self._address
    if self._context:
      return http.client.HTTPSConnection(
          place.host, place.port, context=self._context)
    return http.client.HTTPConnection(place.host, place.port)

  @contextlib.contextmanager
  def _errors(self):
    """Names what happens on the way as gRPC does."""
    try:
      yield
    except (TimeoutError, socket.timeout):
      raise ServingError("DEADLINE_EXCEEDED", "no answer in time") from None
    except (ConnectionError, http.client.IncompleteRead) as error:
      raise ServingError("UNAVAILABLE", _reason(error)) from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
      # No such host, no such certificate, not HTTP: the same the next time.
      raise ServingError("UNKNOWN", _reason(error)) from None


def _reason(error):
  return one_line(getattr(error, "strerror", None) or error or type(error).__name__)


def _code(status):
  """Returns the first code of gRPC that an HTTP status stands for."""
  return next((code for code, number in HTTP.items() if number == status), "UNKNOWN")


def _to_json(value):
  if isinstance(value, list):
    return [{"b64": base64.b64encode(data).decode()} for data in value]
  return value.tolist()


def _from_json(value):
  """Returns a list of one bytes object, or an int32 array of one row."""
  try:
    (row,) = value
    if isinstance(row, dict):
      return [base64.b64decode(row["b64"], validate=True)]
    array = np.array([row])
    if array.dtype.kind != "i":
      raise ValueError
    return array.astype(np.int32)
  except (TypeError, ValueError, KeyError):
    raise ServingError("INTERNAL", "an answer that makes no sense") from None
