"""Networks that predict the subbands of a level from what was decoded before."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.layers import ExactConv2D, rounds
from tfc_models.ops import checkerboard
from tfc_models.ops.companding import COMPANDED_LIMIT, compand

PLANES = 3
BANDS = 3  # HL, LH, HH.
# Of each plane of LL there are the differences to the right and downwards.
_GRADIENTS = 2 * PLANES
# Raw integers are clipped to it.
_RAW_LIMIT = 255.0
# Features count in 1/32, and so do means; of indexes 8 are a unit of the real network.
_BITS = 5
_INDEX_BITS = 3
_SIZE = 5
# A mean absolute value of a logistic density over its scale.
_MEAN_ABSOLUTE = 2.0 * math.log(2.0)


class SubbandNetwork(tf.Module):
  """Predicts the nine coefficients of each site of a level: three bands, three planes.

  A trunk sees LL, which is known. Bands follow each other, each in two passes over the
  halves of a checkerboard; a pass sees the trunk's features, all bands before, and the
  half before of its own. In a pass planes follow each other, of which the next sees
  those before where it is. Means are linear in integers, as any classical predictor,
  and what a network adds in units of the scale. Networks see logarithms.

  Args:
    width: of hidden layers.
    features: of the trunk; 0 for what has no LL, the last LL itself, which is one band.
    scales: (N,) scales of the tables, evenly spaced in their logarithm.
    is_told: whether networks are told a quality.

  Source: of two passes, see `entropy_models.TwoPassCodec`.
  """

  def __init__(self, width, features, scales, is_told, name):
    super().__init__(name)
    self.trunk = _Trunk(features) if features else None
    self.is_told = is_told
    bands = BANDS if features else 1
    self.passes = [
        _Pass(PLANES * (band + half), _GRADIENTS if features else 0, features or 1,
              width, scales, f"pass_{band}_{half}")
        for band in range(bands) for half in (0, 1)]

  def look(self, ll, per_unit=None, quality=None):
    """Returns what passes see of LL, (B, H, W, .): differences and features.

    Args:
      ll: (B, H, W, PLANES) integers; of the last LL, which is not known, the shape.
      per_unit: (B, 1, 1, PLANES), what they are multiplied by.
      quality: (B,) int32, at most 100.
    """
    ll = tf.stop_gradient(ll)
    ones = tf.ones_like(ll[..., :1])
    # A constant, 1 of the real network; a quality, at most 3.
    told = tf.cast(quality, tf.float32)[:, None, None, None] * ones if (
        self.is_told) else None
    if self.trunk is None:
      return None, 2.0**_BITS * ones if told is None else told
    gradients = _differences(ll)
    if per_unit is not None:
      ll = tf.round(ll * per_unit)
      gradients = tf.round(gradients * tf.concat([per_unit, per_unit], axis=-1))
    limited = tf.clip_by_value(gradients, -_RAW_LIMIT, _RAW_LIMIT)
    return limited, self.trunk(ll, gradients, told)

  def start(self, deviations):
    """Starts with mean absolute values, (bands, PLANES), as if nothing were predicted."""
    for number, network in enumerate(self.passes):
      network.start(deviations[number // 2])


class _Trunk(tf.Module):
  """LL and its differences to features."""

  def __init__(self, features):
    super().__init__("trunk")
    bits = {"in_bits": _BITS, "out_bits": _BITS, "rate": 8.0}
    self.layers = [
        ExactConv2D(features, _SIZE, name="conv_0", **bits),
        ExactConv2D(features, 3, name="conv_1", **bits)]

  def __call__(self, ll, gradients, told):
    signed = compand(gradients)
    x = [signed, tf.abs(signed), tf.clip_by_value(ll, -_RAW_LIMIT, _RAW_LIMIT)]
    x = tf.concat(x if told is None else [*x, told], axis=-1)
    for layer in self.layers:
      x = layer(x)
    return x


class _Pass(tf.Module):
  """Half the sites of a band, all planes.

  Args:
    seen: planes of coefficients that are known.
    gradients: channels of the differences of LL.
    features: of the trunk.
    width: of hidden layers.
    scales: of `SubbandNetwork`.
  """

  def __init__(self, seen, gradients, features, width, scales, name):
    super().__init__(name)
    bits = {"in_bits": _BITS, "out_bits": _BITS, "rate": 8.0}
    raw = {"in_bits": 0, "out_bits": _BITS, "input_limit": _RAW_LIMIT, "rate": 4.0,
           "activation": None, "zeros": True}
    self.near = ExactConv2D(
        width, _SIZE, 2, padding="VALID", name="near",
        **{**bits, "input_limit": COMPANDED_LIMIT}) if seen else None
    self.linear = ExactConv2D(
        PLANES, _SIZE, 2, padding="VALID", name="linear", **{**raw, "rate": 16.0}) if (
            seen + gradients) else None
    self.joined = ExactConv2D(width, 1, name="joined", **bits)
    self.across = [
        ExactConv2D(1, 1, name=f"across_{plane}", **raw) for plane in range(1, PLANES)]
    self.hidden = [
        ExactConv2D(width, 1, name=f"hidden_{plane}", **bits) for plane in range(PLANES)]
    self.last = [
        ExactConv2D(2, 1, activation="clip", name=f"last_{plane}",
                    **{**bits, "out_bits": [_INDEX_BITS, _BITS]})
        for plane in range(PLANES)]
    self._scales = np.float32(np.round(np.asarray(scales) * 2.0**_BITS))
    self._least = float(scales[0])
    self._log_step = float(np.log(scales[-1] / scales[0]) / (len(scales) - 1))

  def begin(self, half, gradients, features, known):
    """Returns what all planes have in common, for `params`.

    Args:
      half: of the checkerboard.
      gradients, features: of `SubbandNetwork.look`.
      known: list of (B, H, W, .) coefficients; of the own band those of the half before.

    Returns:
      hidden features, (2 B, H / 2, W / 2, width), and linear means, (..., PLANES).
    """
    found = [checkerboard.half(features, half)]
    known = [tf.stop_gradient(each) for each in known]
    if known:
      signed = compand(tf.concat(known, axis=-1))
      found.append(self.near(checkerboard.surroundings(
          tf.concat([signed, tf.abs(signed)], axis=-1), half, _SIZE)))
    raw = [tf.clip_by_value(each, -_RAW_LIMIT, _RAW_LIMIT) for each in known]
    if gradients is not None:
      raw.append(gradients)
    if raw:
      linear = self.linear(checkerboard.surroundings(
          tf.concat(raw, axis=-1), half, _SIZE))
    else:
      linear = tf.repeat(tf.zeros_like(found[0][..., :1]), PLANES, axis=-1)
    return self.joined(tf.concat(found, axis=-1)), linear

  def params(self, plane, common, before):
    """Returns indexes and means of a plane, (2 B, H / 2, W / 2, 1) each.

    Args:
      plane: its number.
      common: of `begin`.
      before: list of the coefficients of the planes before, likewise.
    """
    hidden, linear = common
    loc = linear[..., plane:plane + 1]
    if before:
      values = tf.stop_gradient(tf.concat(before, axis=-1))
      signed = compand(values)
      loc += self.across[plane - 1](tf.clip_by_value(values, -_RAW_LIMIT, _RAW_LIMIT))
      hidden = tf.concat([hidden, signed, tf.abs(signed)], axis=-1)
    indexes, more = tf.split(self.last[plane](self.hidden[plane](hidden)), 2, axis=-1)
    return indexes, (loc + self._in_scales(indexes, more)) * 2.0**-_BITS

  def _in_scales(self, indexes, more):
    """Returns so many scales, in the units of means."""
    last = len(self._scales) - 1.0
    if rounds(True):
      indexes = tf.cast(tf.clip_by_value(tf.round(indexes), 0.0, last), tf.int32)
      return tf.round(tf.gather(self._scales, indexes) * more * 2.0**-_BITS)
    scale = self._least * tf.exp(self._log_step * tf.clip_by_value(
        tf.stop_gradient(indexes), 0.0, last))
    return scale * more

  def start(self, deviations):
    """Starts with mean absolute values of the planes; the network starts small."""
    scales = np.maximum(deviations, 0.05) / _MEAN_ABSOLUTE
    indexes = np.log(scales / self._least) / self._log_step / 2.0**_INDEX_BITS
    for last, index in zip(self.last, indexes):
      last.kernel.assign(0.1 * last.kernel)
      last.bias.assign([index, 0.0])
      last.fix_tables()


def _differences(x):
  """Returns x[n + 1] - x[n] along rows and columns; zero at the end."""
  right = tf.concat([x[:, :, 1:], x[:, :, -1:]], axis=2)
  below = tf.concat([x[:, 1:], x[:, -1:]], axis=1)
  return tf.concat([right - x, below - x], axis=-1)
