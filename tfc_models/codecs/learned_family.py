"""Learned codecs at several rates; TensorFlow is loaded when one is made."""

import dataclasses
import os

from tfc_models import configs, pretrained
from tfc_models.codecs.base import Family, version_of
from tfc_models.errors import UsageError
from tfc_models.weight_info import read_info


@dataclasses.dataclass(frozen=True)
class LearnedFamily(Family):
  """Weights for one rate each.

  Attributes:
    weights: tuple of (setting, path of a weight file).
    settings: those of them that are in use.
  """

  name: str
  weights: tuple
  settings: tuple

  def missing(self):
    if not self.weights:
      return "no weights are shipped; name a training directory"
    return None

  def check(self, setting):
    if setting not in dict(self.weights):
      known = ", ".join(str(known) for known, _ in self.weights)
      raise UsageError(f"{self.name} has weights at {known}, not {setting!r}")

  def make(self, setting):
    from tfc_models import codecs
    return codecs.LearnedCodec.from_file(dict(self.weights)[setting])

  def facts(self, setting):
    info = read_info(dict(self.weights)[setting])
    return {
        "tool": f"tfc_models {version_of('tfc_models')}",
        "library": f"tensorflow {version_of('tensorflow')}, "
        f"tensorflow-compression {version_of('tensorflow-compression')}",
        "model": info["model"], "fingerprint": info["fingerprint"]}


def registered():
  """Returns a dict from name to family of all models, those shipped first."""
  found = {}
  for entry in pretrained.manifest():
    found.setdefault(entry["name"], []).append(
        (entry["quality"], pretrained.weight_path(entry)))
  # Recipes are called as their models, and known without TensorFlow.
  for recipe in configs.summaries():
    found.setdefault(recipe.replace("_", "-"), [])
  return {
      name: LearnedFamily(name, tuple(weights), tuple(
          quality for quality, _ in weights))
      for name, weights in found.items()}


def trained(paths):
  """Returns the family of training directories or weight files.

  Args:
    paths: list, a point of the curve each, called by its last part.

  Raises:
    UsageError: if one holds no weights, or two are called the same.
  """
  weights = []
  for path in paths:
    file = pretrained.training_weights(path)
    read_info(file)
    setting = os.path.basename(os.path.normpath(path))
    if setting in dict(weights):
      raise UsageError(f"{path}: another directory is called {setting} too")
    weights.append((setting, file))
  name = os.path.commonprefix([setting for setting, _ in weights])
  return LearnedFamily(
      name.rstrip("-_=.") or "trained", tuple(weights),
      tuple(setting for setting, _ in weights))
