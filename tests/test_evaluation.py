"""Records say what happened, JPEG is compared at equal bytes."""

import numpy as np
import pytest

from tests.conftest import make_image
from tfc_models import evaluation
from tfc_models.codecs import LearnedCodec, PillowCodec
from tfc_models.codecs.classical import jpeg
from tfc_models.errors import ImageError, UsageError, WrongWeightsError
from tfc_models.evaluation import pictures, record
from tfc_models.inspection import shipped
from tfc_models.modeling.settings import Settings


def test_a_record_counts_the_whole_file(tiny_weights):
  image = make_image(192, 170)
  codec = LearnedCodec.from_file(tiny_weights)
  record = evaluation.measure(codec, image)
  assert record.num_bytes == len(codec.encode(image))
  np.testing.assert_allclose(
      record.bpp, 8 * record.num_bytes / (192 * 170))
  assert 0 < record.ms_ssim < 1 and 5 < record.psnr < 60
  assert evaluation.measure(codec, image[:50]).ms_ssim is None


@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_formats_give_infinite_psnr(channels):
  record = evaluation.measure(
      PillowCodec("PNG"), make_image(170, 192, channels))
  assert record.psnr == np.inf and record.ms_ssim == pytest.approx(1.0)


@pytest.mark.parametrize("num_bytes", [1, 3000, 10**6])
def test_jpeg_at_equal_bytes_encloses_the_size(num_bytes):
  image = make_image(128, 192)
  below, above = evaluation.at_equal_bytes(jpeg, image, num_bytes)
  smallest, largest = (len(jpeg(q).encode(image)) for q in (1, 95))
  if smallest <= num_bytes < largest:
    assert below.num_bytes <= num_bytes < above.num_bytes
    psnr = record.interpolate_psnr(below, above, num_bytes)
    assert below.psnr <= psnr <= above.psnr
  else:
    assert below.num_bytes == above.num_bytes in (smallest, largest)


def test_summaries_check_the_round_trip(tiny_weights, tmp_path):
  for seed in (0, 1):
    (tmp_path / f"{seed}.png").write_bytes(
        PillowCodec("PNG").encode(make_image(170, 192, seed=seed)))
  paths = [str(path) for path in sorted(tmp_path.iterdir())]
  summary = shipped.summarize(LearnedCodec.from_file(tiny_weights), paths)
  assert summary.exact == summary.images == 2
  assert summary.overhead <= 40


def test_the_picture_shows_every_image_under_its_label():
  image = make_image(40, 60)
  sheet = pictures.side_by_side([[("a", image), ("b", image[..., :1])]])
  assert sheet.size == (3 * 8 + 120, 8 + 40 + 28 + 8)
  pixels = np.asarray(sheet)
  np.testing.assert_array_equal(pixels[36:76, 8:68], image)
  assert np.all(pixels[36:76, 76:136] == image[..., :1])


def test_a_codec_refuses_streams_of_other_weights(tiny_weights):
  codec = LearnedCodec.from_file(tiny_weights)
  other = LearnedCodec(codec.model, b"\0\0\0\0")
  with pytest.raises(WrongWeightsError, match="made with weights 00000000"):
    codec.decode(other.encode(make_image(8, 8)))


def test_weights_of_one_rate_refuse_another_quality(tiny_weights):
  codec = LearnedCodec.from_file(tiny_weights, quality=50)
  image = make_image(8, 8)
  assert codec.encode(image, Settings(quality=50)) == codec.encode(image)
  with pytest.raises(UsageError, match="cannot code at quality 60"):
    codec.encode(image, Settings(quality=60))


@pytest.mark.parametrize("image, reason", [
    (np.zeros((4, 4, 3), np.float32), "uint8 values .* got float32"),
    (np.zeros((4, 4, 5), np.uint8), r"got \(4, 4, 5\)"),
    (np.zeros((0, 4, 3), np.uint8), r"got \(0, 4, 3\)"),
    (np.zeros((4,), np.uint8), r"got \(4,\)")])
def test_arrays_of_another_kind_are_refused(tiny_weights, image, reason):
  with pytest.raises(ImageError, match=reason):
    LearnedCodec.from_file(tiny_weights).encode(image)
