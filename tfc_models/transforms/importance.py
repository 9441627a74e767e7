"""How much of a site counts, and what a map of that is coded by."""

import tensorflow as tf

from tfc_models.layers import ScaledConv2D
from tfc_models.transforms.causal import CausalNetwork

# At first 88 % of all channels are kept, at all sites about the same.
_START = 2.0
_QUIET = 0.1


class Importance(tf.keras.layers.Layer):
  """Logits of importance, (B, H, W, 1), of a latent.

  Source: the branch of Li et al., CVPR 2018, arXiv:1703.10553.
  Departs: it sees the latent, where theirs sees features before the last layer.
  """

  def __init__(self, name="map_analysis_transform"):
    super().__init__(name=name)
    self.layers = [
        ScaledConv2D(128, 3, activation="relu", name="conv_0"),
        ScaledConv2D(64, 5, activation="relu", name="conv_1"),
        ScaledConv2D(1, 1, name="conv_2")]

  def call(self, y):
    """Returns the logits."""
    # Large and small values alike.
    x = tf.math.asinh(y)
    for layer in self.layers:
      x = layer(x)
    return _QUIET * x + _START


class LevelContext(CausalNetwork):
  """Numbers a site of a map of levels 0..L by its neighbours.

  Number // ways is the mean of the levels to the left and above, the rest how much they
  differ from the one between them. Levels outside are zero.

  Args:
    levels: L.

  Attributes:
    contexts: how many numbers there are.
  """

  ways = 4

  def __init__(self, levels, name="level_context"):
    super().__init__(1, [(0, -1), (-1, 0), (-1, -1)], name=name)
    self.contexts = self.ways * (levels + 1)

  def call(self, y_hat, side):
    """Returns the numbers, see `CausalNetwork`."""
    del side
    x = tf.pad(y_hat, [[0, 0], [1, 0], [1, 0], [0, 0]])
    return self._number(x[:, 1:, :-1], x[:, :-1, 1:], x[:, :-1, :-1])

  def site_weights(self):
    """Returns none."""
    return ()

  def at_sites(self, context, side, memory, weights):
    """Returns the numbers of single sites, see `CausalNetwork`."""
    return self._number(*tf.split(context, 3, axis=-1)), memory

  def _number(self, left, above, between):
    difference = tf.abs(left - between) + tf.abs(above - between)
    # Of 0, 1 to 2, 3 to 6, and more.
    unlike = sum(tf.cast(difference > bound, tf.float32) for bound in (0.5, 2.5, 6.5))
    return self.ways * tf.floor((left + above) / 2.0) + unlike
