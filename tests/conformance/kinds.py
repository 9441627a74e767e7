"""Which models stand for others: those whose graphs hold all that others' do."""

import functools

from tests.conformance import suite
from tfc_models import pretrained, registry


@functools.lru_cache
def leading():
  """Returns names of models, between them with every kind of training graph.

  A kind is the class that defines how a model is called and trained, with the kinds
  of its latent codecs. Of those that are alike the first stands for all.
  """
  kinds = {name: _kind(suite.bare(name)) for name in registry.names("image")}
  return tuple(
      name for name, (owners, codecs) in kinds.items()
      if not any(
          owners == others and (codecs < more or (codecs == more and other < name))
          for other, (others, more) in kinds.items() if other != name))


# Of these weights are shipped too; what is dear of their checks waits until all run.
_SELDOM = frozenset([
    "balle-li", "cheng2020-gmm", "hific", "hu2020", "jia2019", "lee2019", "ma2020",
    "mentzer2018", "nlaic"])


@functools.lru_cache
def daily():
  """Returns names of models whose dear checks are always run: most that are shipped."""
  recipes = {entry["config"].partition(":")[0] for entry in pretrained.manifest()}
  return frozenset(recipe.replace("_", "-") for recipe in recipes) - _SELDOM


def _kind(model):
  owners = tuple(
      next(cls for cls in type(model).__mro__ if method in vars(cls))
      for method in ("call", "update", "objective", "encode", "decode"))
  return owners, frozenset(type(codec) for codec in model.latent_codecs())
