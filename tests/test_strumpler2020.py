"""Tables and attention follow the quality; what attention may touch."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import suite
from tests.conftest import make_image
from tfc_models import configs
from tfc_models.modeling.settings import Settings
from tfc_models.models.strumpler2020 import lmbda_of
from tfc_models.ops import image as image_ops


@pytest.fixture(scope="module")
def model():
  return suite.ready(configs.get("strumpler2020:tiny").model)


def test_steps_start_as_those_that_are_best_at_high_rate(model):
  """D = step^2 / 12 and R = const - log2 step: step^2 = 6 / (lmbda ln 2)."""
  for quality in (20, 50, 90):
    _, tables = model.edit(tf.zeros([1, 8, 8, 3]), Settings(quality=quality))
    best = np.sqrt(6.0 / (lmbda_of(quality) * np.log(2.0)))
    np.testing.assert_allclose(tables[0], np.full((8, 8), best), atol=0.6)
    assert np.all(np.abs(tables[1] - best) < 0.1 * best + 1.0)  # RGB, not YCbCr, counts.


def test_attention_makes_coefficients_smaller_but_for_the_first(model):
  x = image_ops.to_float(make_image(32, 40)[None])
  attention, open_wide = model.attention, model.attention.last.bias.numpy()
  try:
    attention.last.bias.assign(0.0 * open_wide)  # Half of each, about.
    half, _ = model.edit(x, Settings(effort=1))
    attention.last.bias.assign(0.0 * open_wide + 20.0)
    whole, _ = model.edit(x, Settings(effort=1))
  finally:
    attention.last.bias.assign(open_wide)
  np.testing.assert_array_equal(half[..., 0, 0], whole[..., 0, 0])
  magnitudes = [np.abs(c).sum() - np.abs(c[..., 0, 0]).sum()
                for c in (half.numpy(), whole.numpy())]
  assert 0.1 < magnitudes[0] / magnitudes[1] < 0.7


def test_what_errors_are_worth_moves_the_size_within_a_quality(model):
  image = make_image(64, 64)
  sizes = [len(model.compress(image, Settings(effort=5, rounding=factor)))
           for factor in (0.5, 1.0, 2.0)]
  assert sizes[0] < sizes[1] < sizes[2]
