"""Kodak curves that others have published or measured, with their sources."""

import functools
import os

from tfc_models.errors import UsageError
from tfc_models.evaluation.curves import METRICS, Curve, to_db
from tfc_models.fileio import read_json

PREFIX = "published:"
# Beside every evaluation of Kodak, unless others are asked for.
DEFAULT = ("tfc/bpg444", "vtm", "paper-bmshj2018-hyperprior", "paper-mbt2018")

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kodak.json")


@functools.lru_cache(maxsize=1)
def _content():
  return read_json(_FILE)


def names():
  """Returns the names of all curves."""
  return list(_content()["curves"])


def describe(name):
  """Returns what a curve is and where its figures come from, a text."""
  entry = _content()["curves"][name]
  return f"{entry['description']} ({entry['source']})"


def curve(name):
  """Returns the `Curve` of that name, called "published:NAME".

  Raises:
    UsageError: if there is none.
  """
  entry = _content()["curves"].get(name)
  if entry is None:
    raise UsageError(
        f"{PREFIX}{name}: no such curve; there are {', '.join(names())}")
  points, seconds = {}, []
  for metric in METRICS:
    values = entry.get(metric)
    points[metric] = sorted(
        (bpp, to_db(metric, value))
        for bpp, value in zip(values["bpp"], values[metric])) if values else []
  if "decode_seconds" in entry:
    seconds = sorted(zip(
        entry["psnr"]["bpp"], entry["encode_seconds"],
        entry["decode_seconds"]))
  return Curve(PREFIX + name, points, seconds, published=True)


def is_kodak(images):
  """Returns whether these are the 24 images that the curves are means over.

  Args:
    images: of a run, from name to facts with the `image_id` of the pixels.
  """
  return sorted(image["image_id"] for image in images.values()) == sorted(
      _content()["images"].values())
