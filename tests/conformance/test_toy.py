"""Newcomers' models: a class, a recipe and a registration are all that they take."""

import contextlib
import functools

import pytest

from tests.conformance import checks, suite, toys
from tests.conformance.toys import averages, editor, gains, gan, layers, video

TOYS = (averages, gan, gains, layers, video, editor)


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
    pytest.param(module, name, id=f"{module.NAME}-{name}")
    for module in TOYS
    for name in checks.BY_KIND[getattr(module, "KIND", "image")]])
def test_a_toy_model_conforms(module, check, tmp_path):
  checks.run(check, ready(module), tmp_path)
