"""Tensors in JSON: what is taken, what is refused, what comes back."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.serving import ServingError, json_tensors

pytestmark = pytest.mark.xdist_group("serving")


def signature(**dtypes):
  proto = tf.compat.v1.saved_model.build_signature_def({}, {})
  for name, dtype in dtypes.items():
    proto.inputs[name].dtype = tf.as_dtype(dtype).as_datatype_enum
  return proto


def read(document, **dtypes):
  return json_tensors.read_inputs(document, signature(**dtypes))


@pytest.mark.parametrize("dtype, values", [
    ("float32", [0.25, 3, -1e30]), ("float64", [0.1, 2**53]),
    ("uint8", [0, 255]), ("int64", [-2**63, 2**63 - 1]), ("uint64", [2**64 - 1]),
    ("bool", [True, False]),
])
def test_numbers_keep_their_values_and_kinds(dtype, values):
  for document in ({"instances": values}, {"inputs": values}, {"inputs": {"x": values}},
                   {"instances": [{"x": value} for value in values]}):
    array = read(document, x=dtype)["x"]
    assert array.dtype == dtype
    assert array.tolist() == np.array(values, dtype).tolist()


@pytest.mark.parametrize("dtype, value", [
    ("float32", True), ("float32", "1"), ("float32", None), ("float32", {"b64": "AA=="}),
    ("float32", 2**24 + 1), ("float64", 2**60), ("uint8", 256), ("uint8", -1),
    ("int32", 1.0), ("int64", 2**63), ("int32", True), ("bool", 1), ("string", 1),
    ("string", {"b64": 1}), ("string", {"b64": "AA==", "more": 1}), ("string", {}),
    ("string", {"b64": "A"}), ("string", {"b64": "é"}), ("string", "\ud800"),
])
def test_a_value_of_another_kind_is_refused(dtype, value):
  with pytest.raises(ServingError) as caught:
    read({"inputs": [value]}, x=dtype)
  assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("document", [
    {}, {"instances": [1], "inputs": [1]}, {"instances": []}, {"instances": 1},
    {"instances": [1, {"x": 1}]}, {"instances": [{"x": 1}, 1]},
    {"instances": [{"x": 1, "y": 1}]}, {"instances": [{"y": 1}]},
    {"instances": [[1], [1, 2]]}, {"instances": [[1], 1]}, {"instances": [1, [1]]},
    {"inputs": {"y": 1}}, {"inputs": [[[1]], [1]]},
])
def test_a_document_of_another_form_is_refused(document):
  with pytest.raises(ServingError) as caught:
    read(document, x="float32")
  assert caught.value.code == "INVALID_ARGUMENT"


def test_several_inputs_must_be_named():
  for document in ({"instances": [1]}, {"inputs": [1]}, {"inputs": {"x": [1]}}):
    with pytest.raises(ServingError):
      read(document, x="float32", y="float32")


def test_strings_are_text_or_base64():
  array = read({"inputs": [["é", {"b64": "AP8="}], ["", {"b64": "AP8"}]]}, x="string")
  assert array["x"].tolist() == [["é".encode(), b"\0\xff"], [b"", b"\0\xff"]]


def test_lists_without_end_are_refused_before_they_are_parsed():
  with pytest.raises(ServingError, match="lists"):
    json_tensors.read_object(b'{"instances": [' + b"[]," * 4_000_001)


def written(outputs, row_format=False):
  return json.loads(json_tensors.write_outputs(outputs, row_format))


def test_floats_come_back_in_few_digits():
  text = json_tensors.write_outputs({"y": np.float32([0.2, 1, np.nan, -np.inf])}, True)
  assert text == '{"predictions": [0.2, 1.0, NaN, -Infinity]}'
  assert written({"y": np.float64([0.1])}) == {"outputs": [0.1]}


def test_rows_are_objects_if_there_are_several_outputs():
  outputs = {"a_bytes": np.array([b"\xff", b""], object), "n": np.int32([[1], [2]]),
             "text": np.array(["é".encode(), b"x"], object)}
  assert written(outputs, row_format=True) == {"predictions": [
      {"a_bytes": {"b64": "/w=="}, "n": [1], "text": "é"},
      {"a_bytes": {"b64": ""}, "n": [2], "text": "x"}]}
  assert written({"n": np.int32(7)}) == {"outputs": 7}


@pytest.mark.parametrize("outputs, code", [
    ({"a": np.int32([1]), "b": np.int32([1, 2])}, "INVALID_ARGUMENT"),
    ({"a": np.int32(1)}, "INVALID_ARGUMENT"),
    ({"a": np.array([b"\xff"], object)}, "UNIMPLEMENTED"),
    ({"a": np.array([1j])}, "UNIMPLEMENTED"),
])
def test_outputs_that_json_cannot_hold_are_refused(outputs, code):
  with pytest.raises(ServingError) as caught:
    written(outputs, row_format=True)
  assert caught.value.code == code
