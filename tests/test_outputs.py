"""`tfcm decompress` writes what image format is asked for."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import codecs

NAMES = {"avif": "AVIF", "bmp": "BMP", "jp2": "JPEG2000", "jpg": "JPEG", "png": "PNG",
         "ppm": "PPM", "tif": "TIFF", "webp": "WEBP"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_weights):
  """A folder with a file of RGB and one of grey, and their pixels."""
  codec = codecs.open_weights(tiny_weights)
  folder, expected = tmp_path_factory.mktemp("packed"), {}
  for name, channels in (("a", 3), ("b", 1)):
    data = codec.encode(make_image(40, 56, channels))
    (folder / f"{name}.tfcm").write_bytes(data)
    expected[name] = codec.decode(data)
  return folder, expected


@pytest.fixture(scope="module")
def decoder(tiny_weights):
  return codecs.StreamDecoder([tiny_weights])


@pytest.fixture(autouse=True)
def warm(decoder, monkeypatch):
  monkeypatch.setattr("tfc_models.codecs.StreamDecoder", lambda *_: decoder)


@pytest.mark.parametrize("format", NAMES)
def test_folders_become_files_of_a_format(folder, tmp_path, format):
  packed, expected = folder
  code, _, err = tfcm("decompress", packed, "-o", tmp_path, "--format", format)
  assert (code, err) == (0, "")
  for name, pixels in expected.items():
    with Image.open(tmp_path / f"{name}.{format}") as image:
      assert image.format == NAMES[format]
      read = np.asarray(image.convert("L" if name == "b" else "RGB"))
    assert np.abs(read.reshape(pixels.shape).astype(int) - pixels).mean() < 8
    if format in ("bmp", "png", "ppm", "tif"):
      np.testing.assert_array_equal(read.reshape(pixels.shape), pixels)


def test_a_format_counts_more_than_an_extension(folder, tmp_path):
  output = tmp_path / "out.bin"
  fails(1, "--format", "decompress", folder[0] / "a.tfcm", "-o", output)
  assert tfcm("decompress", folder[0] / "a.tfcm", "-o", output, "--format",
              "webp")[0] == 0
  with Image.open(output) as image:
    assert image.format == "WEBP"


def test_png_levels_differ_in_bytes_alone(folder, tmp_path, monkeypatch):
  packed, expected = folder
  sizes, levels, save = {}, [], Image.Image.save

  def noted(image, *words, **options):
    levels.append(options["compress_level"])
    save(image, *words, **options)

  monkeypatch.setattr(Image.Image, "save", noted)
  for level in (0, None, 9):
    output = tmp_path / f"{level}.png"
    words = [] if level is None else ["--png_level", level]
    assert tfcm("decompress", packed / "a.tfcm", "-o", output, *words)[0] == 0
    np.testing.assert_array_equal(np.asarray(Image.open(output)), expected["a"])
    sizes[level] = output.stat().st_size
  assert sizes[0] > expected["a"].nbytes > sizes[None] >= sizes[9]
  assert levels == [0, 4, 9]


@pytest.mark.parametrize("format", ["jpg", "webp", "avif"])
def test_lower_output_qualities_take_fewer_bytes(folder, tmp_path, format):
  sizes = []
  for quality in (20, 95):
    output = tmp_path / f"{quality}.{format}"
    assert tfcm("decompress", folder[0] / "a.tfcm", "-o", output, "--output_quality",
                quality)[0] == 0
    sizes.append(output.stat().st_size)
  assert sizes[0] < sizes[1]


def test_a_flag_that_says_nothing_to_the_format_is_refused(folder, tmp_path):
  words = ["decompress", folder[0] / "a.tfcm", "-o"]
  fails(1, "--output_quality goes with AVIF, JPEG, WEBP files", *words,
        tmp_path / "a.png", "--output_quality", "90")
  fails(1, "--png_level goes with PNG files", *words, tmp_path / "a.jpg",
        "--png_level", "0")
  assert list(tmp_path.iterdir()) == []
