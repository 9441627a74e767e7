"""Networks of which some layers keep a state from one call to the next."""

import numpy as np
import tensorflow as tf

from tfc_models.layers.rnn_cells import Cell


class RecurrentStack(tf.keras.layers.Layer):
  """Layers in a row: (inputs, states) to (outputs, states).

  Args:
    layers: list of Keras layers and of cells, see `layers.rnn_cells`.
    name: as in Keras.
  """

  def __init__(self, layers, name=None):
    super().__init__(name=name)
    self.stack = list(layers)

  def call(self, x, states=None, park=False):
    """Returns the outputs and a list of the states of the cells.

    Args:
      x: (B, H, W, C).
      states: as returned by the call before, None for the first.
      park: whether the states come as NumPy arrays. Tensors that wait for the next
        call scatter the memory of TensorFlow: its peak grows by a tenth.
    """
    states = [None] * len(self.stack) if states is None else states
    following = []
    for layer, state in zip(self.stack, states):
      if isinstance(layer, Cell):
        x, state = layer(x, state)
      else:
        x = layer(x)
      following.append(
          tf.nest.map_structure(np.array, state) if park and state is not None
          else state)
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


class Patchwise(tf.keras.layers.Layer):
  """Applies a network to each patch on its own.

  Args:
    network: Keras model or layer of a batch of patches.
    side: of the patches that it takes, in samples; 1 for vectors, (N, C).
    outputs: side of those that it returns; 1 for vectors.
  """

  def __init__(self, network, side, outputs):
    super().__init__()
    self.network = network
    self.side = side
    self.outputs = outputs

  def call(self, x):
    """(B, h side, w side, C) to (B, h outputs, w outputs, C')."""
    shape = tf.shape(x)
    rows, columns = shape[1] // self.side, shape[2] // self.side
    patches = tf.reshape(
        x, [shape[0], rows, self.side, columns, self.side, x.shape[-1]])
    patches = tf.reshape(
        tf.transpose(patches, [0, 1, 3, 2, 4, 5]),
        [-1, x.shape[-1]] if self.side == 1 else
        [-1, self.side, self.side, x.shape[-1]])
    y = self.network(patches)
    depth, side = y.shape[-1], self.outputs
    y = tf.reshape(y, [shape[0], rows, columns, side, side, depth])
    return tf.reshape(
        tf.transpose(y, [0, 1, 3, 2, 4, 5]),
        [shape[0], rows * side, columns * side, depth])


class AlongRaster(tf.keras.layers.Layer):
  """Applies a recurrent Keras layer to the sites of an image in raster order.

  Args:
    layer: such as `tf.keras.layers.LSTM(..., return_sequences=True)`.
  """

  def __init__(self, layer):
    super().__init__()
    self.layer = layer

  def call(self, x):
    """(B, H, W, C) to (B, H, W, C')."""
    shape = tf.shape(x)
    y = self.layer(tf.reshape(x, [shape[0], shape[1] * shape[2], x.shape[-1]]))
    return tf.reshape(y, [shape[0], shape[1], shape[2], y.shape[-1]])
