"""Thumbnails: what counts of a file, budgets, and the command."""

import csv

import numpy as np
import pytest
from PIL import Image

from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream, configs, metrics
from tfc_models.codecs import LearnedCodec
from tfc_models.errors import UsageError
from tfc_models.inspection import thumbnails
from tfc_models.modeling import weights


@pytest.fixture(scope="module")
def images():
  return np.stack([make_image(32, 32, seed=seed) for seed in range(6)])


@pytest.mark.parametrize("name", thumbnails.CLASSICAL)
def test_what_does_not_count_is_constant(name, images):
  make, settings, count = thumbnails.CLASSICAL[name]
  headers = set()
  for setting in (settings[0], settings[len(settings) // 2], settings[-1]):
    for image in images:
      data = make(setting).encode(image)
      # A RIFF chunk is padded to an even length.
      padding = (len(data) - 30 - count(data)) % 2 if name == "webp" else 0
      headers.add(len(data) - count(data) - padding)
      assert 0 < count(data) < len(data)
  assert len(headers) == 1, headers


def test_files_without_a_frame_are_refused():
  with pytest.raises(UsageError, match="not a lossy WebP"):
    thumbnails.payload.webp(b"RIFF0000WEBPVP8L" + bytes(20))


def test_a_budget_takes_the_best_that_fits_and_counts_what_does_not():
  curve = thumbnails.Curve(
      "x", np.array([[10, 30], [20, 40], [30, 50]]),
      np.array([[0.1, 0.2], [0.3, 0.4], [0.2, 0.6]]),
      np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
      np.array([[9.0, 8.0], [7.0, 6.0], [5.0, 4.0]]))
  assert thumbnails.at_budget(curve, 25) == ("x", 25, 25.0, 1, 0.25, 2.5, 7.5)
  # The first has a better SSIM with fewer bytes.
  assert thumbnails.at_budget(curve, 45) == ("x", 45, 30.0, 0, 0.35, 3.5, 6.5)


def test_thumbnails_are_squares_of_photographs(tmp_path):
  for number, size in enumerate([(90, 60), (31, 200), (32, 32)]):
    Image.new("RGB", size, (number * 100, 50, 20)).save(
        tmp_path / f"{number}.png")
  paths = sorted(map(str, tmp_path.glob("*.png")))
  found = thumbnails.cut(paths, crops=3)
  assert found.shape == (6, 32, 32, 3)  # The second is too small.
  np.testing.assert_array_equal(found[:3, :, :, 0], 0)
  np.testing.assert_array_equal(found[3:, :, :, 0], 200)
  np.testing.assert_array_equal(found, thumbnails.cut(paths, crops=3))
  with pytest.raises(UsageError, match="no image of at least 32 pixels"):
    thumbnails.cut(paths[1:2])


def test_a_learned_curve_is_that_of_files(images):
  model = suite.ready(configs.get("toderici2016:fc-lstm-tiny").model)
  curve = thumbnails.learned("mine", model, images)
  codec = LearnedCodec(model, b"abcd")
  for number, image in enumerate(images):
    data = codec.encode(image)
    chunks = bitstream.read(data).chunks
    sizes = np.cumsum([len(chunk.strings[0]) for chunk in chunks])
    np.testing.assert_array_equal(curve.num_bytes[:, number], sizes)
    reached = [metrics.psnr(image, decoded)
               for decoded in codec.decode_progressively(data)]
    np.testing.assert_allclose(curve.psnr[:, number], reached, atol=0.02)
    np.testing.assert_allclose(
        curve.mse[:, number], 255.0**2 / 10 ** (np.array(reached) / 10), rtol=5e-3)


def test_the_command_writes_a_table_and_plots(tmp_path):
  photos = tmp_path / "photos"
  photos.mkdir()
  Image.fromarray(make_image(80, 90)).save(photos / "a.png")
  path = tmp_path / "model.npz"
  weights.save(suite.ready(configs.get("toderici2016:fc-lstm-tiny").model), path)
  out = tmp_path / "out"
  code, text, err = tfcm(
      "thumbnails", "--images", photos, "--codecs", "jpeg", path, "--budgets",
      "16,64", "--crops", 2, "-o", out)
  assert code == 0, err
  assert "2 thumbnails of 1 photographs" in text
  rows = list(csv.DictReader(open(out / "thumbnails.csv")))
  assert [(row["codec"], row["budget"]) for row in rows] == [
      ("jpeg", "16"), ("jpeg", "64"), ("model.npz", "16"), ("model.npz", "64")]
  assert rows[2]["num_bytes"] in ("8.0", "12.0", "16.0")  # Means of two.
  assert {p.name for p in out.iterdir()} == {
      "thumbnails.csv", "ssim.png", "ssim.svg", "psnr.png", "psnr.svg"}


def test_what_makes_no_sense_is_refused(tmp_path, tiny_weights):
  Image.fromarray(make_image(40, 40)).save(tmp_path / "a.png")
  call = ["thumbnails", "--images", tmp_path, "-o", tmp_path / "out"]
  fails(1, "is not BYTES", *call, "--budgets", "few")
  fails(1, "must be positive", *call, "--budgets", "0")
  fails(1, "must be positive", *call, "--crops", "0")
  fails(1, "not a progressive model", *call, "--codecs", tiny_weights)
  assert not (tmp_path / "out").exists()
