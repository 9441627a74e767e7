"""How coarsely subbands of integers are quantised, by quality."""

import math

import numpy as np
import tensorflow as tf

from tfc_models.ops import quantize

QUALITIES = 100
# Of all subbands, as an error of each of red, green and blue: at quality 1 and at 100.
_COARSEST, _FINEST = 256.0, 4.0
# What an error of 1 does to the picture, by the L2 norm of the basis functions of the 5/3:
# of HL and LH, of HH, of LL, by level; of Y, Cg, Co, to red, green and blue together.
_SIDES = (1.038, 1.592, 2.919, 5.703)
_DIAGONAL = (0.7186, 0.9218, 1.586, 3.043)
_LOWS = (1.5, 2.75, 5.375, 10.68)
_PLANES = (1.732, 0.866, 0.7071)
# Steps count in so many parts, so that all machines have the same.
_PARTS = 16.0


class SubbandSteps:
  """Steps of all subbands, from coarse to fine in equal factors by quality.

  What is dequantised is rounded to integers, which an inverse transform of integers
  takes: equal on every machine, as whatever sees it has to be.
  """

  def __init__(self):
    step = np.array([step_of(quality) for quality in range(1, QUALITIES + 1)])
    norms = [[side, side, diagonal] for side, diagonal in zip(_SIDES, _DIAGONAL)]
    self._details = [[_units(step, norm) for norm in level] for level in norms]
    self._lows = [_units(step, norm) for norm in _LOWS]

  def unit(self, level, band, quality):
    """Returns the steps of a band, (B, 1, 1, 3) float32.

    Args:
      level: 0 for the finest.
      band: of HL, LH, HH; -1 for the LL of so many levels, the last one.
      quality: (B,) int32, 1..100.
    """
    units = self._lows[level - 1] if band < 0 else self._details[level][band]
    return tf.gather(units, quality - 1)[:, None, None]

  def per_unit(self, level, quality):
    """Returns what takes the LL of a level to the steps of its HL, likewise."""
    # Divided here, not where a compiler might find another way.
    return tf.gather(1.0 / self._details[level][0], quality - 1)[:, None, None]

  @staticmethod
  def dequantized(symbols, unit):
    """Returns the integers that symbols stand for; rounding passes gradients."""
    return quantize.round_straight_through(symbols * unit)


def step_of(quality):
  """Returns the step of a quality, on 0..255 of red, green and blue."""
  place = (quality - 1.0) / (QUALITIES - 1.0)
  return _COARSEST * (_FINEST / _COARSEST) ** place


def quality_of(step):
  """Returns the real-valued quality of a step, a tensor."""
  return 1.0 + (QUALITIES - 1.0) * tf.math.log(step / _COARSEST) / (
      math.log(_FINEST / _COARSEST))


def _units(step, norm):
  """Returns the steps of the planes of a subband, (qualities, 3), 1 at least."""
  units = step[:, None] / (norm * np.asarray(_PLANES))
  return np.maximum(np.round(_PARTS * units) / _PARTS, 1.0).astype(np.float32)
