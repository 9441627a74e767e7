"""Large batches through a network, a few images at a time."""

import numpy as np
import tensorflow as tf

_AT_ONCE = 16


def in_parts(network, batch):
  """Returns what a function of tensors makes of a large batch, arrays."""
  return np.concatenate([
      np.asarray(network(tf.constant(some)))
      for some in np.array_split(batch, -(-len(batch) // _AT_ONCE))])
