"""Normalisation over the channels of each site."""

import math

import tensorflow as tf

# Of a normalisation that starts near the identity: what it adds to a variance, in
# multiples of the usual one.
_HEADROOM = 1000.0


class ChannelNorm(tf.keras.layers.Layer):
  """Gives the channels of a site mean and variance that are learned.

  (x - mean) / sqrt(variance + epsilon) * gamma + beta, with mean and variance over the
  channels at each site of (B, H, W, C), so that no site depends on another one.

  Args:
    quiet: whether it starts as zero, for the end of a residual branch.
    name: as in Keras.

  Source: Mentzer, Toderici, Tschannen, Agustsson, "High-fidelity generative image
    compression", NeurIPS 2020, arXiv:2006.09965, section 3.1; the variance is the
    unbiased one, as in the authors' code.
  Departs: epsilon is learned too, from their 1e-3 on, so that training can start near
    the identity, see `hold`.
  """

  def __init__(self, quiet=False, name=None):
    super().__init__(name=name)
    self.quiet = quiet

  def build(self, input_shape):
    shape = (input_shape[-1],)
    self.gamma = self.add_weight(
        "gamma", shape, initializer="zeros" if self.quiet else "ones")
    self.beta = self.add_weight("beta", shape, initializer="zeros")
    self.log_epsilon = self.add_weight(
        "log_epsilon", (), initializer=tf.keras.initializers.Constant(math.log(1e-3)))
    super().build(input_shape)

  def call(self, x):
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_sum(tf.square(centred), axis=-1, keepdims=True) / (
        max(x.shape[-1] - 1, 1))
    return centred * tf.math.rsqrt(
        variance + tf.exp(self.log_epsilon)) * self.gamma + self.beta

  def hold(self, variance):
    """Makes it subtract the mean, and change little else.

    Args:
      variance: the usual one over the channels of a site.
    """
    epsilon = _HEADROOM * variance
    self.log_epsilon.assign(math.log(epsilon))
    self.gamma.assign(tf.fill(self.gamma.shape, math.sqrt(epsilon + variance)))
    self.beta.assign(tf.zeros(self.beta.shape))

  def rescale(self, factor):
    """Lets it give for `factor` times x what it gave for x."""
    self.log_epsilon.assign_add(2.0 * math.log(factor))
