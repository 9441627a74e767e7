"""Every registered model passes the suite, and comes with a recipe."""

import pytest

from tests.conformance import checks, kinds, suite
from tfc_models import configs, models, registry
from tfc_models.configs import common
from tfc_models.configs.options import DataOptions, TrainOptions
from tfc_models.errors import UsageError
from tfc_models.evaluation import published
from tfc_models.modeling.training_step import DISTORTIONS

assert models, "importing the package registers the models"
NAMES = registry.names()

# Checks that trace or take many steps: of so many kinds of models, unless all run.
LONG = {"thirty_steps_lower_the_loss_and_reach_every_variable",
        "ms_ssim_is_trained_towards_too",
        "encoder_and_decoder_are_one_graph_each_for_all_sizes",
        "eager_and_graph_agree", "a_batch_gives_what_its_images_give",
        "training_noise_depends_on_seed_step_and_sample",
        "the_last_progressive_image_is_the_decoded_one",
        "a_progressive_encoder_stops_at_its_target",
        "a_progressive_file_may_end_after_any_iteration"}
CLOSELY = {"mbt2018", "tfcm-flex", "toderici2017"}
# Those of models that `kinds.daily` leaves out: that they code at all.
FEW = {"class_facts_are_stated", "any_size_and_grey_round_trip"}


def marks(name, check):
  """Returns the marks of a check: those of a model share a process, and the model."""
  slow = (check in LONG and name not in CLOSELY) or (
      name not in kinds.daily() and check not in FEW) or (
      # Long to trace; the default has more parts than any.
      "thirty_steps" in check and name == "tfcm-flex") or (
      # Sixteen seconds each; test_recurrent.py lets smaller ones learn and code.
      ("graph_each" in check or "thirty_steps" in check) and "progressive" in registry.get(name).capabilities)
  return [pytest.mark.xdist_group(name), *([pytest.mark.slow] if slow else [])]


@pytest.mark.parametrize("name, check", [
    pytest.param(name, check, id=f"{name}-{check}", marks=marks(name, check))
    for name in NAMES for check in checks.BY_KIND[registry.get(name).kind]])
def test_conformance(name, check, tmp_path):
  checks.run(check, suite.tiny(name), tmp_path)


def test_those_that_stand_for_all_have_all_kinds_of_latent_codecs():
  assert set(kinds.leading()) < set(NAMES)
  found, expected = (
      {type(codec) for name in names for codec in suite.bare(name).latent_codecs()}
      for names in (kinds.leading(), registry.names("image")))
  assert found == expected


def test_each_model_has_a_recipe_and_each_recipe_a_model():
  assert configs.names() == sorted(n.replace("-", "_") for n in registry.names())


@pytest.mark.parametrize("name", configs.names())
def test_an_unknown_variant_is_answered_with_those_there_are(name):
  with pytest.raises(UsageError, match=f"{name}:nothing: .* there are .*tiny"):
    configs.get(f"{name}:nothing")


@pytest.mark.parametrize("variant, found", [
    ("tiny", ("gru", False, True)), ("narrow", ("narrow", False, False)),
    ("narrow-coded-tiny", ("narrow", True, True)),
    ("narrow-tiny-coded", ("narrow-tiny", True, False))])
def test_suffixes_of_variants_have_an_order(variant, found):
  assert common.suffixes(variant, "coded", "tiny", default="gru") == found


@pytest.mark.parametrize("paper, width", [
    ("toderici2016:fc-residual", 256), ("toderici2016:fc-lstm", 256),
    ("toderici2016:conv-residual", 128), ("toderici2016:conv-lstm", 128),
    ("toderici2017:gru", 128), ("johnston2018:prime", 128)])
def test_narrow_recipes_differ_from_the_paper_in_what_they_say(paper, width):
  name, variant = paper.split(":")
  narrow = "narrow" if name != "toderici2016" else f"{variant}-narrow"
  wide, as_published, ours = (
      configs.get(recipe) for recipe in (
          paper, f"{name}:{narrow}-paper", f"{name}:{narrow}"))
  assert ours.train.distortion == "log-mse" and ours.model.arguments.width == width
  assert ours.model.arguments.reconstruction == "additive"
  wide.model.arguments.width = width
  assert as_published.to_dict() == wide.to_dict()


@pytest.mark.parametrize("name", NAMES)
def test_recipes_fit_trainer_and_model(name):
  config = configs.get(name)
  assert config.model.name == name
  registry.create(name, **config.model.arguments)
  DataOptions(**config.data)
  TrainOptions(**config.train)
  for distortion, curve in config.expected.items():
    assert distortion in DISTORTIONS
    metric = "ms_ssim" if distortion == "ms-ssim" else "psnr"
    assert published.curve(curve).points[metric]
