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
