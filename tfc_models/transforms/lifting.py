"""Wavelet transform by lifting, of integers to integers, with learned corrections."""

import tensorflow as tf

from tfc_models.layers import ExactConv2D
from tfc_models.ops.companding import COMPANDED_LIMIT, compand

# What is added or taken away counts in 1/16, before it is rounded.
_STEP_BITS = 4
_HALF = 2.0 ** (_STEP_BITS - 1)


class LiftingTransform(tf.Module):
  """Planes to subbands and back, without loss, a level at a time.

  A level lifts rows, and then the columns of both halves:

      H <- H - floor((L[n] + L[n + 1]) / 2 + P + 1/2)      odd and even samples
      L <- L + floor((H[n - 1] + H[n]) / 4 + U + 1/2)

  P and U are networks of integers, the same ones for all planes, levels and directions,
  that start at zero: as the 5/3 of JPEG 2000. P sees the differences L[n + 1] - L[n], U
  sees H, both on a log scale (`ops.companding`).

  Args:
    width: of the hidden layers of P and U; 0 for none of both.

  Source: Ma, Liu, Yan, Li, Wu, "End-to-end optimized versatile image compression with
    wavelet-like transform", IEEE TPAMI 2020, section 3; the 5/3: Le Gall, Tabatabai,
    ICASSP 1988, in integers: Calderbank, Daubechies, Sweldens, Yeo, 1998.
  Departs: 5/3, where the paper begins as the 9/7, which in integers takes 3.0 % more bits
    of photographs, coded without loss by static contexts; P sees differences, since 8 bits of activations have better use than
    brightness; fewer channels; leaky ReLU, not tanh.
  """

  def __init__(self, width, name="lifting_transform"):
    super().__init__(name)
    self.predict = _Correction(width, "predict") if width else None
    self.update = _Correction(width, "update") if width else None

  def forward(self, x):
    """Takes planes one level down.

    Args:
      x: (B, H, W, C) integers as floats, H and W even.

    Returns:
      LL, (B, H / 2, W / 2, C), and a list of HL, LH, HH likewise. Gradients are those
      of the same without rounding.
    """
    x, depth = _apart(x)
    rows = tf.concat(self._lift(x), axis=0)
    low, high = self._lift(_turn(rows))
    ll, hl, lh, hh = (
        _together(band, depth) for half in (low, high)
        for band in tf.split(_turn(half), 2, axis=0))
    return ll, [hl, lh, hh]

  def inverse(self, ll, details):
    """Returns the planes that `forward` took apart."""
    ll, depth = _apart(ll)
    hl, lh, hh = (_apart(band)[0] for band in details)
    low, high = (
        _turn(tf.concat(pair, axis=0)) for pair in ((ll, hl), (lh, hh)))
    rows = _turn(self._unlift(low, high))
    return _together(self._unlift(*tf.split(rows, 2, axis=0)), depth)

  def _lift(self, x):
    """(N, H, W, 1) to the low and the high half, (N, H, W / 2, 1) each."""
    low, high = x[:, :, 0::2], x[:, :, 1::2]
    high -= self._predicted(low)
    return low + self._updated(high), high

  def _unlift(self, low, high):
    low -= self._updated(high)
    high += self._predicted(low)
    shape = tf.shape(low)
    return tf.reshape(
        tf.stack([low, high], axis=3), [shape[0], shape[1], 2 * shape[2], 1])

  def _predicted(self, low):
    right = tf.concat([low[:, :, 1:], low[:, :, -1:]], axis=2)
    return _rounded(_HALF * (low + right), self.predict, right - low)

  def _updated(self, high):
    left = tf.concat([high[:, :, :1], high[:, :, :-1]], axis=2)
    return _rounded(0.5 * _HALF * (left + high), self.update, high)


class _Correction(tf.Module):
  """P or U: what a step adds to the mean of two neighbours, in 1/16."""

  def __init__(self, width, name):
    super().__init__(name)
    self.layers = [
        ExactConv2D(width, 3, in_bits=5, input_limit=COMPANDED_LIMIT, rate=4.0,
                    name="conv_0"),
        ExactConv2D(width, 3, rate=4.0, name="conv_1"),
        ExactConv2D(1, 3, activation=None, zeros=True, out_bits=_STEP_BITS, rate=2.0,
                    name="conv_2")]

  def __call__(self, x):
    for layer in self.layers:
      x = layer(x)
    return x


def _rounded(total, network, seen):
  """Returns what a step adds, integers; floor has the gradient of the identity."""
  if network is not None:
    total += network(compand(seen))
  total *= 2.0**-_STEP_BITS
  return total + tf.stop_gradient(tf.floor(total + 0.5) - total)


# Planes are a batch of their own.

def _apart(x):
  """(B, H, W, C) to (C B, H, W, 1), and C."""
  return tf.concat(tf.split(x, x.shape[-1], axis=-1), axis=0), x.shape[-1]


def _together(x, depth):
  """The inverse of `_apart`."""
  return tf.concat(tf.split(x, depth, axis=0), axis=-1)


def _turn(x):
  """Exchanges rows and columns."""
  return tf.transpose(x, [0, 2, 1, 3])
