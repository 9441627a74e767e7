"""What an encoder does beyond rounding, by effort: symbols that suit the decoder.

    y_t <- (1 - eta) y_t + eta (y_hat - 1/2 dE/dy_hat / s^2),   y_hat = round(y_t)

with E the squared error of x_hat, s^2 what of it an error of 1 in y causes by itself:
errors of one coefficient make up for those of others. Rounding weighs bits against the
error by a weight that falls with the iterations, since what is left to gain is in y_t.
Streams, decoders and weights are the same at every effort.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from tfc_models.ops.graph import Graph

# Iterations at each effort; efforts in between are for what is to come.
ITERATIONS = {1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3, 7: 5, 8: 10, 9: 20}
# By iterations: eta, and what the weight falls to, from `_FIRST`, in units of `BITS`.
# Found on crops of eight images at one rate.
_SCHEDULES = {1: (0.5, 1.6), 2: (0.4, 1.4), 3: (0.35, 1.4), 5: (0.3, 1.3),
              10: (0.25, 1.2), 20: (0.15, 1.1)}
_FIRST = 2.3
# Bits that a squared error of 1 in units of a quantiser step is worth where the step is
# the best one, see `transform_model.high_rate_step`.
BITS = 6.0 / math.log(2.0)


class Worth(NamedTuple):
  """What an error of 1 in y is worth.

  Attributes:
    error: squared error on 0..255, of all pixels and channels; (C,) or a scalar.
    bits: scalar, in units of what is rounded.
  """

  error: tf.Tensor
  bits: tf.Tensor


class Refinement:
  """The iterations, as one graph for images of all sizes.

  Args:
    model: `TransformModel` with a `worth`.
  """

  def __init__(self, model):
    self._model = model
    self._graph = Graph(self._iterate, built=True)
    self._structure = None

  def __call__(self, x, y, told, settings):
    """Returns y and what the codec shall be told to round it.

    Args:
      x: (B, H, W, 3) in [0, 1].
      y: its latent.
      told: of `TransformModel.told`.
      settings: `Settings`, of which `effort` and `rounding` count.

    Returns:
      y, and a dict of keyword arguments for `LatentCodec`.
    """
    worth = self._model.worth(*told)
    count = ITERATIONS[settings.effort or 1]
    if worth is None or (not count and settings.rounding == 1.0):
      return y, {}
    bits = settings.rounding * worth.bits
    if not count:
      return y, {"rounding": _FIRST * bits}
    eta, last = _SCHEDULES[count]
    target = y
    for number in range(count):
      weight = _FIRST + (last - _FIRST) * number / count
      self._structure = (
          x, y, target, told, worth._replace(bits=bits), tf.constant(eta),
          tf.constant(weight))
      target = tf.ensure_shape(
          self._graph(*tf.nest.flatten(self._structure)), y.shape)
    return target, {"rounding": last * bits, "seen": y}

  def _iterate(self, *tensors):
    x, y, target, told, worth, eta, weight = tf.nest.pack_sequence_as(
        self._structure, tensors)
    model = self._model
    _, y_hat = model.latent_codec.symbols(
        target, *told, rounding=weight * worth.bits, seen=y)
    with tf.GradientTape() as tape:
      tape.watch(y_hat)
      error = tf.reduce_sum(tf.square(255.0 * (x - model.synthesize(y_hat, *told))))
    better = y_hat - tape.gradient(error, y_hat) / (2.0 * worth.error)
    return (1.0 - eta) * target + eta * better
