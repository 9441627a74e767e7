"""Sigmoid and tanh as stored tables of integers, and an LSTM made of them."""

import numpy as np
import tensorflow as tf

from tfc_models.ops import quantize

# Arguments and values count in 1/128.
LOOKUP_BITS = 7
_UNIT = 2.0**LOOKUP_BITS
# Arguments beyond 8 are taken as 8.
_LIMIT = 8 * 2**LOOKUP_BITS - 1
# The largest absolute value that comes out.
LOOKUP_LIMIT = _UNIT

# The memory of an LSTM counts in 1/1024, up to 8.
_MEMORY_BITS = 10
_MEMORY_LIMIT = 8.0 * 2**_MEMORY_BITS - 1.0

_FUNCTIONS = {
    "tanh": (np.tanh, tf.tanh, lambda y: 1.0 - tf.square(y)),
    "sigmoid": (lambda x: 1.0 / (1.0 + np.exp(-x)), tf.sigmoid,
                lambda y: y * (1.0 - y)),
}


class Lookup(tf.Module):
  """A function from integers to integers, equal on every machine.

  No two libraries round sigmoid and tanh alike, so the values are weights: computed
  once, stored, and never again. The gradient is that of the real function.

  Args:
    kind: "tanh" or "sigmoid".
  """

  def __init__(self, kind):
    super().__init__(name=kind)
    values, self._real, self._derivative = _FUNCTIONS[kind]
    self.table = tf.Variable(
        np.int32(np.round(_UNIT * values(np.arange(-_LIMIT, _LIMIT + 1) / _UNIT))),
        trainable=False, name="table")

  def __call__(self, x, exact=True):
    """Returns values of x, integers carried by floats, both in units of 1/128.

    Args:
      x: float tensor.
      exact: False gives the real function in the same units.
    """
    if not exact:
      return _UNIT * self._real(x / _UNIT)

    @tf.custom_gradient
    def look_up(x):
      position = tf.clip_by_value(tf.round(x), -_LIMIT, _LIMIT) + _LIMIT
      # Read as a whole: graphs with constants for variables know no ResourceGather.
      values = tf.gather(self.table.value(), tf.cast(position, tf.int32))

      def gradient(grad):
        return grad * self._derivative(self._real(x / _UNIT))

      return tf.cast(values, tf.float32), gradient

    return look_up(x)


def lstm_step(gates, memory, tanh, sigmoid, exact=True):
  """Returns hidden and memory of the next step of a fixed-point LSTM.

      c' = f c + i g, h' = o tanh(c'), each rounded; see `rnn_cells.ConvLSTM`

  Args:
    gates: (..., 4 * filters) integers in units of 1/128, before the functions.
    memory: (..., filters), as returned by the step before; zeros at first.
    tanh, sigmoid: `Lookup`.
    exact: False gives the real LSTM in the same units.

  Returns:
    hidden, integers in units of 1/128, and memory, in units of 1/1024.
  """
  rounded = quantize.round_straight_through if exact else tf.identity
  i, f, o, g = tf.split(gates, 4, axis=-1)
  # So that the memory lasts where nothing was learned yet.
  i, f, o = (sigmoid(gate, exact) for gate in (i, f + _UNIT, o))
  # All products stay below 2**21, which float32 holds exactly.
  memory = f * memory + i * tanh(g, exact) * 2.0**(_MEMORY_BITS - LOOKUP_BITS)
  memory = rounded(memory / _UNIT)
  if exact:
    memory = quantize.clip_towards(memory, -_MEMORY_LIMIT, _MEMORY_LIMIT)
  squashed = tanh(memory * 2.0**(LOOKUP_BITS - _MEMORY_BITS), exact)
  return rounded(o * squashed / _UNIT), memory
