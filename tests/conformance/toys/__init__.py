"""Newcomers' models: a file each, with a class and a recipe, is all it takes."""

import contextlib

from tfc_models import registry


@contextlib.contextmanager
def registered(module):
  """A context in which a toy is found like any other model.

  Args:
    module: one of this package, with `NAME`, `Toy` and `get_config`, and `KIND` as recipes
      have it.
  """
  registry.register(
      module.NAME, kind=getattr(module, "KIND", "image"))(module.Toy)
  try:
    yield
  finally:
    registry.unregister(module.NAME)
