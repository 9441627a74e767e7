"""TensorFlow Serving's REST API: paths, bodies, status codes."""

import asyncio
import json
import re
import time
import urllib.parse

from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from tfc_models.serving import core, descriptions, json_tensors, metrics, status

_ADDRESS = r"/([^/:]+)(?:/versions/(\d{1,18})|/labels/([^/:]+))?"
_PREDICT = re.compile(rf"(?i)/v1/models{_ADDRESS}:(classify|regress|predict)")
_STATUS = re.compile(rf"(?i)/v1/models{_ADDRESS}(/metadata)?")
_JSON = "application/json"


class PredictRequest(core.Request):
  """A body in JSON, answered by text in JSON.

  Args:
    name, version, label: of the model, see `core.Request`.
    body: bytes.
  """

  def __init__(self, name, version, label, body):
    self.name, self.version, self.label = name, version, label
    self._body = body
    self._document = None

  def signature_name(self):
    # Here, not before: in the thread that works on the request.
    if self._document is None:
      self._document = json_tensors.read_object(self._body)
      self._body = None
    return json_tensors.signature_name(self._document)

  def inputs(self, signature):
    return json_tensors.read_inputs(self._document, signature)

  def answer(self, version, outputs):
    return json_tensors.write_outputs(
        outputs, json_tensors.is_row_format(self._document))


class RestApi:
  """The application for aiohttp, as `app`.

  Args:
    serving_core: `Core`.
    max_bytes: of a body.
    timeout: seconds that a request may take, from its header to its answer.
    metrics_path: where Prometheus finds the metrics; "": nowhere.
  """

  def __init__(self, serving_core, *, max_bytes, timeout, metrics_path=metrics.PATH):
    self._core = serving_core
    self._timeout = timeout
    self._metrics_path = metrics_path
    self.is_closing = False
    self.app = web.Application(client_max_size=max_bytes)
    self.app.router.add_route("*", "/{path:.*}", self._handle)

  async def _handle(self, request):
    try:
      if self.is_closing:
        raise status.ServingError("UNAVAILABLE", "the server is shutting down")
      return await self._answer(request)
    except web.HTTPException as error:  # As of a body that is too large.
      return _error(error.status, error.reason)
    except asyncio.CancelledError:
      raise
    # Whatever it is, the client is told, and others are served.
    except Exception as error:
      error = status.from_exception(error)
      return _error(status.HTTP[error.code], str(error))

  async def _answer(self, request):
    path = request.rel_url.raw_path
    if request.method == "GET" and self._metrics_path and (
        path == self._metrics_path):
      return web.Response(
          body=self._core.metrics.page(),
          headers={"Content-Type": metrics.CONTENT_TYPE})
    if request.method == "POST" and (match := _PREDICT.fullmatch(path)):
      *place, method = match.groups()
      return await self._predict(request, *_address(*place), method.lower())
    if request.method == "GET" and (match := _STATUS.fullmatch(path)):
      *place, wants_metadata = match.groups()
      return self._describe(*_address(*place), wants_metadata)
    if path.lower().startswith("/v1/"):
      return _error(400, f"Malformed request: {request.method} {path}")
    return _error(404, f"Not Found: {path}")

  async def _predict(self, request, name, version, label, method):
    if method != "predict":
      raise status.ServingError("UNIMPLEMENTED", f"{method} is not offered; use predict")
    deadline = time.monotonic() + self._timeout
    try:
      body = await asyncio.wait_for(request.read(), self._timeout)
    except asyncio.TimeoutError:
      return _error(408, "the request did not arrive in time")
    future = asyncio.wrap_future(self._core.predict(
        PredictRequest(name, version, label, body), "REST", deadline))
    del body
    try:
      text = await asyncio.wait_for(future, deadline - time.monotonic())
    except asyncio.TimeoutError:
      raise status.deadline_exceeded() from None
    return web.Response(text=text, content_type=_JSON)

  def _describe(self, name, version, label, wants_metadata):
    if wants_metadata:
      proto = get_model_metadata_pb2.GetModelMetadataRequest(
          metadata_field=["signature_def"])
    else:
      proto = get_model_status_pb2.GetModelStatusRequest()
    proto.model_spec.name = name
    if version is not None:
      proto.model_spec.version.value = version
    if label is not None:
      proto.model_spec.version_label = label
    if wants_metadata:
      text = _metadata_text(descriptions.metadata(self._core.manager, proto))
    else:
      text = _text(descriptions.model_status(self._core.manager, proto))
    return web.Response(text=text, content_type=_JSON)


def _address(name, version, label):
  """Returns name, number and label of a model, unquoted."""
  return (urllib.parse.unquote(name), None if version is None else int(version),
          None if label is None else urllib.parse.unquote(label))


def _error(code, message):
  return web.json_response({"error": message}, status=code)


def _text(proto):
  return json_format.MessageToJson(
      proto, preserving_proto_field_name=True, including_default_value_fields=True)


def _metadata_text(response):
  """Returns the text of a `GetModelMetadataResponse`, without a type URL."""
  signatures = get_model_metadata_pb2.SignatureDefMap()
  response.metadata["signature_def"].Unpack(signatures)
  return json.dumps({
      "model_spec": json.loads(_text(response.model_spec)),
      "metadata": {"signature_def": json.loads(_text(signatures))}}, indent=1)
