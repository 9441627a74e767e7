"""The contract of a network that predicts each site from those before it."""

import abc

import tensorflow as tf


class CausalNetwork(tf.keras.layers.Layer, abc.ABC):
  """What an `AutoregressiveCodec` walks with.

  The network says the same for all sites at once (`call`, for training and for
  encoders that know all of y_hat) and for single sites (`at_sites`, which sender and
  receiver share). `tests/conformance/causal.py` checks that it does, and that nothing
  sees the future.

  Attributes:
    offsets: list of (row, column), or of (channel, row, column), of the neighbours in
      y_hat that a site sees, see `ops.wavefront`.
    memory_offsets: likewise, where it sees what sites have left besides.
    memory_depth: channels of what a site leaves.
    depth: channels of a site: those of the latent, or 1 if offsets have a channel.
    exact: whether all of it is of integers, equal on every machine.
  """

  memory_offsets = ()
  memory_depth = 0

  def __init__(self, depth: int, offsets, exact: bool = True, name=None):
    super().__init__(name=name)
    self.depth = depth
    self.offsets = tuple(offsets)
    self.exact = exact

  @abc.abstractmethod
  def call(self, y_hat, side):
    """Returns the outputs at all sites, (B, *sizes, D).

    Args:
      y_hat: (B, *sizes, depth), of which a site sees those before it.
      side: (B, *sizes, ...) side information, which a site sees where it is.
    """

  @abc.abstractmethod
  def site_weights(self):
    """Returns the weights made ready for `at_sites`, a nest of tensors."""

  @abc.abstractmethod
  def at_sites(self, context, side, memory, weights):
    """Returns the same function of single sites, and what they leave.

    Args:
      context: (B, n, len(offsets) * depth) of y_hat, in the order of `offsets`.
      side: (B, n, ...).
      memory: (B, n, len(memory_offsets) * memory_depth), or None if there are none.
      weights: of `site_weights`, of this network or one of the same structure.

    Returns:
      outputs, (B, n, D), and (B, n, memory_depth), or None.
    """
