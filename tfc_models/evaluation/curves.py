"""Rate-distortion curves, and the mean difference between two of them."""

import dataclasses
import math

import numpy as np

from tfc_models.errors import UsageError

# Qualities that curves are drawn and compared in, both in dB.
METRICS = {"psnr": "PSNR", "ms_ssim": "MS-SSIM"}
MIN_POINTS = 4


class NoDelta(UsageError):
  """Two curves cannot be compared; the message says why."""


@dataclasses.dataclass(frozen=True)
class Curve:
  """Points of a codec.

  Attributes:
    name: of the codec.
    points: dict from metric to a list of (bpp, dB), by bpp.
    seconds: list of (bpp, encode seconds, decode seconds), by bpp; may be empty.
    published: whether the figures are not measured here.
  """

  name: str
  points: dict
  seconds: list = dataclasses.field(default_factory=list)
  published: bool = False


@dataclasses.dataclass(frozen=True)
class Delta:
  """The mean difference of a curve to an anchor.

  Attributes:
    rate_percent: BD-rate; negative if fewer bits do for the same quality.
    quality_db: BD-PSNR or BD-MS-SSIM; positive if better at the same rate.
    low, high: dB, what the BD-rate is the mean over.
  """

  rate_percent: float
  quality_db: float
  low: float
  high: float


def to_db(metric, value):
  """Returns a quality in dB; None if it has none, being perfect or missing."""
  if value is None or metric == "psnr":
    return value
  return -10.0 * math.log10(1.0 - value) if value < 1.0 else None


def delta(anchor, test):
  """Returns the Bjontegaard `Delta` of two lists of (bpp, dB).

  Interpolated piecewise by monotone cubics (pchip) of log rate over dB for
  BD-rate, of dB over log rate for the other, over the common interval.

  Raises:
    NoDelta: if one has fewer than 4 points, or they do not overlap.
  Source: Bjontegaard, VCEG-M33, 2001; with pchip as Herglotz et al., "The
    Bjontegaard bible", IEEE TIP 2024.
  """
  import bjontegaard
  for name, points in (("anchor", anchor), ("codec", test)):
    if not points:
      raise NoDelta(f"the {name} has no figures, or all are perfect")
    if len(points) < MIN_POINTS:
      raise NoDelta(f"the {name} has {len(points)} points, "
                    f"{MIN_POINTS} are needed")
  one, other = _rising(anchor, 1), _rising(test, 1)
  low = max(one[1][0], other[1][0])
  high = min(one[1][-1], other[1][-1])
  if low >= high:
    raise NoDelta(
        f"no common quality: {other[1][0]:.2f} to {other[1][-1]:.2f} dB, the "
        f"anchor has {one[1][0]:.2f} to {one[1][-1]:.2f} dB")
  options = dict(
      method="pchip", require_matching_points=False, min_overlap=0)
  rate = bjontegaard.bd_rate(*one, *other, **options)
  one, other = _rising(anchor, 0), _rising(test, 0)
  if max(one[0][0], other[0][0]) >= min(one[0][-1], other[0][-1]):
    raise NoDelta(
        f"no common rate: {other[0][0]:.3f} to {other[0][-1]:.3f} bpp, the "
        f"anchor has {one[0][0]:.3f} to {one[0][-1]:.3f} bpp")
  quality = bjontegaard.bd_psnr(*one, *other, **options)
  return Delta(float(rate), float(quality), float(low), float(high))


def _rising(points, column):
  """Returns arrays of rates and dB, sorted by one, equal values once.

  Of points of equal quality the one of least rate counts, of points of equal
  rate that of most quality. Rates may still fall where quality rises.
  """
  best = {}
  for rate, quality in sorted(points, key=lambda point: (-point[0], point[1])):
    best[(rate, quality)[column]] = rate, quality
  return np.array([best[value] for value in sorted(best)]).T
