"""Requests and answers of `Predict` for clients, without TensorFlow.

The classes of tensorflow-serving-api load TensorFlow, which takes seconds that who
only sends files need not spend. A map is on the wire a list of keys and values.
"""

import numpy as np
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from tfc_models.serving import protos
from tfc_models.serving.status import ServingError

_FIELD = descriptor_pb2.FieldDescriptorProto
_INT32, _INT64, _BOOL, _STRING, _BYTES = (
    _FIELD.TYPE_INT32, _FIELD.TYPE_INT64, _FIELD.TYPE_BOOL, _FIELD.TYPE_STRING,
    _FIELD.TYPE_BYTES)
_SERVING = ".tensorflow.serving"

_MESSAGES = {
    # framework/tensor_shape.proto, framework/tensor.proto
    "Dim": (("size", 1, _INT64, False),),
    "TensorShape": (("dim", 2, f"{_SERVING}.Dim", True),),
    "Tensor": (
        ("dtype", 1, _INT32, False),
        ("tensor_shape", 2, f"{_SERVING}.TensorShape", False),
        ("tensor_content", 4, _BYTES, False),
        ("int_val", 7, _INT32, True),
        ("string_val", 8, _BYTES, True)),
    "Named": (
        ("key", 1, _STRING, False),
        ("value", 2, f"{_SERVING}.Tensor", False)),
    # apis/model.proto, apis/predict.proto
    "ModelSpec": (
        ("name", 1, _STRING, False),
        ("version", 2, ".google.protobuf.Int64Value", False),
        ("signature_name", 3, _STRING, False),
        ("version_label", 4, _STRING, False)),
    "PredictRequest": (
        ("model_spec", 1, f"{_SERVING}.ModelSpec", False),
        ("inputs", 2, f"{_SERVING}.Named", True)),
    "PredictResponse": (
        ("outputs", 1, f"{_SERVING}.Named", True),
        ("model_spec", 2, f"{_SERVING}.ModelSpec", False)),
}
_DT_INT32, _DT_STRING = 3, 7
# Of an array; the only one is a shape.
_MAX_NUMBERS = 64

_CLASSES = protos.declare("tfc_models/predict.proto", _MESSAGES)


def write_request(name, version, label, signature, inputs):
  """Returns the bytes of a request.

  Args:
    name, version, label: of the model, see `core.Request`.
    signature: its name.
    inputs: dict from name to a list of bytes or an int32 array.
  """
  request = _CLASSES["PredictRequest"]()
  spec = request.model_spec
  spec.name, spec.signature_name = name, signature
  if version is not None:
    spec.version.value = version
  if label is not None:
    spec.version_label = label
  for key, value in inputs.items():
    tensor = request.inputs.add(key=key).value
    if isinstance(value, list):
      tensor.dtype, shape = _DT_STRING, [len(value)]
      tensor.string_val.extend(value)
    else:
      tensor.dtype, shape = _DT_INT32, value.shape
      tensor.tensor_content = value.astype("<i4").tobytes()
    for size in shape:
      tensor.tensor_shape.dim.add(size=size)
  return request.SerializeToString()


def read_response(data):
  """Returns a dict from name to a list of bytes or an int32 array, and the version.

  Raises:
    ServingError: if there is anything else.
  """
  try:
    response = _CLASSES["PredictResponse"].FromString(data)
    return {entry.key: _values(entry.value) for entry in response.outputs}, (
        response.model_spec.version.value)
  except (DecodeError, ValueError):
    raise ServingError("INTERNAL", "an answer that makes no sense") from None


def _values(tensor):
  shape = [dim.size for dim in tensor.tensor_shape.dim]
  if shape[:1] != [1] or min(shape) < 0 or np.prod(shape) > _MAX_NUMBERS:
    raise ValueError
  if tensor.dtype == _DT_STRING and len(shape) == 1:
    (value,) = tensor.string_val
    return [value]
  if tensor.dtype != _DT_INT32:
    raise ValueError
  values = np.frombuffer(tensor.tensor_content, "<i4")
  if not values.size and tensor.int_val:
    # Values equal to the last are left out.
    values = np.int32(tensor.int_val)
    values = np.pad(values, (0, int(np.prod(shape)) - values.size), "edge")
  return values.reshape(shape)
