"""Models that promise what they do not keep are found out by the suite."""

import types

import pytest
import tensorflow as tf

from tests.conformance import checks, suite, toys
from tests.conformance.toys.averages import Toy
from tfc_models.configs import common
from tfc_models.modeling.settings import EVALUATION, Settings


class Lossy(Toy):
  """Says that it is lossless."""

  capabilities = frozenset(["lossless"])


class Stuck(Toy):
  """Says that its quality can be chosen."""

  capabilities = frozenset(["quality"])


class Inexact(Toy):
  """Says that its pixels are exact, but a graph rounds otherwise."""

  capabilities = frozenset(["exact_pixels"])

  def synthesize(self, y_hat):
    x_hat = super().synthesize(y_hat)
    return x_hat if tf.executing_eagerly() else 1.000001 * x_hat


class Silent(Toy):
  """Codes a latent that is nearly always zero."""

  def analyze(self, x):
    return 0.1 * super().analyze(x)


class Cheap(Toy):
  """Estimates a tenth of its bits."""

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    output = super().call(x, training, settings, context)
    return output._replace(
        bits={name: 0.1 * bits for name, bits in output.bits.items()})


class Fixed(Toy):
  """Traces for one size: that of the image that it was traced with."""

  def latent_shape(self, header, factor, depth):
    if tf.executing_eagerly():
      return super().latent_shape(header, factor, depth)
    return [10, 13, depth]


@pytest.mark.parametrize("toy, check", [
    (Lossy, "any_size_and_grey_round_trip"),
    (Stuck, "a_higher_quality_takes_more_bytes_and_errs_less"),
    (Inexact, "exact_pixels_are_the_same_however_they_are_computed"),
    (Silent, "every_latent_says_something"),
    (Cheap, "the_estimated_bits_are_those_coded"),
    (Fixed, "encoder_and_decoder_are_one_graph_each_for_all_sizes"),
])
def test_a_toy_that_lies_is_found_out(toy, check, tmp_path):
  lie = types.SimpleNamespace(NAME="toy-that-lies", Toy=toy)
  with toys.registered(lie):
    model = suite.ready(common.base(lie.NAME, step=16.0).model)
    with pytest.raises(AssertionError):
      checks.run(check, model, tmp_path)
