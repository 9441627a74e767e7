"""Conditions that hold eagerly and in graphs."""

import tensorflow as tf


def require(condition, make_error, message):
  """Goes on if a condition holds.

  Args:
    condition: scalar bool tensor.
    make_error: class of the exception; a graph raises InvalidArgumentError instead.
    message: text; formatted eagerly only, so it may be a function of no arguments.
  """
  if not tf.executing_eagerly():
    tf.debugging.Assert(
        condition, [make_error.__name__ if callable(message) else message])
  elif not bool(condition):
    raise make_error(message() if callable(message) else message)


def after(condition, text, value):
  """Returns `value`, which nothing in a graph sees unless a condition holds.

  Args:
    condition: scalar bool tensor.
    text: of the InvalidArgumentError otherwise. No values stand in it: bytes of a file
      do not belong into a message.
    value: tensor.
  """
  with tf.control_dependencies([tf.debugging.Assert(condition, [text])]):
    return tf.identity(value)
