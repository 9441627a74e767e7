"""Functions whose variables have become constants."""

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)


def function(python_function, signature):
  """Returns a function as a graph without variables.

  Graphs that call it share one copy of it, and of its constants.

  Args:
    python_function: of tensors, or lists of them, to a structure of tensors.
    signature: list of `tf.TensorSpec`, or of lists of them, of its arguments.
  """
  traced = tf.function(
      python_function, autograph=False, input_signature=signature
  ).get_concrete_function()
  structure = traced.structured_outputs
  frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)

  def call(*arguments):
    found = frozen(*tf.nest.flatten(arguments))
    return tf.nest.pack_sequence_as(structure, tf.nest.flatten(found))

  call.graph = frozen.graph
  return call
