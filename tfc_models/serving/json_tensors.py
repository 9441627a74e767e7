"""Tensors as JSON, as TensorFlow Serving's REST API has them."""

import base64
import binascii
import json

import numpy as np
import tensorflow as tf

from tfc_models.serving.signatures import dtype_of
from tfc_models.serving.status import ServingError, invalid

# Suffix of the names of tensors whose strings are bytes, not text.
BYTES = "_bytes"
# Each list takes 64 bytes of memory for two or three of the request.
_MAX_LISTS = 4_000_000
_MAX_RANK = 32  # Of NumPy.


def read_object(body):
  """Returns the JSON object of a request.

  Raises:
    ServingError: if it is none.
  """
  if body.count(b"[") + body.count(b"{") > _MAX_LISTS:
    raise invalid(f"JSON: more than {_MAX_LISTS} lists and objects")
  try:
    document = json.loads(body)
  except (ValueError, RecursionError) as error:
    reason = "nested too deeply" if isinstance(error, RecursionError) else (
        getattr(error, "msg", "no UTF-8, or a number of too many digits"))
    place = f" at offset: {error.pos}" if hasattr(error, "pos") else ""
    raise invalid(f"JSON Parse error: {reason}{place}") from None
  if not isinstance(document, dict):
    raise invalid("JSON: is not object")
  return document


def signature_name(document):
  """Returns the name of the signature that a request asks for, "" by default."""
  name = document.get("signature_name", "")
  if not isinstance(name, str):
    raise invalid("JSON: 'signature_name' key must be a string value.")
  return name


def is_row_format(document):
  """Returns whether a request is in row format; else it is in column format."""
  keys = {"instances", "inputs"} & document.keys()
  if not keys:
    raise invalid("Missing 'inputs' or 'instances' key")
  if len(keys) > 1:
    raise invalid(
        "JSON: expecting only one of 'inputs' or 'instances' keys to exist")
  return "instances" in keys


def read_inputs(document, signature):
  """Returns a dict from name to array; strings as arrays of bytes objects.

  Args:
    document: object of a request.
    signature: `SignatureDef` that names the inputs and their dtypes.

  Raises:
    ServingError: if they are not in the document, or of another kind.
  """
  infos = signature.inputs
  if is_row_format(document):
    columns = _columns(document["instances"], sorted(infos))
  else:
    columns = _named(document["inputs"], sorted(infos))
  return {name: _to_array(name, value, dtype_of(infos[name]))
          for name, value in columns.items()}


def _columns(instances, names):
  """Returns a dict from name to the list of its values, of "instances"."""
  if not isinstance(instances, list) or not instances:
    raise invalid("JSON: expecting 'instances' to be a list with values")
  if not _is_object(instances[0]):
    if len(names) != 1:
      raise invalid(
          "instances is a plain list, but expecting list of objects with the keys: "
          + ",".join(names))
    return {names[0]: instances}
  for number, item in enumerate(instances):
    if not _is_object(item) or sorted(item) != names:
      raise invalid(
          f"Failed to process element: {number} of 'instances' list. Its keys must "
          f"be equal to: {','.join(names)}")
  return {name: [item[name] for item in instances] for name in names}


def _named(inputs, names):
  """Returns a dict from name to value, of "inputs"."""
  if _is_object(inputs):
    for name in names:
      if name not in inputs:
        raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: inputs[name] for name in names}
  if len(names) != 1:
    raise invalid(
        "inputs is a plain value/list, but expecting an object with the keys: "
        + ",".join(names))
  return {names[0]: inputs}


def _is_object(value):
  """Returns whether a value has names of its own, and is no base64 data."""
  return isinstance(value, dict) and list(value) != ["b64"]


def _to_array(name, value, dtype):
  shape, items = [], [value]
  while items and isinstance(items[0], list):
    size = len(items[0])
    if not all(isinstance(item, list) and len(item) == size for item in items):
      raise invalid(f"input {name}: lists of one level must be of one size")
    shape.append(size)
    items = [below for item in items for below in item]
  if len(shape) > _MAX_RANK:
    raise invalid(f"input {name}: {len(shape)} levels of lists")
  array = np.empty(len(items), object) if dtype == tf.string else None
  if array is not None:
    array[:] = [_to_bytes(name, item) for item in items]
  else:
    array = _to_numbers(name, items, dtype)
  return array.reshape(shape)


def _to_bytes(name, item):
  if isinstance(item, dict) and isinstance(item.get("b64"), str) and len(item) == 1:
    text = item["b64"]
    try:
      return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
      raise invalid(f"input {name}: Unable to base64 decode") from None
  if not isinstance(item, str):
    raise _kind_error(name, item, "string")
  try:
    return item.encode()
  except UnicodeEncodeError:
    raise invalid(f"input {name}: a string that is no Unicode text") from None


def _to_numbers(name, items, dtype):
  kinds = set(map(type, items))
  allowed = {bool} if dtype.is_bool else (
      {int} if dtype.is_integer else {int, float})
  if not (dtype.is_bool or dtype.is_integer or dtype in (tf.float32, tf.float64)):
    raise ServingError(
        "UNIMPLEMENTED", f"input {name}: {dtype.name} has no form in JSON")
  if wrong := kinds - allowed:
    raise _kind_error(
        name, next(item for item in items if type(item) in wrong), dtype.name)
  if kinds and not dtype.is_bool:
    integers = [item for item in items if type(item) is int]
    limits = (dtype.min, dtype.max) if dtype.is_integer else (
        (-2**24, 2**24) if dtype == tf.float32 else (-2**53, 2**53))
    if integers and not (
        limits[0] <= min(integers) and max(integers) <= limits[1]):
      raise invalid(f"input {name}: a number does not fit into {dtype.name}")
  with np.errstate(over="ignore"):  # Of 1e308 float32 makes infinity.
    return np.array(items, dtype.as_numpy_dtype)


def _kind_error(name, item, wanted):
  kinds = {dict: "Object", list: "Array", str: "String", bool: "Boolean",
           int: "Number", float: "Number", type(None): "Null"}
  return invalid(
      f"input {name}: JSON Type: {kinds[type(item)]} is not of expected type: "
      f"{wanted}")


def write_outputs(outputs, row_format):
  """Returns the JSON text of an answer.

  Args:
    outputs: dict from name to array.
    row_format: whether as "predictions", a list of what belongs to each instance;
      else as "outputs", tensor by tensor. A sole output has no name in either.

  Raises:
    ServingError: if JSON cannot hold them.
  """
  if row_format and len({array.shape[:1] for array in outputs.values()} | {()}) != 2:
    raise invalid(
        "outputs have no common batch size, ask with 'inputs' instead of 'instances'")
  values = {name: _to_json(name, array) for name, array in outputs.items()}
  if len(values) == 1:
    (values,) = values.values()
  elif row_format:
    values = [dict(zip(values, row)) for row in zip(*values.values())]
  return json.dumps({"predictions" if row_format else "outputs": values})


def _to_json(name, array):
  if array.dtype == object:
    return _strings(name, array.tolist())
  if array.dtype == np.float32:
    # By way of the shortest text that stands for each: 0.2, not 0.20000000298.
    array = array.astype(str).astype(np.float64)
  elif array.dtype.kind not in "biu" and array.dtype != np.float64:
    raise ServingError(
        "UNIMPLEMENTED", f"output {name}: {array.dtype} has no form in JSON")
  return array.tolist()


def _strings(name, value):
  if isinstance(value, list):
    return [_strings(name, item) for item in value]
  if name.endswith(BYTES):
    return {"b64": base64.b64encode(value).decode()}
  try:
    return value.decode()
  except UnicodeDecodeError:
    raise ServingError(
        "UNIMPLEMENTED",
        f"output {name}: bytes that are no text, and its name does not end in "
        f"{BYTES}") from None
