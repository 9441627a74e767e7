"""Newcomers' models: a class, a recipe and a registration are all that they take."""

import inspect

import pytest

from tests.conformance import suite, toys
from tests.conformance.toys import averages, gains, gan


@pytest.fixture(scope="module", params=[averages, gan, gains], ids=lambda m: m.NAME)
def toy(request):
  with toys.registered(request.param):
    yield suite.ready(request.param.get_config().model)


@pytest.mark.parametrize("check", suite.CHECKS)
def test_a_toy_model_conforms(toy, check, tmp_path):
  function = suite.CHECKS[check]
  extra = (tmp_path,) if "tmp_path" in inspect.signature(function).parameters else ()
  function(toy, *extra)
