"""Progressive files on the command line: prefixes, targets, refusals."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream, configs
from tfc_models.codecs import FileOptions, LearnedCodec, lineup
from tfc_models.datasets import exif
from tfc_models.errors import BitstreamError, UsageError
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings


@pytest.fixture(scope="module")
def progressive(tmp_path_factory):
  """A weight file of a tiny model of three iterations."""
  path = tmp_path_factory.mktemp("weights") / "model.npz"
  weights.save(suite.ready(configs.get("toderici2016:tiny").model), path)
  return path


@pytest.fixture
def photo(tmp_path):
  path = tmp_path / "photo.png"
  Image.fromarray(make_image(40, 50)).save(path)
  return path


def compress(photo, progressive, *words):
  """Returns the number of iterations in the file that a call writes."""
  code, _, err = tfcm(
      "compress", photo, "--model", progressive, "--overwrite", *words)
  assert code == 0, err
  return len(bitstream.read(photo.with_suffix(".tfcm").read_bytes()).chunks)


def test_the_encoder_stops_where_it_is_told(photo, progressive):
  assert compress(photo, progressive) == 3
  size = photo.with_suffix(".tfcm").stat().st_size
  assert compress(photo, progressive, "--iterations", 2) == 2
  assert compress(photo, progressive, "--quality", 30) == 1
  assert compress(photo, progressive, "--target_size", size) == 3
  assert compress(photo, progressive, "--target_size", size - 1) == 2
  assert compress(photo, progressive, "--target_psnr", 1) == 1
  assert compress(photo, progressive, "--target_psnr", 90) == 3


def test_a_quality_is_noted_where_it_says_how_many_iterations(photo, progressive):
  for words, quality in [
      (("--quality", 60), 60), (("--quality", 60, "--iterations", 2), None),
      (("--quality", 60, "--target_psnr", 90), None)]:
    code, out, err = tfcm(
        "compress", photo, "--model", progressive, "--overwrite", "--json", *words)
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["quality"], facts["iterations"]) == (quality, 2)


@pytest.mark.parametrize("reason, words", [
    ("takes", ["--target_size", 20]), ("positive", ["--iterations", 0]),
    ("positive", ["--target_psnr", -3]), ("1..100", ["--quality", 101])])
def test_what_cannot_be_met_is_refused(photo, progressive, reason, words):
  fails(1, reason, "compress", photo, "--model", progressive, *words)
  assert not photo.with_suffix(".tfcm").exists()


def test_models_of_one_rate_refuse_iterations(photo, tiny_weights):
  fails(1, "is not progressive", "compress", photo, "--model", tiny_weights,
        "--iterations", 2)


def test_prefixes_are_pictures(photo, progressive, tmp_path):
  compress(photo, progressive)
  stream = photo.with_suffix(".tfcm")
  data = stream.read_bytes()
  images = list(LearnedCodec.from_file(
      progressive).decode_progressively(data))
  out = tmp_path / "out.png"

  def decoded(*words):
    code, _, err = tfcm("decompress", stream, "-o", out, "--overwrite",
                        "--model_path", progressive, *words)
    assert code == 0, err
    return np.asarray(Image.open(out))

  np.testing.assert_array_equal(decoded("--iterations", 2), images[1])
  np.testing.assert_array_equal(decoded("--iterations", 99), images[2])
  stream.write_bytes(data[:-1])
  fails(2, "ends at byte", "decompress", stream, "-o", out, "--overwrite",
        "--model_path", progressive)
  np.testing.assert_array_equal(decoded("--allow_partial"), images[1])
  fails(1, "positive", "decompress", stream, "-o", out, "--overwrite",
        "--model_path", progressive, "--allow_partial", "--iterations", 0)


def test_files_without_iterations_refuse_them(photo, tiny_weights):
  compress(photo, tiny_weights)
  fails(1, "no iterations", "decompress", photo.with_suffix(".tfcm"),
        "-o", photo.parent / "x.png", "--model_path", tiny_weights,
        "--iterations", 1)


@pytest.mark.slow
def test_iterations_are_the_points_of_a_curve(progressive, photo, tmp_path):
  (family,) = lineup.parse([f"mine={progressive}"])
  assert family.settings == (1, 2, 3)
  image = make_image(40, 50)
  whole = LearnedCodec.from_file(progressive)
  for setting in family.settings:
    codec = family.make(setting)
    expected = whole.encode(image, Settings(iterations=setting))
    assert codec.encode(image) == expected
    assert len(codec.encode(image, Settings(iterations=1))) <= len(expected)
    assert family.facts(setting)["iterations"] == setting
  with pytest.raises(UsageError, match="from 1 to 3, got 4"):
    lineup.parse([f"{progressive}@4"])
  out = tmp_path / "evaluation"
  code, _, err = tfcm("evaluate", "--codecs", f"mine={progressive}@1,3",
                      "--images", photo, "-o", out)
  assert code == 0, err
  records = [json.loads(line) for line in open(out / "records.jsonl")]
  assert [record["num_bytes"] for record in records] == [
      len(family.make(setting).encode(image)) for setting in (1, 3)]


def test_thumbnails_have_a_header_of_8_bytes(progressive, tmp_path):
  photo = tmp_path / "small.png"
  Image.fromarray(make_image(32, 32)).save(photo)
  stream, out = tmp_path / "small.tfcm", tmp_path / "out.png"
  assert compress(photo, progressive, "--thumbnail") == 1
  data = stream.read_bytes()
  assert len(data) == 8 + 3 * 8
  codec = LearnedCodec.from_file(progressive)
  plain = codec.encode(make_image(32, 32))
  images = list(codec.decode_progressively(plain))
  np.testing.assert_array_equal(codec.decode(data), images[-1])
  np.testing.assert_array_equal(codec.decode(data, iterations=2), images[1])
  code, _, err = tfcm("decompress", stream, "-o", out, "--model_path", progressive)
  assert code == 0, err
  np.testing.assert_array_equal(np.asarray(Image.open(out)), images[-1])
  assert tfcm("verify", stream)[0] == 0
  code, text, _ = tfcm("info", stream)
  assert code == 0 and "32x32 RGB" in text and "thumbnail" in text
  compress(photo, progressive, "--thumbnail", "--target_size", 31)
  assert len(stream.read_bytes()) == 8 + 2 * 8
  # Every change is noticed, a cut one too; what is left of it decodes.
  for position in range(len(data)):
    for bit in (0, 7):
      wrong = bytearray(data)
      wrong[position] ^= 1 << bit
      with pytest.raises(BitstreamError):
        codec.decode(bytes(wrong))
    with pytest.raises(BitstreamError):
      codec.decode(data[:position])
  np.testing.assert_array_equal(
      codec.decode(data[:26], allow_partial=True), images[1])
  with pytest.raises(BitstreamError, match="holds no iteration"):
    codec.decode(data[:12], allow_partial=True)


def test_metadata_count_into_a_budget_and_have_no_room_in_a_thumbnail(
    progressive, tmp_path):
  photo = tmp_path / "small.jpg"
  tags = Image.Exif()
  tags[0x010E] = "a description" * 20
  Image.fromarray(make_image(32, 32)).save(photo, exif=tags)
  words = ("compress", photo, "--model", progressive, "--overwrite")
  size = len(exif.upright(tags.tobytes()))
  fails(1, f"bytes, more than the 200 asked for (with {size} of metadata)",
        *words, "--target_size", 200)
  assert compress(photo, progressive, "--target_size", 200, "--strip") == 3
  code, _, err = tfcm(*words, "--thumbnail")
  assert code == 0 and err.count("\n") == 1 and "has no room for EXIF" in err
  before = photo.with_suffix(".tfcm").read_bytes()
  assert tfcm(*words, "--thumbnail", "--strip")[::2] == (0, "")
  assert photo.with_suffix(".tfcm").read_bytes() == before


def test_grey_thumbnails_and_the_largest(progressive):
  codec = LearnedCodec.from_file(progressive)
  for image in (make_image(1, 256), make_image(9, 7, 1)):
    decoded = codec.decode(codec.encode(image, options=FileOptions(thumbnail=True)))
    np.testing.assert_array_equal(decoded, codec.decode(codec.encode(image)))
  with pytest.raises(UsageError, match="257x1 is no thumbnail|1x257 is no"):
    codec.encode(make_image(1, 257), options=FileOptions(thumbnail=True))


def test_other_models_make_no_thumbnails(photo, tiny_weights):
  fails(1, "is not progressive", "compress", photo, "--model", tiny_weights,
        "--thumbnail")
