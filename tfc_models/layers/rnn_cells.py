"""Recurrent cells over images: (inputs, state) to (output, state).

A state is None before the first step, which stands for zeros. The convolution of
the inputs carries the stride, that of the state has none, so a state has the size
of the output.
"""

import tensorflow as tf


class _Cell(tf.keras.layers.Layer):
  """Common part.

  Args:
    filters: channels of output and state.
    kernel_size, strides: of the convolution of the inputs.
    hidden_kernel_size: of the convolution of the state.
    name: as in Keras; a key of checkpoints.
  """

  def __init__(self, filters, kernel_size, strides=1, hidden_kernel_size=1,
               name=None):
    super().__init__(name=name)
    self.filters = filters
    self.kernel_size = kernel_size
    self.strides = strides
    self.hidden_kernel_size = hidden_kernel_size

  def _of_inputs(self, multiple, name, **kwargs):
    return tf.keras.layers.Conv2D(
        multiple * self.filters, self.kernel_size, self.strides, "same",
        name=name, **kwargs)

  def _of_state(self, multiple, name):
    return tf.keras.layers.Conv2D(
        multiple * self.filters, self.hidden_kernel_size, 1, "same",
        use_bias=False, kernel_initializer="orthogonal", name=name)


class ConvLSTM(_Cell):
  """Long short-term memory, no peepholes; its state is (hidden, memory).

      i, f, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b)
      c' = f c + i g, h' = o tanh(c'); the output is h'

  The bias of f starts at 1, so that the memory lasts.

  Source: Hochreiter and Schmidhuber, Neural Computation 1997; with convolutions,
    Shi et al., NeurIPS 2015, arXiv:1506.04214.
  """

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.inputs = self._of_inputs(
        4, "inputs", bias_initializer=self._initial_bias)
    self.state = self._of_state(4, "state")

  def call(self, x, state=None):
    gates = self.inputs(x)
    if state is None:
      state = (tf.zeros_like(gates[..., :self.filters]),) * 2
    hidden, memory = state
    i, f, o, g = tf.split(gates + self.state(hidden), 4, axis=-1)
    memory = tf.sigmoid(f) * memory + tf.sigmoid(i) * tf.tanh(g)
    hidden = tf.sigmoid(o) * tf.tanh(memory)
    return hidden, (hidden, memory)

  def _initial_bias(self, shape, dtype=None):
    ones = tf.ones([self.filters], dtype)
    return tf.concat([0.0 * ones, ones, 0.0 * ones, 0.0 * ones], axis=0)
