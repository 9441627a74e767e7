"""Recurrent cells over images: (inputs, state) to (output, state).

A state is None before the first step, which stands for zeros. The convolution of
the inputs carries the stride, that of the state has none, so a state has the size
of the output.
"""

import numpy as np
import tensorflow as tf


class Cell(tf.keras.layers.Layer):
  """What all cells share.

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

  def _of_inputs(self, channels, ones=slice(0)):
    """Returns a convolution; its bias starts at 1 in the channels `ones`."""
    def bias(shape, dtype=None):
      start = np.zeros(shape)
      start[ones] = 1.0
      return tf.constant(start, dtype)

    return tf.keras.layers.Conv2D(
        channels, self.kernel_size, self.strides, "same",
        bias_initializer=bias, name="inputs")

  def _of_state(self, channels, name="state"):
    return tf.keras.layers.Conv2D(
        channels, self.hidden_kernel_size, 1, "same", use_bias=False,
        kernel_initializer="orthogonal", name=name)


class ConvLSTM(Cell):
  """Long short-term memory, no peepholes; its state is (hidden, memory).

      i, f, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b)
      c' = f c + i g, h' = o tanh(c'); the output is h'

  The bias of f starts at 1, so that the memory lasts.

  Source: Hochreiter and Schmidhuber, Neural Computation 1997; with convolutions,
    Shi et al., NeurIPS 2015, arXiv:1506.04214.
  """

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    filters = self.filters
    self.inputs = self._of_inputs(4 * filters, slice(filters, 2 * filters))
    self.state = self._of_state(4 * filters)

  def call(self, x, state=None):
    gates = self.inputs(x)
    if state is None:
      state = (tf.zeros_like(gates[..., :self.filters]),) * 2
    hidden, memory = state
    i, f, o, g = tf.split(gates + self.state(hidden), 4, axis=-1)
    memory = tf.sigmoid(f) * memory + tf.sigmoid(i) * tf.tanh(g)
    hidden = tf.sigmoid(o) * tf.tanh(memory)
    return hidden, (hidden, memory)


class ConvGRU(Cell):
  """Gated recurrent unit; its state is its output.

      z, r = sigmoid(W x + U h), h~ = tanh(W x + U (r h)), h' = (1 - z) h + z h~

  Source: Cho et al., EMNLP 2014, arXiv:1406.1078.
  """

  # Parts of the convolution of the inputs, in filters: z and r, h~.
  _parts = (2, 1)

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self._sizes = [part * self.filters for part in self._parts]
    self.inputs = self._of_inputs(sum(self._sizes))
    self.gates = self._of_state(2 * self.filters, "gates")
    self.candidate = self._of_state(self.filters, "candidate")

  def call(self, x, state=None):
    gates, candidate = tf.split(self.inputs(x), self._sizes, axis=-1)
    state = self._step(
        gates, candidate, tf.zeros_like(candidate) if state is None else state)
    return state, state

  def _step(self, gates, candidate, state):
    z, r = tf.split(tf.sigmoid(gates + self.gates(state)), 2, axis=-1)
    candidate = tf.tanh(candidate + self.candidate(r * state))
    return (1.0 - z) * state + z * candidate


class ResidualGRU(ConvGRU):
  """GRU with shortcuts around its time step and its layer.

      h' = GRU(x, h) + 0.1 Wh h; the output is h' + 0.1 Wx x

  Source: Toderici et al., CVPR 2017, arXiv:1608.05148, equations 6 and 7, with
    their factors.
  """

  _FACTOR = 0.1
  _parts = (2, 1, 1)  # And the shortcut.

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.shortcut = self._of_state(self.filters, "shortcut")

  def call(self, x, state=None):
    gates, candidate, shortcut = tf.split(self.inputs(x), self._sizes, axis=-1)
    if state is None:
      state = tf.zeros_like(shortcut)
    state = self._step(gates, candidate, state) + (
        self._FACTOR * self.shortcut(state))
    return state + self._FACTOR * shortcut, state


class AssociativeLSTM(Cell):
  """LSTM whose memory is bound to keys; its state is (hidden, memory).

  Channels are complex numbers, real parts first. With keys k_in and k_out of
  modulus at most 1 and N copies of the memory, the keys of copy s permuted by P_s:

      c_s' = f c_s + (P_s k_in) (i u), h' = o bound(mean_s (P_s k_out) c_s')

  f, i, o are sigmoids, u bounded; bound(a) = a / max(1, |a|). All come from W x + U
  h + b. The memory is (copies, B, H, W, filters).

  Args:
    filters, kernel_size, strides, hidden_kernel_size, name: see `Cell`; filters
      is even.
    copies: N.

  Source: Danihelka, Wayne, Uria, Kalchbrenner, Graves, "Associative long short-term
    memory", ICML 2016, arXiv:1602.03032; in a codec, Toderici et al., CVPR 2017.
  """

  def __init__(self, filters, *args, copies=4, **kwargs):
    super().__init__(filters, *args, **kwargs)
    if filters % 2:
      raise ValueError(f"`filters` must be even, got {filters}.")
    self.copies = copies
    # u and the keys are complex, f, i and o real: 3 + 3 / 2 times the channels.
    half = filters // 2
    self.inputs = self._of_inputs(9 * half, slice(half))
    self.state = self._of_state(9 * half)
    # The same on every machine: which permutations is of no importance.
    generator = np.random.RandomState(0)
    self._orders = [np.arange(filters // 2)] + [
        generator.permutation(filters // 2) for _ in range(copies - 1)]

  def call(self, x, state=None):
    parts = self.inputs(x)
    half = self.filters // 2
    if state is None:
      hidden = tf.zeros_like(parts[..., :self.filters])
      state = (hidden, tf.stack([hidden] * self.copies))
    hidden, memory = state
    parts += self.state(hidden)
    f, i, o = tf.split(tf.sigmoid(parts[..., :3 * half]), 3, axis=-1)
    u, key_in, key_out = (
        _bound(part) for part in tf.split(parts[..., 3 * half:], 3, axis=-1))
    u = _times(i, u)
    memory = tf.stack([
        _times(f, copy) + _product(self._permuted(key_in, order), u)
        for copy, order in zip(tf.unstack(memory), self._orders)])
    read = tf.add_n([
        _product(self._permuted(key_out, order), copy)
        for copy, order in zip(tf.unstack(memory), self._orders)])
    hidden = _times(o, _bound(read / self.copies))
    return hidden, (hidden, memory)

  def _permuted(self, x, order):
    return tf.gather(
        x, np.concatenate([order, order + self.filters // 2]), axis=-1)


# Complex numbers: real parts, then imaginary parts, along the channels.

def _product(a, b):
  a_real, a_imaginary = tf.split(a, 2, axis=-1)
  b_real, b_imaginary = tf.split(b, 2, axis=-1)
  return tf.concat([
      a_real * b_real - a_imaginary * b_imaginary,
      a_real * b_imaginary + a_imaginary * b_real], axis=-1)


def _times(real, a):
  return tf.concat([real, real], axis=-1) * a


def _bound(a):
  real, imaginary = tf.split(a, 2, axis=-1)
  square = tf.maximum(1.0, tf.square(real) + tf.square(imaginary))
  return _times(tf.math.rsqrt(square), a)
