"""Networks of integers that predict the bits of a progressive code.

All activations are values of `layers.Lookup`, in units of 1/128.
"""

import tensorflow as tf

from tfc_models.layers import (
    LOOKUP_BITS,
    LOOKUP_LIMIT,
    ExactContextConv2D,
    ExactConv2D,
    lstm_step,
    rounds,
)
from tfc_models.ops import wavefront
from tfc_models.transforms.causal import CausalNetwork

_CONTEXT_SIZE = 7


class SignPredictor(CausalNetwork):
  """From the signs before a site, and side information, to its log odds.

  The last channel of the side information is handed on behind the log odds.

      x = (tanh(masked 7x7 of the signs), side)
      h = LSTM whose steps are rows: it sees x here and left of here, and its own
          hidden state in the row above at the three nearest sites
      log odds = 1x1(tanh(1x1(h)))

  Args:
    depth: signs of a site.
    width: channels of all layers.
    logit_bits: log odds count in 2**-logit_bits.
    tanh, sigmoid: `layers.Lookup`.
    exact: see `layers.exact`.
    name: as in Keras.

  Source: Toderici et al., CVPR 2017, arXiv:1608.05148, section 3.3, with the sizes
    of the authors' entropy coder in tensorflow/models.
  """

  # x of the left; hidden states and memory of the row above.
  memory_offsets = ((0, -1), (-1, -1), (-1, 0), (-1, 1))

  def __init__(self, depth, width, logit_bits, tanh, sigmoid, exact=True,
               name=None):
    super().__init__(
        depth, wavefront.causal_offsets(_CONTEXT_SIZE), exact, name)
    self.width = width
    self.memory_depth = 4 * width
    self.tanh, self.sigmoid = tanh, sigmoid
    self.context = ExactContextConv2D(
        width, _CONTEXT_SIZE, self.offsets, activation=tanh, in_bits=0,
        out_bits=LOOKUP_BITS, input_limit=1.0, exact=exact, name="context")
    self.gates = pointwise(4 * width, None, exact=exact, name="gates")
    self.head = pointwise(width, tanh, exact=exact, name="head")
    self.logits = pointwise(
        depth, None, out_bits=logit_bits, exact=exact, name="logits")

  def call(self, signs, side):
    """Returns the log odds of all sites, and the last of `side`: depth + 1 channels.

    Args:
      signs: (B, H, W, depth), of which a site sees those before it.
      side: (B, H, W, width + 1); the last channel is not seen.
    """
    x = tf.concat([self.context(signs), side[..., :-1]], axis=-1)
    if not self.gates.built:
      self.gates.build((None, None, None, 7 * self.width))
    weights = self.gates.site_weights()
    nothing = tf.zeros_like(x[:, 0, :, :self.width])

    def step(states, row):
      hidden, memory = states
      above = (_right(hidden), hidden, _left(hidden))
      return self._step(weights, _right(row), row, above, memory)

    hidden, _ = tf.scan(
        step, tf.transpose(x, [1, 0, 2, 3]), (nothing, nothing))
    hidden = tf.transpose(hidden, [1, 0, 2, 3])
    return tf.concat([self.logits(self.head(hidden)), side[..., -1:]], axis=-1)

  def site_weights(self):
    """See `CausalNetwork`."""
    return [layer.site_weights() for layer in (
        self.context, self.gates, self.head, self.logits)]

  def at_sites(self, context, side, memory, weights):
    """Returns the same of single sites, and their x, h and memory of the LSTM."""
    of_context, of_gates, of_head, of_logits = weights
    width = self.width
    now = tf.concat([
        self.context.at_sites(context, of_context), side[..., :-1]], axis=-1)
    left, *above = tf.split(memory, 4, axis=-1)
    hidden, memory = self._step(
        of_gates, left[..., :2 * width], now,
        [x[..., 2 * width:3 * width] for x in above], above[1][..., 3 * width:])
    logits = self.logits.at_sites(self.head.at_sites(hidden, of_head), of_logits)
    return (tf.concat([logits, side[..., -1:]], axis=-1),
            tf.concat([now, hidden, memory], axis=-1))

  def _step(self, weights, left, now, above, memory):
    gates = self.gates.at_sites(
        tf.concat([left, now, *above], axis=-1), weights)
    return lstm_step(gates, memory, self.tanh, self.sigmoid, rounds(self.exact))


class CodeMemory(tf.keras.layers.Layer):
  """What the codes of iterations so far say about the next: a recurrent network.

  Args:
    depth: signs of a site.
    width: channels of the hidden layers.
    tanh, sigmoid: `layers.Lookup`.
    exact: see `layers.exact`.

  Source: as of `SignPredictor`.
  """

  def __init__(self, depth, width, tanh, sigmoid, exact=True, name=None):
    super().__init__(name=name)
    self.width = width
    self.exact = exact
    self.tanh, self.sigmoid = tanh, sigmoid
    self.gates = pointwise(4 * width, None, exact=exact, name="gates")
    self.head = [
        pointwise(width, tanh, exact=exact, name="head_0"),
        pointwise(depth, tanh, exact=exact, name="head_1")]

  def call(self, x, state=None):
    """Returns what the next iteration sees, (B, H, W, depth), and the state.

    Args:
      x: (B, H, W, C), of the code of this iteration.
      state: as returned by the call before.
    """
    if state is None:
      nothing = tf.zeros_like(x[..., :1]) * tf.ones([self.width])
      state = (nothing, nothing)
    hidden, memory = state
    hidden, memory = lstm_step(
        self.gates(tf.concat([x, hidden], axis=-1)), memory, self.tanh,
        self.sigmoid, rounds(self.exact))
    x = hidden
    for layer in self.head:
      x = layer(x)
    return x, (hidden, memory)


def pointwise(filters, activation, out_bits=LOOKUP_BITS, **kwargs):
  """Returns a 1x1 convolution of values of `layers.Lookup`."""
  return convolution(filters, 1, activation, out_bits=out_bits, **kwargs)


def convolution(filters, kernel_size, activation, in_bits=LOOKUP_BITS,
                out_bits=LOOKUP_BITS, input_limit=LOOKUP_LIMIT, **kwargs):
  """Returns a convolution of values of `layers.Lookup`, or of other integers."""
  return ExactConv2D(
      filters, kernel_size, activation=activation, in_bits=in_bits,
      out_bits=out_bits, input_limit=input_limit, **kwargs)


def _right(x):
  """(B, W, C), each site with what was left of it."""
  return tf.pad(x, [[0, 0], [1, 0], [0, 0]])[:, :-1]


def _left(x):
  return tf.pad(x, [[0, 0], [0, 1], [0, 0]])[:, 1:]
