"""Newcomers' models: a class, a recipe and a registration are all that they take."""

import pytest

from tests.conformance import checks, suite, toys
from tests.conformance.toys import averages, gains, gan


@pytest.fixture(scope="module", params=[averages, gan, gains], ids=lambda m: m.NAME)
def toy(request):
  with toys.registered(request.param):
    yield suite.ready(request.param.get_config().model)


@pytest.mark.parametrize("check", checks.CHECKS)
def test_a_toy_model_conforms(toy, check, tmp_path):
  checks.run(check, toy, tmp_path)
