"""Files of variable rate that meet a target."""

import math

import numpy as np
import pytest
from PIL import Image

from tests.conformance import suite, toys
from tests.conformance.toys import gains
from tests.conftest import make_image
from tests.test_cli import fails
from tfc_models import codecs, configs, metrics
from tfc_models.cli.compress import _bytes
from tfc_models.codecs import FileOptions, rate_control
from tfc_models.errors import UsageError
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings

IMAGE = make_image(170, 180)


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
  with toys.registered(gains):
    path = tmp_path_factory.mktemp("toy") / "gains.npz"
    weights.save(suite.ready(gains.get_config().model), path)
    yield codecs.load(str(path))


def at(codec, quality):
  return codec.encode_file(IMAGE, Settings(quality=quality))


def quality_of(file):
  return file.header.settings["quality"]


def psnr(codec, file):
  return metrics.psnr(IMAGE, codec.decode(file.data))


@pytest.mark.parametrize("quality", [1, 2, 37, 50, 83, 100])
def test_the_highest_quality_within_a_budget_is_taken(codec, quality):
  size = len(at(codec, quality).data)
  for options in (FileOptions(target_bytes=size),
                  FileOptions(target_bpp=8 * (size + 0.5) / (170 * 180))):
    file = codec.encode_file(IMAGE, options=options)
    assert len(file.data) <= size
    found = quality_of(file)
    assert found >= quality
    assert found == 100 or len(at(codec, found + 1).data) > size


@pytest.mark.parametrize("quality", [1, 24, 66, 100])
def test_the_lowest_quality_that_is_good_enough_is_taken(codec, quality):
  wanted = psnr(codec, at(codec, quality))
  file = codec.encode_file(IMAGE, options=FileOptions(target_psnr=wanted))
  assert psnr(codec, file) >= wanted
  found = quality_of(file)
  assert found == 1 or psnr(codec, at(codec, found - 1)) < wanted
  similar = metrics.compare(IMAGE, codec.decode(at(codec, quality).data)).ms_ssim
  file = codec.encode_file(IMAGE, options=FileOptions(target_ms_ssim=similar - 1e-9))
  assert metrics.compare(IMAGE, codec.decode(file.data)).ms_ssim >= similar - 1e-9


def test_the_picture_is_measured_without_what_lies_beside_it(codec):
  wanted = psnr(codec, at(codec, 40))
  image = np.dstack([IMAGE, np.full_like(IMAGE[..., 0], 99)])
  file = codec.encode_file(image, options=FileOptions(target_psnr=wanted))
  assert quality_of(file) <= 40
  assert metrics.psnr(IMAGE, codec.decode(file.data)[..., :3]) >= wanted


@pytest.mark.parametrize("options, reason", [
    ({"target_bytes": 60}, r"target of 60 bytes: 1, the nearest, gives \d+ bytes"),
    ({"target_psnr": 99.0}, r"99.00 dB: 100, the nearest, gives \d\d\.\d\d dB"),
    ({"target_ms_ssim": 0.999999}, r"100, the nearest, gives MS-SSIM 0.9"),
    ({"target_ms_ssim": 1.0}, "below 1"),
    ({"target_psnr": 30.0, "target_bytes": 999}, "one target at a time"),
    ({"target_bpp": -1.0}, "target_bpp must be positive"),
])
def test_what_cannot_be_met_says_what_is_nearest(codec, options, reason):
  with pytest.raises(UsageError, match=reason):
    codec.encode(IMAGE, options=FileOptions(**options))


def test_a_small_image_has_no_ms_ssim(codec):
  with pytest.raises(UsageError, match="has no MS-SSIM"):
    codec.encode(make_image(64, 64), options=FileOptions(target_ms_ssim=0.9))


@pytest.mark.parametrize("curve", [
    lambda q: 7.0 + 0.035 * q, lambda q: 7.0 + 0.03 * q + 2e-4 * q**2,
    lambda q: 7.0 + 3.0 * math.sqrt(q / 100), lambda q: 5.0 + math.exp(q / 60)])
def test_few_encodes_find_it(curve):
  counts = []
  for value in np.linspace(curve(1), curve(99.9), 41)[1:]:
    tried = []

    def measured(quality, tried=tried):
      tried.append(quality)
      return curve(quality)

    target = rate_control.Target(value, None, 0.035, False, str)
    below, above, values = rate_control.enclosing(measured, target)
    assert curve(below) <= value < curve(above) and above - below == 1
    assert len(tried) == len(set(tried)) == len(values)
    counts.append(len(tried))
  assert np.mean(counts) <= 5 and max(counts) <= 7


@pytest.mark.parametrize("text, size", [
    ("24KiB", 24576), ("1.5MB", 1500000), ("100", 100), ("7 kb", 7000), ("-3", -3)])
def test_sizes_have_units(text, size):
  assert _bytes(text) == size


@pytest.mark.parametrize("text", ["", "KiB", "12 parsecs", "1.2.3", "nan"])
def test_other_sizes_are_refused(text):
  with pytest.raises(Exception, match="is no size"):
    _bytes(text)


def test_a_file_fills_its_budget_between_two_qualities():
  """Of a model whose encoder weighs bits against errors."""
  from skimage import data
  image = data.astronaut()[60:188, 150:278]
  codec = codecs.load("tfcm-flex", 50, effort=1)
  low, high = (len(codec.encode(image, Settings(quality=quality)))
               for quality in (60, 61))
  assert low + 20 < high
  file = codec.encode_file(image, options=FileOptions(target_bytes=high - 8))
  assert low < len(file.data) <= high - 8 and quality_of(file) == 61
  assert codec.decode(file.data).shape == image.shape


def test_a_quality_and_a_target_exclude_each_other(codec, tmp_path):
  picture, path = tmp_path / "x.png", tmp_path / "gains.npz"
  Image.fromarray(IMAGE).save(picture)
  weights.save(codec.model, path)
  fails(1, "--quality and a target exclude each other", "compress", picture, "--model",
        path, "--quality", 50, "--target_size", "2KiB", "-o", tmp_path / "x.tfcm")


def test_plain_jpeg_files_meet_targets_too():
  codec = codecs.EditedCodec(
      suite.ready(configs.get("strumpler2020:tiny").model), b"abcd")
  budget = len(codec.encode(IMAGE, Settings(quality=40))) + 20
  file = codec.encode_file(IMAGE, options=FileOptions(target_bytes=budget))
  assert 0.9 * budget < len(file.data) <= budget
  file = codec.encode_file(IMAGE, options=FileOptions(target_psnr=33.0))
  assert 33.0 <= metrics.psnr(IMAGE, codec.decode(file.data)) < 33.6
