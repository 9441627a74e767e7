"""Networks of which some layers keep a state from one call to the next."""

import tensorflow as tf

from tfc_models.layers.rnn_cells import ConvLSTM

_CELLS = (ConvLSTM,)


class RecurrentStack(tf.keras.layers.Layer):
  """Layers in a row: (inputs, states) to (outputs, states).

  Args:
    layers: list of Keras layers and of cells, see `layers.rnn_cells`.
    name: as in Keras.
  """

  def __init__(self, layers, name=None):
    super().__init__(name=name)
    self.stack = list(layers)

  def call(self, x, states=None):
    """Returns the outputs and a list of the states of the cells.

    Args:
      x: (B, H, W, C).
      states: as returned by the call before, None for the first.
    """
    states = [None] * len(self.stack) if states is None else states
    following = []
    for layer, state in zip(self.stack, states):
      if isinstance(layer, _CELLS):
        x, state = layer(x, state)
      else:
        x = layer(x)
      following.append(state)
    return x, following


class DepthToSpace(tf.keras.layers.Layer):
  """(B, H, W, n n C) to (B, n H, n W, C)."""

  def __init__(self, factor):
    super().__init__()
    self.factor = factor

  def call(self, x):
    """See the class."""
    return tf.nn.depth_to_space(x, self.factor)


class SpaceToDepth(tf.keras.layers.Layer):
  """(B, n H, n W, C) to (B, H, W, n n C)."""

  def __init__(self, factor):
    super().__init__()
    self.factor = factor

  def call(self, x):
    """See the class."""
    return tf.nn.space_to_depth(x, self.factor)
