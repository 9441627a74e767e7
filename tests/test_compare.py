"""`tfcm compare`: metrics of all, pictures of a part, refusals with a reason."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models.evaluation.pictures import difference


@pytest.fixture
def photo(tmp_path):
  path = tmp_path / "photo.png"
  Image.fromarray(make_image(40, 60)).save(path)
  return path


def test_two_images_and_their_difference_in_a_row(photo, tmp_path):
  other = tmp_path / "other.png"
  changed = make_image(40, 60).astype(int) + 2
  Image.fromarray(changed.clip(0, 255).astype(np.uint8)).save(other)
  code, out, err = tfcm(
      "compare", photo, other, "-o", tmp_path / "c.png", "--gain", 8)
  assert (code, err) == (0, "")
  assert "Wasserstein 0.0" in out and "LPIPS" not in out
  assert "PSNR 42.1" in out and "MS-SSIM -" in out and "c.png" in out
  sheet = np.asarray(Image.open(tmp_path / "c.png"))
  assert sheet.shape == (8 + 28 + 40 + 8, 3 * 68 + 8, 3)
  np.testing.assert_array_equal(sheet[36:76, 8:68], make_image(40, 60))
  assert np.median(sheet[36:76, 144:204]) == 128 + 8 * 2


def test_codecs_code_the_image_and_get_a_row_each(photo, tmp_path):
  code, out, err = tfcm(
      "compare", photo, "--codec", "png", "jpeg@10,90", "--json",
      "--crop", "10,5,20x30", "-o", tmp_path / "c.png")
  assert (code, err) == (0, "")
  facts = [json.loads(line) for line in out.splitlines()]
  assert [fact["image"] for fact in facts] == ["png", "jpeg@10", "jpeg@90"]
  assert facts[0]["psnr"] is None and facts[0]["mse"] == 0
  assert facts[1]["psnr"] < facts[2]["psnr"]
  assert facts[1]["bpp"] == pytest.approx(8 * facts[1]["bytes"] / (40 * 60))
  sheet = np.asarray(Image.open(tmp_path / "c.png"))
  assert sheet.shape == (8 + 4 * (28 + 30 + 8), 8 + 2 * 28, 3)


def test_streams_are_decoded(photo, tmp_path):
  assert tfcm("compress", photo)[0] == 0
  stream = photo.with_suffix(".tfcm")
  code, out, _ = tfcm("compare", photo, stream, "-o", tmp_path / "c.png")
  assert code == 0 and f"photo.tfcm: {stream.stat().st_size} bytes" in out


def test_differences_are_around_grey_and_clipped():
  a = np.array([[[10, 20, 30], [200, 0, 0]]], np.uint8)
  b = np.array([[[11, 20, 28], [0, 255, 0]]], np.uint8)
  np.testing.assert_array_equal(
      difference(a, b, 4), [[[132, 128, 120], [0, 255, 128]]])
  assert difference(a[..., :1], b[..., :1], 1).shape == (1, 2, 3)


@pytest.mark.parametrize("words, reason", [
    ([], "name a second image, or --codec"),
    (["PHOTO", "--crop=1,2"], "'1,2' is not X,Y,WIDTHxHEIGHT"),
    (["PHOTO", "--crop=1,2,60x3"], "1,2,60x3 is not inside 60x40 pixels"),
    (["SMALL"], "images of 60x40 and 5x5 pixels cannot be compared"),
    (["/no.png"], "/no.png: No such file"),
    (["PHOTO", "--lpips=/a.pth,/b.pth"], "/a.pth: No such file"),
    (["--codec=toderici2016"], "toderici2016: no weights are shipped"),
    (["--codec=false=cmd:false {in} {out}"], "false ended with 1"),
])
def test_what_cannot_be_compared_is_refused(words, reason, photo, tmp_path):
  small = tmp_path / "small.png"
  Image.fromarray(make_image(5, 5)).save(small)
  output = tmp_path / "c.png"
  words = [
      str({"PHOTO": photo, "SMALL": small}.get(word, word)) for word in words]
  fails(1, reason, "compare", photo, *words, "-o", output)
  assert not output.exists()


def test_a_picture_is_not_replaced_unasked(photo, tmp_path):
  output = tmp_path / "c.png"
  output.write_bytes(b"mine")
  fails(1, "exists already", "compare", photo, photo, "-o", output)
  assert output.read_bytes() == b"mine"
  assert tfcm("compare", photo, photo, "-o", output, "--overwrite")[0] == 0
