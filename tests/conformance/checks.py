"""All checks of image models, from name to function, and how to run one."""

import inspect

from tests.conformance import graphs, latents, suite

assert graphs and latents, "importing them adds their checks"
CHECKS = suite.CHECKS


def run(name, model, folder):
  """Raises AssertionError unless a model passes a check.

  Args:
    name: one of `CHECKS`.
    model: as of `suite.tiny`.
    folder: empty, for files.
  """
  function = CHECKS[name]
  takes_folder = "tmp_path" in inspect.signature(function).parameters
  function(model, *([folder] if takes_folder else []))
