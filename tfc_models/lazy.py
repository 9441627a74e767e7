"""Packages whose names are imported on first use."""

import importlib
import sys


def attach(package, names):
  """Returns `__getattr__`, `__dir__` and `__all__` of a package (PEP 562).

  Args:
    package: `__name__` of the package.
    names: dict from public name to the module that defines it.
  """
  def get(name):
    if name not in names:
      raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(importlib.import_module(names[name]), name)

  def directory():
    return sorted([*vars(sys.modules[package]), *names])

  return get, directory, list(names)
