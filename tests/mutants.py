"""Breaks the toolkit on purpose, and says which check of the suite notices.

    python -m tests.mutants [MUTANT ...]

A mutant that no check notices survives; the exit code is then 1. Not a test itself:
it takes minutes, and is for whoever changes the suite.
"""

import dataclasses
import pathlib
import sys
import tempfile
from unittest import mock

import tensorflow as tf

from tests.conformance import checks, suite
from tfc_models.entropy_models import HyperpriorCodec
from tfc_models.modeling import weights
from tfc_models.modeling.training_step import TrainableModel
from tfc_models.models.families.transform_model import TransformModel

CODING = (
    "any_size_and_grey_round_trip", "the_last_progressive_image_is_the_decoded_one",
    "every_latent_says_something", "the_estimated_bits_are_those_coded",
    "encoder_and_decoder_are_one_graph_each_for_all_sizes")
SAVING = (
    "saved_and_loaded_weights_write_the_same_bytes", "all_variables_are_saved")
TRAINING = (
    "thirty_steps_lower_the_loss_and_reach_every_variable",
    "ms_ssim_is_trained_towards_too")


def _decoder_with(change):
  """Returns a mutant of the hyperprior, whose decoder sees another z_hat."""
  def decode(self, reader, shape, params=None):
    height, width, _ = shape
    z_hat = self.z_codec.decode(
        reader, (height // self.factor, width // self.factor, self.depth))
    return self.y_codec.decode(reader, shape, self.params_of(change(z_hat)))

  return mock.patch.object(HyperpriorCodec, "decode", decode)


def _halves_of_weights():
  stored = weights._stored
  return mock.patch.object(weights, "_stored", lambda array: stored(
      array if array.dtype.kind in "iu" else 0.5 * array))


def _a_tenth_of_the_bits():
  call = TransformModel.call

  def mutant(self, *args, **kwargs):
    output = call(self, *args, **kwargs)
    return output._replace(
        bits={name: 0.1 * bits for name, bits in output.bits.items()})

  return mock.patch.object(TransformModel, "call", mutant)


def _loss_without_lmbda():
  objective = TrainableModel.objective

  def mutant(self, x, output, context):
    return objective(
        self, x, output, dataclasses.replace(context, lmbda=tf.constant(0.0)))

  return mock.patch.object(TrainableModel, "objective", mutant)


# From name to the mutant, models that it concerns, and checks that could notice.
MUTANTS = {
    "decode ignores z": (
        _decoder_with(tf.zeros_like), ("bmshj2018-hyperprior", "mbt2018"), CODING),
    "decode reverses z": (
        _decoder_with(lambda z_hat: tf.reverse(z_hat, [1, 2, 3])),
        ("bmshj2018-hyperprior", "mbt2018"), CODING),
    "files hold half of each weight": (_halves_of_weights(), ("bls2017",), SAVING),
    "a tenth of the bits": (_a_tenth_of_the_bits(), ("bls2017",), CODING),
    "the loss ignores lmbda": (_loss_without_lmbda(), ("bls2017",), TRAINING),
}


def killers(name, names):
  """Returns the checks, of `names`, that a model does not pass."""
  found = []
  for check in names:
    with tempfile.TemporaryDirectory() as folder:
      try:
        checks.run(check, suite.tiny(name), pathlib.Path(folder))
      except Exception as error:  # noqa: BLE001 - Whatever it is, it is noticed.
        found.append(f"{check} ({type(error).__name__})")
  return found


def main(*wanted):
  survivors = 0
  for label, (mutant, names, relevant) in MUTANTS.items():
    if wanted and label not in wanted:
      continue
    for name in names:
      if broken := killers(name, relevant):
        sys.exit(f"{name} does not pass as it is: {', '.join(broken)}")
      with mutant:
        found = killers(name, relevant)
      survivors += not found
      print(f"{label} | {name} | {', '.join(found) or 'SURVIVES'}", flush=True)
  return 1 if survivors else 0


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
