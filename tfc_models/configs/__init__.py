"""Recipes: one file a registered name, data without logic."""

import importlib
import pkgutil

from tfc_models.errors import UsageError

_NOT_RECIPES = ("common",)


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
        f"--config={name}: no such recipe; there are {', '.join(names())}")
  module = importlib.import_module(f"{__name__}.{name}")
  try:
    return module.get_config(variant) if variant else module.get_config()
  except KeyError:
    raise UsageError(
        f"--config={name}:{variant}: no such variant; "
        f"{module.get_config.__doc__.splitlines()[0]}") from None


def summaries():
  """Returns a dict from recipe to the first line of its docstring."""
  return {
      name: importlib.import_module(f"{__name__}.{name}").__doc__.splitlines()[0]
      for name in names()}
