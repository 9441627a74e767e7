"""Newcomers' models: a class, a recipe and a registration are all that they take."""

import contextlib
import functools
import inspect

import pytest

from tests.conformance import suite, suite_editor, suite_video, toys
from tests.conformance.toys import averages, editor, gains, gan, video

SUITES = {
    "image": suite.CHECKS, "video": suite_video.CHECKS,
    "editor": suite_editor.CHECKS}


TOYS = (averages, gan, gains, video, editor)


@pytest.fixture(scope="module", autouse=True)
def registered():
  with contextlib.ExitStack() as stack:
    for module in TOYS:
      stack.enter_context(toys.registered(module))
    yield


@functools.lru_cache
def ready(module):
  return suite.ready(module.get_config().model)


@pytest.mark.parametrize("module, check", [
    pytest.param(module, function, id=f"{module.NAME}-{name}")
    for module in TOYS
    for name, function in SUITES[getattr(module, "KIND", "image")].items()])
def test_a_toy_model_conforms(module, check, tmp_path):
  extra = (tmp_path,) if "tmp_path" in inspect.signature(check).parameters else ()
  check(ready(module), *extra)
