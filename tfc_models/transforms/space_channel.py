"""Networks that predict channels from those before, half a checkerboard at a time."""

import itertools

import numpy as np
import tensorflow as tf

from tfc_models.layers import ExactConv2D, ExactModulation, rounds
from tfc_models.ops import checkerboard

# Features and what is known of y_hat count in 1/32; means in 1/64.
FEATURE_BITS = 5
_MEAN_BITS = 6
# So many more bits before a modulation.
MORE_BITS = 6
# Residuals, in standard deviations, are clipped to it.
_RESIDUAL_LIMIT = 6.0
# Of residuals in units of means, before they are divided.
_DIFFERENCE_LIMIT = 2.0**16
_RECIPROCAL_BITS = 7


class SpaceChannelNetwork(tf.Module):
  """From side information and what has been decoded to params of the next pass.

  Passes go over groups of channels, each first at one half of a checkerboard, then at
  the other. A pass is a small network of 1x1 layers, which sees the side information,
  by a 5x5 convolution all decoded channels at the half before, by a 3x3 convolution
  the groups before; all of integers (`layers.exact`). What is known of y_hat comes to
  it as residuals: how many standard deviations y_hat lies beside what the side
  information said, and the same without sign.

  Args:
    depths: channels of each group.
    width: of hidden layers.
    cases: of the `layers.ExactModulation` of the first one.
    scales: (64,) standard deviations of the tables.
    index_bits: fractional bits of outputs that are added to indexes, which start at
      0 bits.

  Source: He, Zheng, Sun, Wang, Qin, "Checkerboard context model for efficient learned
    image compression", CVPR 2021, arXiv:2103.15306; with groups of channels: He et
    al., "ELIC", CVPR 2022, arXiv:2203.10886, section 3.2.
  Departs: the first half sees the groups before by a network of its own; residuals
    instead of y_hat; integers.
  """

  def __init__(self, depths, width, cases, scales, index_bits=3,
               name="context_network"):
    super().__init__(name)
    self.depths = tuple(depths)
    ends = list(itertools.accumulate(depths))
    self.ranges = [(end - depth, end) for depth, end in zip(depths, ends)]
    bits = {"in_bits": FEATURE_BITS, "out_bits": FEATURE_BITS, "rate": 20.0}
    self.passes = [
        _Pass(2 * low if low else None, 2 * high if half else None, width, high - low,
              cases, index_bits, bits)
        for low, high in self.ranges for half in (0, 1)]
    scales = np.asarray(scales, np.float64)
    self._least, self._log_step = scales[0], np.mean(np.diff(np.log(scales)))
    self._means = tf.constant(np.round(scales * 2**_MEAN_BITS), tf.float32)
    # By a product and a shift: 1 / (scale + 1/2), from units of means to those of
    # features.
    reciprocals = 2.0 ** (FEATURE_BITS - _MEAN_BITS) / (scales + 0.5)
    mantissa, exponent = np.frexp(reciprocals)
    self._reciprocals = tf.constant(
        np.ldexp(np.round(np.ldexp(mantissa, _RECIPROCAL_BITS)),
                 exponent - _RECIPROCAL_BITS), tf.float32)

  def outputs(self, group, half, features, before, first, condition):
    """Returns what a pass says: means and indexes to add, (2 B, H / 2, W / 2, 2 depth).

    Args:
      group, half: ints, which pass it is.
      features: (B, H, W, D) integers in units of 1/32.
      before: list of the residuals, (B, H, W, 2 C), of all groups before.
      first: of the second half, the residuals at the first one, (2 B, H / 2, W / 2,
        2 depth).
      condition: `layers.Condition`.
    """
    return self.passes[2 * group + half](
        checkerboard.half(features, half), half, before, first, condition)

  def refined(self, indexes, loc, outputs):
    """Returns indexes and loc after a pass has spoken.

    Args:
      indexes, loc: (..., C) of the side information; loc in multiples of 1/64.
      outputs: (..., 2 C) of `outputs`.
    """
    means, more = tf.split(outputs, 2, axis=-1)
    if rounds(True):
      by_mean = tf.round(
          self._of_scale(self._means, indexes) * means * 2.0**-FEATURE_BITS)
      return indexes + more, loc + by_mean * 2.0**-_MEAN_BITS
    scale = self._real_scale(indexes)
    return indexes + more, loc + scale * means * 2.0**-FEATURE_BITS

  def residuals(self, y_hat, indexes, loc):
    """Returns what later passes see of y_hat, (..., 2 C), in units of 1/32."""
    limit = _RESIDUAL_LIMIT * 2**FEATURE_BITS
    if rounds(True):
      difference = tf.round((y_hat - loc) * 2.0**_MEAN_BITS)
      difference = tf.clip_by_value(difference, -_DIFFERENCE_LIMIT, _DIFFERENCE_LIMIT)
      residual = tf.round(difference * self._of_scale(self._reciprocals, indexes))
    else:
      residual = 2.0**FEATURE_BITS * (y_hat - loc) / (self._real_scale(indexes) + 0.5)
    residual = tf.clip_by_value(residual, -limit, limit)
    return tf.concat([residual, tf.abs(residual)], axis=-1)

  def _of_scale(self, values, indexes):
    last = values.shape[0] - 1.0
    return tf.gather(
        values, tf.cast(tf.clip_by_value(tf.round(indexes), 0.0, last), tf.int32))

  def _real_scale(self, indexes):
    last = self._means.shape[0] - 1.0
    return self._least * tf.exp(
        self._log_step * tf.clip_by_value(indexes, 0.0, last))


class _Pass(tf.Module):
  """The network of one pass.

  Args:
    before, near: channels of the residuals of the groups before, and of all that the
      second half sees; None for none.
    width: of hidden layers.
    depth: channels that it speaks of.
    cases, index_bits: of `SpaceChannelNetwork`.
    bits: arguments of all its layers.
  """

  def __init__(self, before, near, width, depth, cases, index_bits, bits):
    super().__init__("pass")
    limit = _RESIDUAL_LIMIT * 2**FEATURE_BITS
    def conv(size, name):
      return ExactConv2D(width, size, 2, padding="VALID", input_limit=limit,
                         name=name, **bits)
    self.near = conv(5, "near") if near else None
    self.before = conv(3, "before") if before else None
    self.joined = ExactConv2D(
        width, 1, activation=None, name="joined",
        **{**bits, "out_bits": FEATURE_BITS + MORE_BITS})
    self.modulation = ExactModulation(
        width, cases, in_bits=FEATURE_BITS + MORE_BITS, out_bits=FEATURE_BITS,
        activation="leaky", name="modulation")
    self.hidden = ExactConv2D(width, 1, name="hidden", **bits)
    self.last = ExactConv2D(
        2 * depth, 1, activation="clip", name="last", zeros=True,
        **{**bits, "out_bits": [FEATURE_BITS] * depth + [index_bits] * depth})

  def __call__(self, features, half, before, first, condition):
    found = [features]
    if self.near is not None:
      seen = tf.concat([*before, checkerboard.whole(first)], axis=-1)
      found.append(self.near(checkerboard.surroundings(seen, half, 5)))
    if self.before is not None:
      found.append(self.before(
          checkerboard.surroundings(tf.concat(before, axis=-1), half, 3)))
    x = self.modulation(self.joined(tf.concat(found, axis=-1)), condition)
    return self.last(self.hidden(x))
