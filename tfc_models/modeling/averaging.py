"""Moving averages of trained weights."""

import contextlib

import tensorflow as tf


class MovingAverage(tf.Module):
  """Keeps an exponential moving average of variables.

  Args:
    variables: list of variables; their present values are where it starts.
    momentum: weight of the old average in the new one. Less at first, so that
      the start is forgotten: (1 + n) / (10 + n) after n steps.

  Source: Polyak and Juditsky, "Acceleration of stochastic approximation by
    averaging", 1992; the momentum at the start is that of
    `tf.train.ExponentialMovingAverage`.
  """

  def __init__(self, variables, momentum):
    super().__init__()
    self.momentum = momentum
    self.averages = [tf.Variable(v, trainable=False) for v in variables]
    # References: the variables belong to the model alone.
    self._sources = tuple(variable.ref() for variable in variables)

  def update(self, step):
    """Moves the averages towards the variables, after step number `step`."""
    step = tf.cast(step, tf.float32)
    momentum = tf.minimum(self.momentum, (1.0 + step) / (10.0 + step))
    for average, source in self.pairs():
      average.assign_add((1.0 - momentum) * (source - average))

  @contextlib.contextmanager
  def applied(self):
    """A context in which the variables hold their averages."""
    kept = [source.numpy() for _, source in self.pairs()]
    for average, source in self.pairs():
      source.assign(average)
    try:
      yield
    finally:
      for (_, source), value in zip(self.pairs(), kept):
        source.assign(value)

  def pairs(self):
    """Returns a list of (average, variable)."""
    return [
        (average, source.deref())
        for average, source in zip(self.averages, self._sources)]
