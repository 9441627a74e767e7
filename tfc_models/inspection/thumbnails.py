"""Thumbnails at a few bytes, compared as the paper on recurrent codecs did.

32x32 pixels, no constant headers, SSIM with a window of 7x7: Toderici et al., ICLR
2016, arXiv:1511.06085, section 4.
"""

import csv
import io
import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfc_models import codecs, metrics
from tfc_models.codecs import PillowCodec
from tfc_models.datasets.files import read_image, rgb_image
from tfc_models.errors import UsageError
from tfc_models.fileio import write_text
from tfc_models.inspection import payload
from tfc_models.ops import image as image_ops

SIDE = 32
WINDOW = 7

# From name to the codec at a setting, all settings, and what counts of a file.
CLASSICAL = {
    "jpeg": (lambda q: PillowCodec("JPEG", quality=q, subsampling="4:2:0"),
             range(1, 96), payload.jpeg),
    "jpeg2000": (lambda db: PillowCodec(
        "JPEG2000", quality_mode="dB", quality_layers=[db / 2], mct=1,
        irreversible=True, no_jp2=True, num_resolutions=4),
        range(10, 90), payload.jpeg2000),
    "webp": (lambda q: PillowCodec("WEBP", quality=q, method=6),
             range(0, 100), payload.webp),
}


class Curve(NamedTuple):
  """What a codec makes of N thumbnails at S settings.

  Attributes:
    name: of the codec.
    num_bytes, ssim, psnr, mse: (S, N) arrays, bytes rising from setting to setting
      for most images.
  """

  name: str
  num_bytes: np.ndarray
  ssim: np.ndarray
  psnr: np.ndarray
  mse: np.ndarray


class Point(NamedTuple):
  """Means over all thumbnails at a budget.

  Attributes:
    codec: name.
    budget: bytes.
    num_bytes: mean payload.
    over: how many thumbnails take more bytes than the budget at every setting; of
      these the smallest file counts.
    ssim, psnr, mse: means, PSNR in dB, MSE on 0..255.
  """

  codec: str
  budget: int
  num_bytes: float
  over: int
  ssim: float
  psnr: float
  mse: float


def cut(paths, crops=5, seed=0):
  """Returns thumbnails, uint8 (N, 32, 32, 3), of squares of photographs.

  Args:
    paths: of images with sides of at least 32 pixels.
    crops: squares of each, with sides from half the shorter side to all of it.
    seed: of where they lie.

  Raises:
    UsageError: if none is large enough.
  """
  rng = np.random.default_rng(seed)
  found = []
  for path in paths:
    image = rgb_image(read_image(path))
    short = min(image.size)
    if short < SIDE:
      continue
    for _ in range(crops):
      side = int(rng.integers(max(SIDE, short // 2), short + 1))
      left, top = (
          int(rng.integers(0, length - side + 1)) for length in image.size)
      found.append(np.asarray(image.resize(
          (SIDE, SIDE), Image.Resampling.LANCZOS,
          (left, top, left + side, top + side))))
  if not found:
    raise UsageError(f"no image of at least {SIDE} pixels a side")
  return np.stack(found)


def classical(name, images):
  """Returns the `Curve` of one of `CLASSICAL` on uint8 (N, 32, 32, 3)."""
  make, settings, count = CLASSICAL[name]
  rows = []
  for setting in settings:
    codec = make(setting)
    files = [codec.encode(image) for image in images]
    rows.append(([count(data) for data in files], *_quality(
        images, np.stack([codec.decode(data) for data in files]))))
  return Curve(name, *(np.array(values) for values in zip(*rows)))


def learned(name, model, images):
  """Returns the `Curve` of a progressive model, whose settings are iterations.

  Raises:
    UsageError: if its iterations have no fixed size.
  """
  size = model.iteration_bytes(SIDE, SIDE)
  if size is None:
    raise UsageError(f"{name}: not a progressive model of iterations of a fixed size")
  parts = []
  for start in range(0, len(images), 50):
    output = model(image_ops.to_float(images[start:start + 50]))
    parts.append([image_ops.to_uint8(x).numpy() for x in output.stages])
  rows = [
      (np.full(len(images), size * (t + 1)),
       *_quality(images, np.concatenate(decoded)))
      for t, decoded in enumerate(zip(*parts))]
  return Curve(name, *(np.array(values) for values in zip(*rows)))


def at_budget(curve, budget):
  """Returns the `Point` of the best setting of each thumbnail within a budget."""
  fits = curve.num_bytes <= budget
  # The best SSIM of those that fit; otherwise the fewest bytes.
  choice = np.where(
      fits.any(axis=0), np.argmax(np.where(fits, curve.ssim, -np.inf), axis=0),
      np.argmin(curve.num_bytes, axis=0))
  columns = np.arange(curve.num_bytes.shape[1])
  return Point(
      curve.name, budget, float(curve.num_bytes[choice, columns].mean()),
      int(np.sum(~fits.any(axis=0))),
      *(float(values[choice, columns].mean())
        for values in (curve.ssim, curve.psnr, curve.mse)))


def evaluate(names, images, budgets):
  """Returns a list of `Point`: codecs by budgets.

  Args:
    names: of `CLASSICAL`, of shipped weights, or training directories.
    images: uint8 (N, 32, 32, 3).
    budgets: list of bytes.
  """
  points = []
  for name in names:
    if name in CLASSICAL:
      curve = classical(name, images)
    else:
      curve = learned(
          os.path.basename(os.path.normpath(name)), codecs.load(name, kinds=("image",)).model,
          images)
    points += [at_budget(curve, budget) for budget in budgets]
  return points


def write(points, folder):
  """Writes thumbnails.csv and the plots ssim.png and psnr.png; returns paths."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(Point._fields)
  writer.writerows(points)
  path = os.path.join(folder, "thumbnails.csv")
  write_text(path, text.getvalue())
  return [path, *(_plot(points, folder, *kind) for kind in (
      ("ssim", "SSIM, window of 7x7"), ("psnr", "PSNR in dB")))]


def _plot(points, folder, metric, label):
  # Only here: matplotlib is optional.
  from matplotlib.figure import Figure

  from tfc_models.evaluation import plots
  figure = Figure((6, 4), layout="constrained")
  axes = figure.add_subplot()
  for name in dict.fromkeys(point.codec for point in points):
    own = [point for point in points if point.codec == name]
    axes.plot([point.num_bytes for point in own],
              [getattr(point, metric) for point in own], "o-", label=name)
  axes.set_xlabel("bytes of a 32x32 thumbnail, without headers")
  axes.set_ylabel(label)
  axes.grid(alpha=0.3)
  axes.legend()
  return plots.save(figure, folder, metric)


def _quality(images, decoded):
  """Returns SSIM, PSNR and MSE of each thumbnail, (N,) each."""
  x, x_hat = (image_ops.to_float(batch) for batch in (images, decoded))
  error = metrics.mse(x, x_hat)
  return (metrics.ssim(x, x_hat, WINDOW).numpy(),
          metrics.psnr_from_mse(error).numpy(), error.numpy())
