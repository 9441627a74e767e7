"""The quality at which the file of a model of variable rate meets a target."""

import dataclasses
import itertools
import math
from typing import Callable, NamedTuple

import numpy as np

from tfc_models import metrics
from tfc_models.errors import UsageError

QUALITIES = (1, 100)
# Where to begin: about the bits per pixel of photographs at some qualities (Kodak), and
# the middle of what people ask for.
_TYPICAL = {0.06: 1, 0.1: 10, 0.2: 25, 0.39: 50, 0.85: 75, 1.4: 90, 2.7: 100}
_MIDDLE = 50
# The logarithm of a size grows about so much with that of `Settings.rounding`; what to
# stay below a budget by, and how many files are made in all.
_ROUNDING_SLOPE = 0.15
_MARGIN = 0.003
_MOST = 6


class Target(NamedTuple):
  """What a file is measured by.

  Attributes:
    value: number to reach.
    measure: function of a file to a number that grows with quality.
    slope: about how much it grows from a quality to the next.
    least: whether the number is the least wanted, rather than the most.
    shown: function of such a number to a text.
    first: the quality to try first.
  """

  value: float
  measure: Callable
  slope: float
  least: bool
  shown: Callable
  first: int = _MIDDLE


def encode(codec, image, settings, options, jobs=1):
  """Returns the `File` of the best quality that meets a target.

  That of the highest within a budget of bytes, or of the lowest that reaches a
  distortion.

  Args:
    codec: `LearnedCodec` or `EditedCodec` of a model of variable rate.
    image: uint8 array (H, W, C).
    settings: `Settings`; any quality in it is not looked at.
    options: `FileOptions` with one target.
    jobs: as of `LearnedCodec.encode_file`.

  Raises:
    UsageError: if they have several, or no quality meets it; it says which comes
      nearest.
  """
  found = _targets(codec, image, options.in_bytes(*image.shape[:2]), jobs)
  if len(found) != 1:
    raise UsageError("one target at a time: a size, PSNR or MS-SSIM")
  (target,) = found
  plain, files, count = options.without_targets(), {}, itertools.count(1)

  def measured(quality, **more):
    next(count)
    files[quality] = codec.encode_file(
        image, dataclasses.replace(settings, quality=quality, **more), plain, jobs)
    return target.measure(files[quality])

  below, above, values = enclosing(measured, target)
  quality = above if target.least else below
  if quality is None:
    nearest = QUALITIES[1] if target.least else QUALITIES[0]
    raise UsageError(
        f"no quality meets the target of {target.shown(target.value)}: {nearest}, the "
        f"nearest, gives {target.shown(values[nearest])}"
        f"{'' if target.least else options.note}")
  if target.least or above is None:
    return files[quality]
  best, left = files[below], _MOST + 1 - next(count)
  size = _fill(lambda factor: measured(above, rounding=settings.rounding * factor),
               target, values[above], left)
  return files[above] if values[below] < size <= target.value else best


def _fill(measured, target, size, tries):
  """Makes a file that is too large smaller, with errors worth somewhat less.

  Args:
    measured: function of a factor on `Settings.rounding` to the number of the file
      that it makes.
    target: `Target`.
    size: the number of the file.
    tries: how many files may be made.

  Returns:
    the number of the last one.
  """
  factor = 1.0
  for _ in range(tries):
    if size <= target.value:
      break
    factor *= math.exp((target.value - _MARGIN - size) / _ROUNDING_SLOPE)
    size = measured(factor)
  return size


def _targets(codec, image, options, jobs):
  """Returns the list of `Target` of options."""
  def decoded(file):
    return codec.picture(file, jobs)

  found = []
  if options.target_bytes is not None:
    found.append(Target(
        math.log(options.target_bytes), lambda file: math.log(len(file.data)), 0.035,
        False, lambda value: f"{math.exp(value):.0f} bytes",
        round(np.interp(8.0 * options.target_bytes / (image.shape[0] * image.shape[1]),
                        list(_TYPICAL), list(_TYPICAL.values())))))
  if options.target_psnr is not None:
    found.append(Target(
        options.target_psnr, lambda file: metrics.psnr(image, decoded(file)), 0.2, True,
        lambda value: f"{value:.2f} dB"))
  if options.target_ms_ssim is not None:
    found.append(Target(
        _decibels(options.target_ms_ssim),
        lambda file: _decibels(metrics.compare(image, decoded(file)).ms_ssim), 0.15,
        True, lambda value: f"MS-SSIM {1.0 - 10.0 ** (-value / 10.0):.4f}"))
  return found


def enclosing(measured, target):
  """Returns the neighbouring qualities between which a target lies.

  By secants, since all that is measured here is close to a line in the quality.

  Args:
    measured: function of a quality to a number that grows with it.
    target: `Target`.

  Returns:
    The highest quality whose number is not above the target (below it, of the least
    wanted); the lowest of which it is; None for one that there is not; a dict of what
    was measured.
  """
  low, high = QUALITIES
  values = {}
  quality = target.first

  def is_below(quality):
    value = values[quality]
    return value < target.value if target.least else value <= target.value

  while True:
    values[quality] = measured(quality)
    below = max((q for q in values if is_below(q)), default=None)
    above = min((q for q in values if not is_below(q)), default=None)
    if below == high or above == low or (
        None not in (below, above) and above - below == 1):
      return below, above, values
    if None in (below, above):
      step = (target.value - values[quality]) / target.slope
      # Beyond, so that the next one is on the other side, if there is any.
      step += math.copysign(2.0, step)
      quality = min(max(round(quality + step), low), high)
      if quality in values:
        quality = high if above is None else low
    else:
      share = (target.value - values[below]) / (values[above] - values[below])
      guess = below + share * (above - below)
      quality = min(max(round(guess), below + 1), above - 1)


def _decibels(ms_ssim):
  """Returns MS-SSIM on a scale on which it grows about evenly.

  Raises:
    UsageError: of an image that is too small to have one.
  """
  if ms_ssim is None:
    raise UsageError("an image with a side below 161 has no MS-SSIM")
  return -10.0 * math.log10(max(1.0 - ms_ssim, 1e-9))
