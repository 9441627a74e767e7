"""Efforts of encoders: better symbols for the same decoder."""

import numpy as np
import pytest

from tests.test_cli import fails, tfcm
from tfc_models import bitstream, codecs, pretrained
from tfc_models.codecs import lineup
from tfc_models.errors import UsageError
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings
from tfc_models.models.families import refinement
from tfc_models.models.tfcm_flex import lmbda_of


@pytest.fixture(scope="module")
def picture():
  from skimage import data
  return data.astronaut()[60:188, 150:278]


@pytest.fixture(scope="module", params=["tfcm-base", "tfcm-flex"])
def codec(request):
  return codecs.load(request.param, 75)


def loss(model, image, effort, lmbda):
  x_hat, bits = model.reconstruct(image, Settings(quality=75, effort=effort))
  pixels = image.shape[0] * image.shape[1]
  return bits / pixels + lmbda * np.mean(np.square(image - x_hat.astype(float)))


def test_more_effort_means_less_loss(codec, picture):
  losses = [loss(codec.model, picture, effort, lmbda_of(75)) for effort in (1, 2, 5, 7)]
  assert losses == sorted(losses, reverse=True)
  assert losses[2] < 0.99 * losses[0]  # 2 to 4 % on photographs.


def test_decoders_do_not_know_of_it(codec, picture):
  settings = [Settings(effort=effort) for effort in (1, 5)]
  plain, better = (codec.encode(picture, each) for each in settings)
  assert plain != better == codec.encode(picture)
  for data, each in zip((plain, better), settings):
    assert "effort" not in bitstream.read(data).header.settings
    expected, bits = codec.model.reconstruct(
        picture, Settings(quality=75, effort=each.effort))
    np.testing.assert_array_equal(codec.decode(data), expected)
    coded = 8 * bitstream.coded_bytes(bitstream.read(data).chunks)
    assert coded == pytest.approx(bits, rel=0.01, abs=100)


def test_the_least_effort_rounds_and_no_more(picture):
  (path,) = [pretrained.weight_path(entry) for entry in pretrained.manifest()
             if (entry["name"], entry["quality"]) == ("tfcm-base", 75)]
  model, _ = weights.load(path)
  x = model.to_batch(picture)
  strings, _ = model.latent_codec.compress(model.analyze(x))
  (chunk,) = model.compress(picture, Settings(effort=1))
  assert [string.numpy()[0] for string in strings] == list(chunk.strings)


def test_efforts_take_ever_more_iterations():
  counts = list(refinement.ITERATIONS.values())
  assert list(refinement.ITERATIONS) == list(range(1, 10)) and counts[0] == 0
  assert counts == sorted(counts) and set(counts) - {0} == set(refinement._SCHEDULES)


def test_a_line_up_has_codecs_at_efforts():
  low, high = lineup.parse(["tfcm-flex:effort=1@25,50", "good=tfcm-flex:effort=7"])
  assert (low.name, low.effort, low.settings) == ("tfcm-flex effort 1", 1, (25, 50))
  assert (high.name, high.effort) == ("good", 7)
  assert low.facts(25) != {**high.facts(25), "quality": 25}
  assert low.make(25).effort == 1
  with pytest.raises(UsageError, match="takes no effort"):
    lineup.parse(["jpeg:effort=5"])


@pytest.mark.parametrize("effort", ["0", "10", "much"])
def test_other_efforts_are_refused(effort, tmp_path):
  fails(1, "--effort", "compress", "x.png", "--effort", effort)


def test_the_command_line_takes_one(picture, tmp_path):
  from PIL import Image
  Image.fromarray(picture).save(tmp_path / "a.png")
  sizes = []
  for effort in (1, 5):
    out = tmp_path / f"{effort}.tfcm"
    assert tfcm("compress", tmp_path / "a.png", "--effort", effort, "-o", out)[0] == 0
    sizes.append(len(out.read_bytes()))
  assert sizes[0] != sizes[1]
