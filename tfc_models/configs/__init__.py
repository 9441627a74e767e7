"""Recipes: one file a registered name, data without logic."""

import importlib
import pkgutil

from tfc_models.errors import UsageError

_NOT_RECIPES = ("common", "options")


def names():
  """Returns the sorted names of the recipes: registered names with underscores."""
  return sorted(
      module.name for module in pkgutil.iter_modules(__path__)
      if module.name not in _NOT_RECIPES)


def get(name):
  """Returns a recipe.

  Args:
    name: `recipe` or `recipe:variant`; hyphens count as underscores.

  Raises:
    UsageError: if there is none; the message lists those that exist.
  """
  name, _, variant = name.partition(":")
  name = name.replace("-", "_")
  if name not in names():
    raise UsageError(
        f"{name}: no such recipe; there are {', '.join(names())}",
        argument="config")
  module = importlib.import_module(f"{__name__}.{name}")
  try:
    return module.get_config(variant) if variant else module.get_config()
  except KeyError:
    _, _, variants = module.get_config.__doc__.partition("variants: ")
    raise UsageError(
        f"{name}:{variant}: no such variant; there are "
        f"{' '.join(variants.split())}", argument="config") from None


def from_dict(stored):
  """Returns the recipe that a run or bundle has stored as JSON.

  Raises:
    UsageError: if it lacks a section, or holds unknown keys.
  """
  from tfc_models.configs import common
  try:
    config = common.base(
        stored["model"]["name"], **stored["model"]["arguments"])
    for section in ("data", "train"):
      config[section].update({
          key: tuple(value) if isinstance(value, list) else value
          for key, value in stored[section].items()})
  except (KeyError, TypeError) as error:
    raise UsageError(f"not a stored recipe ({error!r})") from None
  return config


def kinds():
  """Returns a dict from recipe to the kind of its model, "image" unless it says."""
  return {
      name: getattr(importlib.import_module(f"{__name__}.{name}"), "KIND", "image")
      for name in names()}


def summaries():
  """Returns a dict from recipe to the first line of its docstring."""
  return {
      name: importlib.import_module(f"{__name__}.{name}").__doc__.splitlines()[0]
      for name in names()}
