"""Scales and biases of channels that depend on a condition, such as the rate.

Source: Choi, El-Khamy, Lee, "Variable rate deep image compression with a conditional
  autoencoder", ICCV 2019, arXiv:1909.04802, equation 8: a conditional convolution is a
  convolution and what stands here.
"""

import math
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tfc_models.layers.exact import activated, power_of_two, rounds
from tfc_models.ops import quantize

# How a positive scale follows from its variable, and the variable from it.
_LINKS = {"exp": (tf.exp, np.log),
          "softplus": (tf.nn.softplus, lambda scale: scale + np.log(-np.expm1(-scale)))}
# float32 holds integers up to 2**24.
_PRODUCT_BITS = 24


class Condition(NamedTuple):
  """What transforms and entropy models are told of the samples of a batch.

  Attributes:
    weights: (B, K) float, of each row of what a `Modulation` has learned: one of them
      for one of K cases, polynomials for what varies continuously.
    case: (B,) int32, number of a row in the integer tables of `ExactModulation`; None
      in training.
  """

  weights: tf.Tensor
  case: Optional[tf.Tensor] = None


class Modulation(tf.keras.layers.Layer):
  """Returns scale * x + bias of each channel, which depend on a `Condition`.

      scale = link(weights @ log_scale), bias = weights @ bias

  Starts as the identity, for "softplus" where weights add up to 1.

  Args:
    filters: C.
    rows: K.
    link: "exp" or "softplus".
    use_bias: whether there is one.
  """

  def __init__(self, filters, rows, link="exp", use_bias=True, name=None):
    super().__init__(name=name)
    self._link, self._unlink = _LINKS[link]
    self.filters = filters
    self.log_scale = self.add_weight(
        name="log_scale", shape=(rows, filters),
        initializer=tf.keras.initializers.Constant(float(self._unlink(1.0))))
    self.bias = self.add_weight(
        name="bias", shape=(rows, filters), initializer="zeros") if use_bias else None

  def call(self, x, condition):
    """Returns (B, H, W, C) of the same and a `Condition`."""
    scale, bias = self.factors(condition.weights)
    x *= scale[:, None, None]
    return x if bias is None else x + bias[:, None, None]

  def factors(self, weights):
    """Returns scale and bias, (N, C), of weights, (N, K); bias may be None."""
    scale = self._link(tf.linalg.matmul(weights, self.log_scale))
    return scale, None if self.bias is None else tf.linalg.matmul(weights, self.bias)

  def assign_scales(self, scales):
    """Sets the scale of each case, where weights are one of them for one of K cases.

    Args:
      scales: positive array that broadcasts to (K, C).
    """
    self.log_scale.assign(
        np.broadcast_to(self._unlink(np.float64(scales)), self.log_scale.shape))


class ExactModulation(Modulation):
  """The same of integers, by stored tables of integers, and an activation.

  With x in units of 2**-in_bits, clipped to `input_limit`, channel c becomes

      round(2**-shift x multiplier) + offset, then the activation

  in units of 2**-out_bits, where multiplier, shift and offset are those of the case and
  the channel. `fix_tables` computes them from what was learned.

  Args:
    filters, link, use_bias: as of `Modulation`.
    cases: (N, K) array, the weights of each case.
    in_bits, out_bits: ints, or a sequence of one for each channel.
    activation: as of `layers.ExactConv2D`.
    input_limit: inputs are clipped to it, a power of two.
  """

  def __init__(self, filters, cases, *, in_bits, out_bits, activation=None,
               input_limit=2.0**15, link="exp", use_bias=True, name=None):
    cases = np.asarray(cases, np.float32)
    super().__init__(filters, cases.shape[1], link, use_bias, name)
    self._cases = cases
    self.in_bits = np.broadcast_to(np.int32(in_bits), [filters])
    self.out_bits = np.broadcast_to(np.int32(out_bits), [filters])
    self.kind = activation
    self.input_limit = input_limit
    self._multiplier_bits = _PRODUCT_BITS - int(math.log2(input_limit))
    self.multiplier, self.shift, self.offset = (
        tf.Variable(tf.zeros([len(cases), filters], tf.int32), trainable=False,
                    name=table) for table in ("multiplier", "shift", "offset"))

  def build(self, input_shape):
    super().build(input_shape)
    with tf.init_scope():
      self.fix_tables()

  def call(self, x, condition):
    """Returns (B, H, W, C), integers as floats; reals within `layers.as_real`.

    Args:
      x: (B, H, W, C), likewise.
      condition: `Condition`, with a case unless within `as_real`.
    """
    if rounds(True):
      return self.at_sites(x, condition.case, self.site_weights())
    x = quantize.clip_towards(x, -self.input_limit, self.input_limit)
    scale, bias = self.factors(condition.weights)
    x *= scale[:, None, None] * power_of_two(self.out_bits - self.in_bits)
    if bias is not None:
      x += bias[:, None, None] * power_of_two(self.out_bits)
    return activated(x, self.kind)

  def site_weights(self):
    """Returns the tables made ready for `at_sites`, a tuple of tensors."""
    return tuple(tf.convert_to_tensor(table) for table in (
        self.multiplier, self.shift, self.offset))

  def at_sites(self, x, case, weights):
    """Returns the same function of integers at single sites.

    Args:
      x: (B, ..., C), integers as floats.
      case: (B,) int32.
      weights: of `site_weights`, of this layer or another one like it.
    """
    case = tf.reshape(case, [-1, *[1] * (x.shape.rank - 2)])
    multiplier, shift, offset = (tf.gather(table, case) for table in weights)
    x = quantize.clip_towards(x, -self.input_limit, self.input_limit)
    x = tf.round(x * tf.cast(multiplier, tf.float32) * power_of_two(-shift))
    return activated(x + tf.cast(offset, tf.float32), self.kind)

  def fix_tables(self):
    """Rounds what was learned to integers, for each case."""
    scale, bias = self.factors(self._cases)
    # Below 2**_multiplier_bits, so that no product leaves what float32 holds.
    _, exponent = np.frexp(scale.numpy())
    bits = self._multiplier_bits - exponent
    multiplier = np.round(np.ldexp(np.float64(scale.numpy()), bits))
    self.multiplier.assign(np.int32(np.minimum(multiplier, 2**self._multiplier_bits - 1)))
    self.shift.assign(np.int32(bits + self.in_bits - self.out_bits))
    if bias is not None:
      self.offset.assign(np.int32(np.round(
          np.ldexp(np.float64(bias.numpy()), self.out_bits))))
