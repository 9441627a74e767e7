"""Generalized divisive normalization with the exponents of the papers."""

import tensorflow as tf

from tfc_models.upstream import tfc

# What new gammas are: of a channel itself, and of any other.
_OWN, _OTHERS = 0.1, 1e-3


class GDN(tfc.GDN):
  """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2); the inverse multiplies.

  The variables and their constraints are those of `tfc.GDN`. Its `call` decides
  between exponents by conditions that a graph keeps; with 2 and 1/2 fixed they
  are gone. Variables hold square roots, whose gradient vanishes with them: gammas
  that begin as zero, as those of `tfc.GDN` do off the diagonal, stay there. Ours
  begin a little above.

  Args:
    inverse: whether to multiply instead.
    name: as in Keras.

  Source: Balle, Laparra, Simoncelli, ICLR 2017, arXiv:1611.01704, equation 1,
    simplified as in their section 3.1.
  """

  def __init__(self, inverse=False, name=None):
    super().__init__(
        inverse=inverse, alpha_parameter=2, epsilon_parameter=0.5,
        gamma_initializer=_new_gamma, name=name)

  def call(self, x):
    gamma = self.gamma[None, None]
    pool = tf.nn.conv2d(tf.square(x), gamma, 1, "VALID")
    pool = tf.nn.bias_add(pool, self.beta)
    return x * (tf.sqrt(pool) if self.inverse else tf.math.rsqrt(pool))

  def assign(self, beta, gamma):
    """Sets the parameters of a layer that is built.

    Args:
      beta: (C,), at least 1e-6.
      gamma: (C, C), not negative; entry (j, i) is gamma_ij.
    """
    for parameter, value in (
        (self.beta_parameter, beta), (self.gamma_parameter, gamma)):
      # The variables are square roots, see `tfc.GDNParameter`.
      parameter.variable.assign(tf.sqrt(
          tf.cast(value, tf.float32) + parameter.offset**2))


def _new_gamma(shape, dtype):
  return _OTHERS + (_OWN - _OTHERS) * tf.eye(*shape, dtype=dtype)
