"""Efforts of encoders: better symbols for the same decoder."""

import os
import select
import termios

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream, codecs, configs, pretrained, registry
from tfc_models.cli import compress
from tfc_models.codecs import lineup
from tfc_models.errors import UsageError
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings
from tfc_models.models.families import refinement
from tfc_models.models.families.refinement import Pace, Plan
from tfc_models.models.families.refinement_state import Scene
from tfc_models.ops import probe


@pytest.fixture(scope="module")
def picture():
  from skimage import data
  return data.astronaut()[60:188, 150:278]


# Steps that the model knows, an error that is measured, context in passes.
@pytest.fixture(scope="module", params=[
    "tfcm-base", pytest.param("mbt2018-mean", marks=pytest.mark.slow), "tfcm-flex"])
def codec(request):
  return codecs.load(request.param, 75)


@pytest.fixture(scope="module")
def base():
  return codecs.load("tfcm-base", 75)


def loss(model, image, effort, **more):
  """Returns bits + D of what an encoder makes of an image, in bits a pixel."""
  x = model.to_batch(image)
  output = model(x, settings=Settings(quality=75, effort=effort, **more))
  error = 255.0**2 * float(tf.reduce_mean(tf.square(x - output.x_hat)))
  bits = sum(float(bits[0]) for bits in output.bits.values())
  return bits / (x.shape[1] * x.shape[2]) + model.lmbda_at(75) * error


def test_more_effort_means_less_loss(codec, picture):
  losses = [loss(codec.model, picture, effort) for effort in (1, 2, 5, 7)]
  # On one picture the last ones, which differ little, may change places.
  assert all(after < 1.001 * before for before, after in zip(losses, losses[1:]))
  assert losses[2] < 0.995 * losses[0]  # More of the bits alone.


def test_each_effort_has_a_loss_below_that_of_the_least(base, picture):
  losses = [loss(base.model, picture, effort) for effort in range(1, 10)]
  assert all(after < losses[0] for after in losses[1:])
  assert losses[8] == min(losses)


def test_efforts_are_all_different_and_take_ever_longer():
  assert list(refinement.PLANS) == list(range(1, 10))
  steps = [plan.steps for plan in refinement.PLANS.values()]
  assert steps[0] == "" and len(set(steps)) == 9
  # Of the decoder: there and back, or there alone.
  costs = [3 * each.count("y") + each.count("r") for each in steps]
  assert costs == sorted(costs)


WILD = Pace(rate=9.0, first=0.2, last=0.01, side=30.0)


def no_worse(codec, picture, steps, monkeypatch):
  monkeypatch.setitem(refinement.PLANS, 6, Plan(steps, WILD, WILD))
  plain = loss(codec.model, picture, 1)
  assert loss(codec.model, picture, 6) <= plain * (1 + 1e-6)


@pytest.mark.slow
def test_no_effort_is_worse_than_plain_rounding(codec, picture, monkeypatch):
  """Not even one that goes astray at once."""
  no_worse(codec, picture, "zzryzyzy", monkeypatch)


@pytest.mark.parametrize("steps", ["r", "y", "yyy"])
def test_no_steps_are_worse_than_plain_rounding(base, picture, steps, monkeypatch):
  no_worse(base, picture, steps, monkeypatch)


def test_a_step_that_went_astray_is_taken_again_with_caution(codec, picture, monkeypatch):
  fast = Pace(rate=2.0, first=3.0, last=2.0)
  for effort, steps in ((6, "yy"), (7, 9 * "y")):
    monkeypatch.setitem(refinement.PLANS, effort, Plan(steps, fast, fast))
  plain, few, many = (loss(codec.model, picture, effort) for effort in (1, 6, 7))
  assert many < 0.995 * plain and many <= few


def test_decoders_do_not_know_of_it(codec, picture):
  settings = [Settings(effort=effort) for effort in (1, 5)]
  plain, better = (codec.encode(picture, each) for each in settings)
  assert plain != better == codec.encode(picture)
  for data, each in zip((plain, better), settings):
    assert "effort" not in bitstream.read(data).header.settings
    check_file(codec, picture, data, each.effort)


def check_file(codec, picture, data, effort):
  """Checks that a file is what the model says, in pixels and bits."""
  expected, bits = codec.model.reconstruct(
      picture, Settings(quality=75, effort=effort))
  np.testing.assert_array_equal(codec.decode(data), expected)
  coded = 8 * bitstream.coded_bytes(bitstream.read(data).chunks)
  assert coded == pytest.approx(bits, rel=0.01, abs=100)


@pytest.mark.parametrize("size", [(65, 127, 3), (64, 64, 1)])
def test_side_information_is_refined_for_images_of_any_size(base, size):
  image = make_image(*size)
  data = base.encode(image, Settings(effort=9))
  assert data != base.encode(image, Settings(effort=5))
  check_file(base, image, data, 9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tfcm-flex", "mbt2018", "bmshj2018-hyperprior"])
def test_context_and_scales_alone_are_refined_too(name, picture):
  codec = codecs.load(name, 75)
  losses = [loss(codec.model, picture, effort) for effort in (1, 5, 7)]
  assert losses == sorted(losses, reverse=True) and losses[1] < 0.99 * losses[0]
  for effort in (5, 7):
    data = codec.encode(picture, Settings(effort=effort))
    check_file(codec, picture, data, effort)


def test_a_joint_model_decodes_what_it_refined(picture):
  codec = codecs.load("mbt2018", 75)
  check_file(codec, picture, codec.encode(picture, Settings(effort=3)), 3)


def test_images_of_a_batch_are_refined_one_by_one(base, picture):
  x = base.model.to_batch(picture)
  other = tf.reverse(x, axis=[1]) * 0.5
  settings = Settings(effort=6)
  both = base.model(tf.concat([x, other], axis=0), settings=settings)
  for number, each in enumerate((x, other)):
    alone = base.model(each, settings=settings)
    for name, bits in alone.bits.items():
      # Sums of floats differ, and with them what is just as well rounded up as down.
      assert float(both.bits[name][number]) == pytest.approx(float(bits[0]), rel=1e-3)


def test_the_least_effort_rounds_and_no_more(picture):
  (path,) = [pretrained.weight_path(entry) for entry in pretrained.manifest()
             if (entry["name"], entry["quality"]) == ("tfcm-base", 75)]
  model, _ = weights.load(path)
  x = model.to_batch(picture)
  strings, _ = model.latent_codec.compress(model.analyze(x))
  (chunk,) = model.compress(picture, Settings(effort=1))
  assert [string.numpy()[0] for string in strings] == list(chunk.strings)


def test_errors_that_count_less_make_smaller_files(codec, picture):
  if "quality" not in codec.model.capabilities:
    pytest.skip("Its files meet no target size.")
  for effort in (1, 3, 6):
    sizes = [len(codec.encode(picture, Settings(effort=effort, rounding=factor)))
             for factor in (1.0, 0.7, 0.5)]
    assert sizes == sorted(sizes, reverse=True) and sizes[2] < 0.97 * sizes[0]


# What an encoder strives for.


@pytest.fixture(scope="module")
def made():
  config = configs.get("tfcm_base:tiny")
  model = registry.create(config.model.name, **config.model.arguments.to_dict())
  model.prepare([make_image(64, 64)[None]], lmbda=0.01)
  return model


@pytest.mark.parametrize("facts, lmbda", [
    ({"lmbda": 0.01, "distortion": "mse"}, 0.01), ({"lmbda": 0.01}, 0.01), ({}, None),
    ({"lmbda": 8.0, "distortion": "ms-ssim"}, None)])
def test_weights_say_what_an_encoder_strives_for(made, facts, lmbda, tmp_path):
  path = str(tmp_path / "weights.npz")
  weights.save(made, path, **facts)
  codec = codecs.open_weights(path)
  assert codec.model.lmbda_at() == lmbda
  image = make_image(64, 96)
  files = [codec.encode(image, Settings(effort=effort)) for effort in (1, 5)]
  assert (files[0] == files[1]) == (lmbda is None)


def test_models_without_a_gaussian_take_any_effort(picture):
  codec = codecs.load("bmshj2018-factorized", 75)
  assert codec.encode(picture, Settings(effort=1)) == codec.encode(
      picture, Settings(effort=9))


def test_variable_rate_strives_for_what_a_quality_stands_for():
  model = codecs.load("tfcm-flex").model
  values = [model.lmbda_at(quality) for quality in (None, 25, 50, 90)]
  np.testing.assert_allclose(values, [0.004, 0.0014, 0.004, 0.05], rtol=1e-6)


def test_what_errors_cause_is_measured(made, picture):
  """A lapped KLT that has just started is orthonormal but for its step."""
  y = made.analyze(made.to_batch(picture))
  measured = made.refinement._measure(Scene(made.to_batch(picture)), y, ())
  assert measured.shape == y.shape
  np.testing.assert_allclose(
      np.mean(measured, axis=(0, 1, 2)), float(made.step) ** 2, rtol=0.4)


# What is asked for.


def test_a_line_up_has_codecs_at_efforts():
  low, high = lineup.parse(["tfcm-flex:effort=1@25,50", "good=tfcm-flex:effort=7"])
  assert (low.name, low.effort, low.settings) == ("tfcm-flex effort 1", 1, (25, 50))
  assert (high.name, high.effort) == ("good", 7)
  assert low.facts(25) != {**high.facts(25), "quality": 25}
  assert low.make(25).effort == 1
  with pytest.raises(UsageError, match="takes no effort"):
    lineup.parse(["jpeg:effort=5"])


@pytest.mark.parametrize("effort", ["0", "10", "much"])
def test_other_efforts_are_refused(effort, base, picture):
  fails(1, "--effort", "compress", "x.png", "--effort", effort)
  fails(1, "--effort", "benchmark", "--effort", effort)


def test_the_library_refuses_them_too(base, picture):
  with pytest.raises(UsageError, match=r"1\.\.9, got 11"):
    base.encode(picture, Settings(effort=11))


def test_the_command_line_takes_one(picture, tmp_path):
  from PIL import Image
  Image.fromarray(picture).save(tmp_path / "a.png")
  sizes = []
  for effort in (1, 5):
    out = tmp_path / f"{effort}.tfcm"
    assert tfcm("compress", tmp_path / "a.png", "--effort", effort, "-o", out,
                "--model", "tfcm-base")[0] == 0
    sizes.append(len(out.read_bytes()))
  assert sizes[0] != sizes[1]


def test_steps_are_told_to_whoever_listens(base, picture):
  told = []
  with probe.telling(lambda kind, value: told.append(value) if kind == "refined" else 0):
    base.encode(picture, Settings(effort=6))
    base.encode(picture, Settings(effort=1))
  base.encode(picture, Settings(effort=6))
  assert told == [(number, 3) for number in range(1, 4)]


@pytest.mark.parametrize("jobs, is_shown", [(1, True), (2, False)])
def test_a_terminal_shows_how_far_a_file_is(jobs, is_shown, monkeypatch):
  ours, theirs = os.openpty()
  termios.tcsetwinsize(theirs, (24, 80))
  with os.fdopen(theirs, "w") as terminal:
    monkeypatch.setattr("sys.stderr", terminal)
    with compress._watched("folder/photo.png", jobs, delay=0.0):
      probe.note("refined", (3, 12))
    shown = ""
    # What was written may come in pieces.
    while is_shown and "3/12" not in shown and select.select([ours], [], [], 10.0)[0]:
      shown += os.read(ours, 4096).decode()
  os.close(ours)
  assert ("photo.png" in shown and "3/12" in shown) == is_shown
