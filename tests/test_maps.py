"""Maps that networks weigh the sites of an image by."""

import numpy as np
import pytest
from PIL import Image

from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import LearnedCodec, configs
from tfc_models.errors import UsageError
from tfc_models.inspection import maps
from tfc_models.inspection.maps import Map
from tfc_models.modeling import weights


def maps_of(recipe, image):
  spec = configs.get(recipe).model
  return maps.maps(LearnedCodec(suite.ready(spec), fingerprint=b"maps"), image)


@pytest.mark.parametrize("recipe, names, shape", [
    ("balle_li:tiny", ["importance"], (3, 5)),
    ("mentzer2018:tiny", ["importance"], (5, 9)),
    pytest.param("nlaic:tiny", ["attention 1", "attention 2"], (4, 8),
                 marks=pytest.mark.slow),
    pytest.param("cheng2020_gmm:tiny", ["attention 1", "attention 2"], (16, 32),
                 marks=pytest.mark.slow)])
def test_models_show_their_maps(recipe, names, shape):
  found = maps_of(recipe, make_image(33, 70))
  assert [each.name for each in found] == names
  assert found[0].weights.shape == shape
  for each in found:
    assert 0.0 <= each.weights.min() and each.weights.max() <= 1.0
    assert each.picture(33, 70).shape == (33, 70, 1)


def test_a_site_is_a_square_of_the_picture():
  picture = Map("importance", np.float32([[0.2, 0.4, 0.3], [0.2, 0.2, 0.3]]), 16).picture(20, 40)
  assert picture.shape == (20, 40, 1)
  expected = np.repeat(np.repeat([[0, 255, 128], [0, 0, 128]], 16, axis=0), 16, axis=1)
  np.testing.assert_array_equal(picture[..., 0], expected[:20, :40])


def test_models_without_any_say_so():
  with pytest.raises(UsageError, match="neither attention nor"):
    maps_of("bls2017:tiny", make_image(16, 16))


def test_pictures_have_the_photograph_and_its_maps(tmp_path):
  image = make_image(48, 64)
  Image.fromarray(image).save(tmp_path / "photo.png")
  weights.save(suite.ready(configs.get("balle_li:tiny").model), tmp_path / "model.npz")
  out = tmp_path / "out"
  arguments = ["maps", tmp_path / "photo.png", "--model", tmp_path / "model.npz", "-o", out]
  code, said, _ = tfcm(*arguments)
  assert code == 0 and "importance, 3x4 sites" in said
  picture = np.asarray(Image.open(out / "photo.png"))
  assert picture.shape[1] > 2 * 64
  rows = [top for top in range(len(picture) - 47)
          if np.array_equal(picture[top:top + 48, 8:72], image)]
  assert len(rows) == 1
  before = (out / "photo.png").read_bytes()
  fails(1, "exists already", *arguments)
  fails(1, "two inputs", "maps", tmp_path / "photo.png", *arguments[1:], "--overwrite")
  assert (out / "photo.png").read_bytes() == before
  fails(1, "would replace the input", *arguments[:-1], tmp_path, "--overwrite")
  np.testing.assert_array_equal(Image.open(tmp_path / "photo.png"), image)
