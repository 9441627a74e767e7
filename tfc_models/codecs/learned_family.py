"""Families of learned codecs; TensorFlow is loaded when one is made."""

import dataclasses
import os

from tfc_models import configs, pretrained
from tfc_models.codecs import loading
from tfc_models.codecs.base import Family, check_range, version_of
from tfc_models.errors import UsageError
from tfc_models.weight_info import read_info

# Where a curve of weights for all rates is looked at.
QUALITIES = tuple(range(10, 100, 10))


@dataclasses.dataclass(frozen=True)
class LearnedFamily(Family):
  """Weights for one rate each.

  Attributes:
    weights: tuple of (setting, path of a weight file).
    settings: those of them that are in use.
    effort: of the encoder.
  """

  name: str
  weights: tuple
  settings: tuple
  effort: int = loading.DEFAULT_EFFORT

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
    return codecs.open_weights(dict(self.weights)[setting], effort=self.effort)

  def facts(self, setting):
    return {**_facts(read_info(dict(self.weights)[setting])), "effort": self.effort}


@dataclasses.dataclass(frozen=True)
class ProgressiveFamily(Family):
  """Weights for all rates.

  Attributes:
    path: of the weight file.
    iterations: how many there are at most.
    settings: numbers of iterations.
  """

  name: str
  path: str
  iterations: int
  settings: tuple

  def check(self, setting):
    check_range(self.name, setting, 1, self.iterations)

  def make(self, setting):
    from tfc_models import codecs
    return codecs.open_weights(self.path, iterations=setting)

  def facts(self, setting):
    return {**_facts(read_info(self.path)), "iterations": setting}


@dataclasses.dataclass(frozen=True)
class QualityFamily(Family):
  """Weights for all rates, without iterations.

  Attributes:
    path: of the weight file.
    settings: qualities.
    effort: of the encoder.
  """

  name: str
  path: str
  settings: tuple = QUALITIES
  effort: int = loading.DEFAULT_EFFORT

  def check(self, setting):
    check_range(self.name, setting, 1, 100)

  def make(self, setting):
    from tfc_models import codecs
    return codecs.open_weights(self.path, quality=setting, effort=self.effort)

  def facts(self, setting):
    return {**_facts(read_info(self.path)), "quality": setting, "effort": self.effort}


def _family(name, weights):
  """Returns the family of a list of (setting, path of a weight file)."""
  if len(weights) == 1:
    ((_, path),) = weights
    info = read_info(path)
    iterations = info.get("iterations")
    if iterations is not None:
      # The powers of two, and the last: each is coded from the start.
      settings = [2**n for n in range(iterations.bit_length())]
      if settings[-1] != iterations:
        settings.append(iterations)
      return ProgressiveFamily(name, path, iterations, tuple(settings))
    if "quality" in info.get("capabilities", ()):
      return QualityFamily(name, path)
  return LearnedFamily(
      name, tuple(weights), tuple(setting for setting, _ in weights))


def _facts(info):
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
  return {name: _family(name, weights) for name, weights in found.items()}


def trained(paths):
  """Returns the family of training directories or weight files.

  Args:
    paths: list, a point of the curve each, called by its last part; the only one
      may hold a model of all rates, whose iterations or qualities are the points.

  Raises:
    UsageError: if one holds no weights, or two are called the same.
  """
  weights = []
  for path in paths:
    file = pretrained.training_weights(path)
    loading.kind_of(file, ("image", "editor"))
    setting = os.path.basename(os.path.normpath(path))
    if setting in dict(weights):
      raise UsageError(f"{path}: another directory is called {setting} too")
    weights.append((setting, file))
  name = os.path.commonprefix([setting for setting, _ in weights])
  return _family(name.rstrip("-_=.") or "trained", weights)
