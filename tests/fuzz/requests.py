"""Requests to the model server, over REST and gRPC, as nobody should send them."""

import base64
import contextlib
import io
import json
import random
import tempfile

import grpc
import numpy as np
from PIL import Image

from tests import serving
from tests.conftest import make_image
from tests.fuzz import mutation

# What may be answered: what a request did wrong, or that it asks for too much. Not that
# the server did something wrong.
_STATUSES = {200, 400, 404, 413, 429, 501, 503, 504}
_CODES = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE",
          "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "UNAVAILABLE", "DEADLINE_EXCEEDED"}
# Of gRPC's own library, where a message is none.
_NO_MESSAGE = "Exception deserializing request!"
_SERVICE = "/tensorflow.serving.{}/{}"
_METHODS = {"Predict": "PredictionService", "GetModelMetadata": "PredictionService",
            "GetModelStatus": "ModelService", "Classify": "PredictionService"}
_VALUES = (None, True, 0, -1, 1.5, 2**24 + 1, 2**63, 10**400, 1e308, float("nan"), "", "x",
           "\ud800", [], [[]], [[1], [2, 3]], {}, {"b64": "AA=="}, {"b64": "A"},
           {"b64": 7}, {"x": [1]}, [[[[1]]]])
_KEYS = ("instances", "inputs", "signature_name", "x", "a", "b", "b64", "image_bytes")
_TEXTS = (b"", b"{", b"null", b"[1]", b"\xff\xfe", b"[" * 200_000, b'{"inputs":' * 5_000,
          b'{"instances": [' + b"9" * 5_000 + b"]}", b'{"inputs": 1e999}')
_PATHS = ("/v1/models/toy:predict", "/v1/models/toy/versions/{}:predict",
          "/v1/models/toy/labels/{}:predict", "/v1/models/{}:predict",
          "/v1/models/toy:{}", "/v1/{}")
_PARTS = ("1", "2", "0", "9" * 18, "9" * 40, "", "stable", "%00", "%ff", "..%2f..", "a b",
          "classify", "\u00e9", "x" * 3000)


class Requests:
  """Requests to a server of a toy and, if exports are given, of codecs.

  Args:
    names: not looked at.
    client: `tests.serving.Client` of a server of `toy`; None starts one, with codecs.
    codecs: names of full exports that it has, of our signatures.
  """

  honest_mib = 0.0

  def __init__(self, names=(), client=None, codecs=()):
    del names
    if client is None:
      client, codecs = _started()
    self._client = client
    png = _png()
    self._bodies = [
        {"instances": [1, 3.0]}, {"inputs": {"x": [1, 2]}},
        {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [True]}},
        {"signature_name": "size", "instances": [{"b64": base64.b64encode(png).decode()}]}]
    self._inputs = [
        ("toy", "", {"x": np.float32([1, 2])}),
        ("toy", "two", {"a": np.int64([[1, 2]]), "b": np.array([True])}),
        ("toy", "size", {"image_bytes": np.array([png], object)})]
    for name in codecs:
      answer = client.predict(
          {"image_bytes": np.array([png], object)}, name, signature="encode")
      (stream,) = answer.outputs["bitstream_bytes"].string_val
      self._inputs += [
          (name, "encode", {"image_bytes": np.array([png], object)}),
          (name, "decode", {"bitstream_bytes": np.array([stream], object)})]

  def make(self, seed):
    """Returns the bytes of the case of a number: a line that says where to, a body."""
    chance = random.Random(seed)
    if chance.randrange(2):
      path = chance.choice(_PATHS).format(chance.choice(_PARTS)) if (
          chance.randrange(4) == 0) else _PATHS[0]
      return f"REST {path}\n".encode() + self._body(chance)
    method = chance.choice([*_METHODS, *["Predict"] * 12])
    return f"GRPC {method}\n".encode() + self._message(chance)

  def take(self, data):
    """Returns what the server said.

    Raises:
      AssertionError: if it says that it failed, or does not go on.
    """
    place, body = data.split(b"\n", 1)
    way, target = place.decode().split(" ", 1)
    said = (self._rest if way == "REST" else self._grpc)(target, body)
    if len(data) % 8 == 0:
      assert self._client.y([1]) in ([1.5], [2.5])
    return f"{way} {said}"

  def _rest(self, path, body):
    # Clients send no other characters.
    path = "".join(c if " " < c < "\x7f" else "%C3%A9" for c in path)
    code, content = self._client.rest(path, body)
    assert code in _STATUSES, (code, content)
    return code

  def _grpc(self, method, body):
    call = self._client.channel.unary_unary(_SERVICE.format(_METHODS[method], method))
    try:
      call(body, timeout=20)
    except grpc.RpcError as error:
      code, text = error.code().name, error.details()
      if (code, text) == ("INTERNAL", _NO_MESSAGE):
        return "no message"
      assert code in _CODES and text.isprintable(), (code, text)
      return code
    return "OK"

  def _body(self, chance):
    """Returns a body in JSON, more or less."""
    kind = chance.randrange(8)
    if kind == 0:
      return chance.choice(_TEXTS)
    document = json.loads(json.dumps(chance.choice(self._bodies)))
    for _ in range(chance.choice((1, 1, 2, 3))):
      _change(document, chance)
    with contextlib.suppress(ValueError):  # Numbers of too many digits.
      text = json.dumps(document).encode()
      return mutation.damaged(text, text, chance) if kind < 4 else text
    return b""

  def _message(self, chance):
    """Returns the bytes of a `PredictRequest`, more or less."""
    name, signature, inputs = chance.choice(self._inputs)
    inputs = {key: _coded(value, chance) for key, value in inputs.items()}
    request = serving.predict_request(inputs, name, signature=signature)
    for _ in range(chance.choice((1, 1, 2))):
      chance.choice((_dims, _dtype, _content, _spec, _drop, _string))(request, chance)
    data = request.SerializeToString()
    return mutation.damaged(data, data, chance) if chance.randrange(3) == 0 else data


def _started():
  """Returns the client of a server, which ends with the process, and names of codecs."""
  from tests import exports
  from tfc_models.serving import ModelConfig
  folder = tempfile.mkdtemp()
  serving.save(f"{folder}/toy/1", 2)
  exports.export_all(folder, ["full"])
  return serving.start(
      ModelConfig("toy", f"{folder}/toy"), ModelConfig("full", f"{folder}/full"),
      max_pixels=10_000, max_request_bytes=2**20), ("full",)


def _png():
  buffer = io.BytesIO()
  Image.fromarray(make_image(33, 34)).save(buffer, "PNG")
  return buffer.getvalue()


def _change(document, chance):
  """Changes something at any depth of what JSON holds."""
  place = document
  while True:
    keys = list(place) if isinstance(place, dict) else range(len(place))
    if not keys:
      return
    key = chance.choice(list(keys))
    if not isinstance(place[key], (dict, list)) or chance.randrange(2):
      break
    place = place[key]
  kind = chance.randrange(4)
  if kind == 0:
    del place[key]
  elif kind == 1 and isinstance(place, dict):
    place[chance.choice(_KEYS)] = place.pop(key)
  elif kind == 2 and isinstance(place[key], str):
    text = place[key]
    cut = chance.randrange(len(text) + 1)
    place[key] = text[:cut] + chance.choice(("", "!", "AAAA")) + text[cut + 1:]
  else:
    place[key] = chance.choice(_VALUES)


def _coded(array, chance):
  """Returns the `TensorProto` of an array, its bytes changed as streams are."""
  import tensorflow as tf
  if array.dtype == object and chance.randrange(2):
    data = array[0]
    with contextlib.suppress(Exception):  # What is no stream is changed byte by byte.
      return tf.make_tensor_proto(np.array(
          [mutation.structured(data, chance, [b"abcd"])], object))
    return tf.make_tensor_proto(np.array([mutation.damaged(data, data, chance)], object))
  return tf.make_tensor_proto(array)


def _one(request, chance):
  return request.inputs[chance.choice(sorted(request.inputs))] if request.inputs else (
      request.inputs["x"])


def _dims(request, chance):
  shape = _one(request, chance).tensor_shape
  kind = chance.randrange(4)
  if kind == 0:
    shape.unknown_rank = True
  elif kind == 1 and shape.dim:
    shape.dim[0].size = chance.choice((-1, 0, 1, 7, 2**20, 2**40, 2**62))
  elif kind == 2:
    shape.dim.add(size=chance.choice((0, 1, 2, 2**33)))
  else:
    del shape.dim[:]


def _dtype(request, chance):
  _one(request, chance).dtype = chance.choice((0, 1, 2, 3, 7, 8, 9, 19, 20, 21, 101, 999))


def _content(request, chance):
  tensor = _one(request, chance)
  kind = chance.randrange(4)
  if kind == 0:
    tensor.tensor_content = chance.randbytes(chance.randrange(40))
  elif kind == 1:
    tensor.float_val.extend([float("nan")] * chance.randrange(9))
  elif kind == 2:
    tensor.string_val.append(chance.randbytes(chance.randrange(40)))
  else:
    tensor.ClearField("tensor_content")


def _spec(request, chance):
  spec = request.model_spec
  kind = chance.randrange(4)
  if kind == 0:
    spec.name = chance.choice(("", "toy", "none", "x" * 3000, "\n\x1b[31m"))
  elif kind == 1:
    spec.signature_name = chance.choice(("", "half", "two", "size", "none", "\u00e9"))
  elif kind == 2:
    spec.version.value = chance.choice((-1, 0, 1, 2**62))
  else:
    request.output_filter.append(chance.choice(("y", "", "none")))


def _drop(request, chance):
  if request.inputs:
    name = chance.choice(sorted(request.inputs))
    if chance.randrange(2):
      request.inputs[chance.choice(_KEYS)].CopyFrom(request.inputs[name])
    del request.inputs[name]


def _string(request, chance):
  tensor = _one(request, chance)
  if tensor.string_val:
    tensor.string_val[0] = mutation.string(tensor.string_val[0], chance)
