"""All checks by kind of model, from name to function, and how to run one."""

import inspect

from tests.conformance import graphs, iterations, latents, suite

assert graphs and iterations and latents, "importing them adds their checks"
# After those of all kinds are known.
from tests.conformance import suite_editor, suite_video  # noqa: E402, I001

CHECKS = suite.CHECKS
BY_KIND = {"image": CHECKS, "video": suite_video.CHECKS,
           "editor": suite_editor.CHECKS}


def run(name, model, folder):
  """Raises AssertionError unless a model passes a check.

  Args:
    name: a check of its kind.
    model: as of `suite.tiny`.
    folder: empty, for files.
  """
  function = BY_KIND[model.kind][name]
  takes_folder = "tmp_path" in inspect.signature(function).parameters
  function(model, *([folder] if takes_folder else []))
