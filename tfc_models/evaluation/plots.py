"""Plots of an evaluation, for screen, print and colour-blind readers.

Each codec has a colour of Okabe and Ito's palette, a marker and, once the colours
are used up, a line style; published curves are grey, with line styles of their own.
"""

import io
import os

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from tfc_models.errors import UsageError
from tfc_models.evaluation.curves import METRICS
from tfc_models.fileio import write_atomically

# Okabe, Ito, "Color universal design", 2008, without yellow, which is too light.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00",
           "#000000")
_MARKERS = "osD^vPX*<>ph"
_LINES = ("-", (0, (5, 1)), (0, (1, 1)))
_PUBLISHED_LINES = ((0, (6, 2)), (0, (2, 1.5)), (0, (6, 1.5, 1, 1.5)),
                    (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 3)))
_PUBLISHED_GREYS = ("#404040", "#707070", "#9a9a9a")

# Texts stay texts, and the same figures make the same file.
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "tfcm", "font.size": 10}


def draw(report, folder, codecs=None, max_bpp=2.0):
  """Writes all plots of a `Report`; returns the paths of the PNG files.

  rate_psnr, rate_ms_ssim: rate against distortion. rate_decode_seconds.
  per_image: PSNR above the first anchor at equal bytes, each image and setting.
  All as .png and .svg.

  Args:
    report: `Report`.
    folder: made if missing.
    codecs: names of curves to draw; None for all.
    max_bpp: the right end of the axis.

  Raises:
    UsageError: for an unknown name.
  """
  chosen = list(report.curves) if codecs is None else list(codecs)
  for name in chosen:
    if name not in report.curves:
      raise UsageError(
          f"no curve called {name}; there are {', '.join(report.curves)}",
          argument="codecs")
  curves = [report.curves[name] for name in chosen]
  looks = _looks(curves)
  paths = []
  with rc_context(_STYLE):
    for name, figure in [
        *((f"rate_{metric}", _rate_distortion(curves, looks, metric, max_bpp))
          for metric in METRICS),
        ("rate_decode_seconds", _rate_seconds(curves, looks, max_bpp)),
        ("per_image", _per_image(report, chosen, looks, max_bpp))]:
      if figure is not None:
        paths.append(save(figure, folder, name))
  return paths


def _looks(curves):
  """Returns a dict from name to keyword arguments of `Axes.plot`."""
  measured = [curve.name for curve in curves if not curve.published]
  looks = {}
  for number, name in enumerate(measured):
    looks[name] = dict(
        color=_COLORS[number % len(_COLORS)],
        marker=_MARKERS[number % len(_MARKERS)],
        linestyle=_LINES[number // len(_COLORS) % len(_LINES)],
        markersize=5, linewidth=1.5)
  others = [curve.name for curve in curves if curve.published]
  for number, name in enumerate(others):
    looks[name] = dict(
        color=_PUBLISHED_GREYS[number % len(_PUBLISHED_GREYS)],
        linestyle=_PUBLISHED_LINES[number % len(_PUBLISHED_LINES)],
        linewidth=1.2)
  return looks


def _axes(xlabel, ylabel):
  figure = Figure(figsize=(7.5, 6), layout="constrained")
  axes = figure.add_subplot()
  axes.set_xlabel(xlabel)
  axes.set_ylabel(ylabel)
  axes.grid(color="#dddddd", linewidth=0.6)
  axes.set_axisbelow(True)
  for side in ("top", "right"):
    axes.spines[side].set_visible(False)
  return figure, axes


def _finish(figure, axes, max_bpp):
  axes.set_xlim(0, max_bpp)
  if not axes.get_legend_handles_labels()[0]:
    return None
  # Below the curves, never on them.
  figure.legend(
      loc="outside lower center", ncols=3, frameon=False, fontsize=9)
  return figure


def _rate_distortion(curves, looks, metric, max_bpp):
  label = METRICS[metric] + " (RGB), dB"
  if metric == "ms_ssim":
    label += ", -10 log10(1 - MS-SSIM)"
  figure, axes = _axes("bits per pixel", label)
  shown = []
  for curve in curves:
    points = curve.points[metric]
    if points and points[0][0] <= max_bpp:
      axes.plot(*zip(*points), label=curve.name, **looks[curve.name])
      shown += [quality for rate, quality in points if rate <= max_bpp]
  if shown:
    axes.set_ylim(np.floor(min(shown)) - 0.5, np.ceil(max(shown)) + 0.5)
  return _finish(figure, axes, max_bpp)


def _rate_seconds(curves, looks, max_bpp):
  figure, axes = _axes("bits per pixel", "seconds to decode an image, mean")
  for curve in curves:
    # Published seconds are of other machines.
    if curve.seconds and not curve.published and (
        curve.seconds[0][0] <= max_bpp):
      rates, _, seconds = zip(*curve.seconds)
      axes.plot(rates, seconds, label=curve.name, **looks[curve.name])
  axes.set_yscale("log")
  return _finish(figure, axes, max_bpp)


def _per_image(report, names, looks, max_bpp):
  anchor = report.anchors[0]
  figure, axes = _axes(
      "bits per pixel", f"PSNR above {anchor} at equal bytes, dB, each image")
  for name in names:
    points = [
        point for pair in report.image_curves.values()
        if name != anchor and anchor in pair and name in pair
        for point in _gains(
            pair[anchor].points["psnr"], pair[name].points["psnr"])]
    if points:
      axes.plot(*zip(*points), label=name, **{
          **looks[name], "linestyle": "", "markersize": 3.5, "alpha": 0.55})
  axes.axhline(0, color="#404040", linewidth=1)
  return _finish(figure, axes, max_bpp)


def _gains(anchor, points):
  """Returns (bpp, dB above the anchor) where the anchor has that rate.

  Linear in log rate between the anchor's points.
  """
  if len(anchor) < 2:
    return []
  rates, qualities = zip(*anchor)
  return [
      (rate, quality - np.interp(np.log(rate), np.log(rates), qualities))
      for rate, quality in points if rates[0] <= rate <= rates[-1]]


def save(figure, folder, name):
  """Writes NAME.svg and NAME.png; returns the path of the latter."""
  for kind, options in (
      ("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 150})):
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **options)
    path = os.path.join(folder, f"{name}.{kind}")
    write_atomically(path, buffer.getvalue(), overwrite=True)
  return path
