"""`TensorProto` to arrays, with doubt."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.serving.status import invalid

# A few bytes may claim a tensor of any size, by repeating their last value.
MAX_BYTES = 2**31
_MAX_RANK = 32  # Of NumPy.


def to_array(name, proto, max_bytes=MAX_BYTES):
  """Returns the array of a `TensorProto`; strings as an array of bytes objects.

  Args:
    name: what to call it in messages.
    proto: `TensorProto`.
    max_bytes: what the array may take at most.

  Raises:
    ServingError: if it claims more, or is none.
  """
  sizes = [dim.size for dim in proto.tensor_shape.dim]
  if proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0 or (
      len(sizes) > _MAX_RANK):
    raise invalid(f"input {name}: its shape is not one of a tensor")
  count = math.prod(sizes)
  try:
    dtype = tf.as_dtype(proto.dtype)
    num_bytes = count * dtype.size
    if dtype == tf.string:
      num_bytes += _string_bytes(proto.string_val, count)
    if num_bytes > max_bytes:
      raise invalid(f"input {name}: claims more than {max_bytes} bytes")
    if dtype == tf.string and not proto.string_val:
      return np.full(sizes, b"", object)  # TensorFlow's would be no bytes.
    return tf.make_ndarray(proto)
  except (TypeError, ValueError, KeyError, IndexError):
    raise invalid(f"input {name}: not a tensor") from None


def _string_bytes(values, count):
  """Returns the bytes of all strings, of which the last stands for those missing."""
  given = sum(map(len, values))
  return given + max(count - len(values), 0) * len(values[-1]) if values else 0
