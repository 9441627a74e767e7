"""How fast single variables learn: factors on their rate, gradients too small for it."""

import contextlib

import numpy as np
import tensorflow as tf


@contextlib.contextmanager
def scaled(factors):
  """A context in which what an optimizer adds to variables is multiplied.

  For Adam and others whose step is proportional to the learning rate, that is a
  learning rate of their own; clipping and moments do not see it.

  Args:
    factors: list of (variable, float).
  """
  before = [tf.identity(variable) for variable, _ in factors]
  yield
  for (variable, factor), old in zip(factors, before):
    variable.assign(old + factor * (variable - old))


def below_epsilon(optimizer, variables):
  """Returns those of the variables of an Adam whose gradients are below its epsilon.

  Adam divides a gradient by its root mean square and epsilon: a variable stands
  still where the second hides the first. The mean is that of Adam's own moments,
  after clipping; of a variable the median element counts among those that have had
  a gradient at all, as masked taps of a kernel have none.

  Args:
    optimizer: Keras optimizer, built for `variables`. Of others than Adam, and of
      one whose moments are all zero, nothing is known.
    variables: list, in the order in which the optimizer was built.
  """
  moments = [value.numpy() for value in getattr(optimizer, "_velocities", ())]
  if not any(value.any() for value in moments):
    return []
  seen = 1.0 - optimizer.beta_2 ** float(optimizer.iterations)
  found = []
  for variable, value in zip(variables, moments):
    value = value[value > 0.0]
    if not value.size or np.sqrt(np.median(value) / seen) < optimizer.epsilon:
      found.append(variable)
  return found
