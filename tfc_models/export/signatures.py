"""What signatures of exports have in common."""

import tensorflow as tf


def strings(name):
  """Returns the spec of an input of byte strings, (B,)."""
  return tf.TensorSpec([None], tf.string, name)


# A byte string, of one of a batch.
STRING = tf.TensorSpec([], tf.string)


def each(outputs, function, *inputs):
  """Returns what a function gives for each of a batch, a dict of tensors, (B, ...).

  One after the other: each keeps all cores busy, and its memory is free before the
  next begins.

  Args:
    outputs: dict from name to `tf.TensorSpec` of what the function gives for one.
    function: of one element of each input to a list of tensors.
    *inputs: tensors, (B, ...).
  """
  found = tf.map_fn(
      lambda elements: function(*elements), inputs, parallel_iterations=1,
      fn_output_signature=list(outputs.values()))
  return dict(zip(outputs, found))


def info(**answers):
  """Returns the signature `codec`: what a client must know, for each request.

  Args:
    **answers: name of an output, ending in `_bytes`, to bytes.
  """
  @tf.function(autograph=False, input_signature=[strings("request")])
  def codec(request):
    return {name: tf.fill(tf.shape(request), value)
            for name, value in answers.items()}

  return codec


def concrete(functions):
  """Returns name to concrete function, each function traced once.

  Args:
    functions: dict from name to `tf.function`; some may be the same.
  """
  traced = {id(function): function.get_concrete_function()
            for function in {id(one): one for one in functions.values()}.values()}
  return {name: traced[id(function)] for name, function in functions.items()}
