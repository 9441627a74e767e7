"""Tensors of a request against the signature that shall take them."""

import tensorflow as tf

from tfc_models.serving.status import ServingError, invalid


def dtype_of(info):
  """Returns the `tf.DType` that a `TensorInfo` names."""
  return tf.as_dtype(info.dtype)


def takes_batches(signature):
  """Returns whether all inputs of a signature have a first axis of any size."""
  shapes = [info.tensor_shape for info in signature.inputs.values()]
  return all(shape.dim and shape.dim[0].size < 0 for shape in shapes)


def check_inputs(signature, inputs):
  """Raises ServingError unless arrays fit a signature.

  Args:
    signature: `SignatureDef`.
    inputs: dict from name to array; strings are arrays of bytes objects.
  """
  wanted = signature.inputs
  if inputs.keys() != wanted.keys():
    extra = sorted(inputs.keys() - wanted.keys())
    missing = sorted(wanted.keys() - inputs.keys())
    raise invalid(
        "input size does not match signature: "
        f"{len(inputs)}!={len(wanted)}. Sent extra: {{{','.join(extra)}}}. "
        f"Missing but required: {{{','.join(missing)}}}.")
  for name, array in inputs.items():
    _check(name, array, wanted[name])


def _check(name, array, info):
  if not info.name:
    raise ServingError(
        "UNIMPLEMENTED", f"input {name}: sparse and composite tensors are not served")
  dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
  if dtype != dtype_of(info):
    raise invalid(
        f"input {name}: expects {dtype_of(info).name} but {dtype.name} is provided")
  shape = tf.TensorShape(info.tensor_shape)
  if not shape.is_compatible_with(array.shape):
    raise invalid(
        f"input {name}: expects shape {shape} but {list(array.shape)} is provided")


def fetches(signature, output_filter=()):
  """Returns a dict from the outputs that are asked for to names of tensors.

  Args:
    signature: `SignatureDef`.
    output_filter: names of some outputs; none: all.

  Raises:
    ServingError: if there is no such output.
  """
  names = list(output_filter) or list(signature.outputs)
  for name in names:
    if name not in signature.outputs:
      raise invalid(
          f"output tensor alias not found in signature: {name} Outputs expected "
          f"to be in the set {{{','.join(sorted(signature.outputs))}}}.")
    if names.count(name) > 1:
      raise invalid(f"duplicate output tensor alias: {name}")
    if not signature.outputs[name].name:
      raise ServingError(
          "UNIMPLEMENTED",
          f"output {name}: sparse and composite tensors are not served")
  return {name: signature.outputs[name].name for name in names}
