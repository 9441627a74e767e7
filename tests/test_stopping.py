"""Tiles that are good enough stop taking bits."""

import functools

import numpy as np
import pytest
from PIL import Image

from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream, configs, metrics
from tfc_models.codecs import FileOptions, LearnedCodec
from tfc_models.entropy_models import (
  read_flags,
  write_flags,
)
from tfc_models.errors import UsageError
from tfc_models.inspection import progressive
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings


@functools.cache
def adaptive():
  """Returns a codec, an image, a tile_psnr and the file where some tiles stop."""
  arguments = configs.get("toderici2017:tiny").model.arguments.to_dict()
  model = suite.fresh("toderici2017", **{
      **arguments, "iterations": 4, "reconstruction": "additive"})
  model.fix_tables()
  codec = LearnedCodec(model, b"abcd")
  image = make_image(100, 150)
  image[:40, :70] = 120  # Good enough at once.
  first = codec.decode(codec.encode(image, Settings(iterations=1)))
  tile = metrics.psnr(image[:32, :64], first[:32, :64])
  return codec, image, tile - 1.0


@pytest.mark.parametrize("variant", [
    "toderici2016:fc-residual", "toderici2016:fc-lstm", "vric:lstm-residual"])
def test_patches_that_are_good_enough_take_no_bits_without_entropy_coder(variant):
  model = suite.ready(configs.get(f"{variant}-tiny").model)
  codec = LearnedCodec(model, b"abcd")
  image = make_image(30, 45)
  first = codec.decode(codec.encode(image, Settings(iterations=1)))
  error = ((image[:24, :40].astype(float) - first[:24, :40]) ** 2).reshape(
      3, 8, 5, 8, 3).mean((1, 3, 4))
  middle = Settings(tile_psnr=float(10 * np.log10(255**2 / np.median(error))) - 0.01)
  data = codec.encode(image, middle)
  # Patches of 8x8 with padding: 4 x 6, of which more than 7 stop at once.
  codes = [chunk.strings[1] for chunk in bitstream.read(data).chunks]
  assert len(codes[0]) == 24 * model.code_depth // 8
  assert len(codes[1]) <= 17 * model.code_depth // 8
  images = list(codec.decode_progressively(data))
  sent = model.compress_progressively(image, middle)
  for found, (_, expected) in zip(images, sent, strict=True):
    np.testing.assert_array_equal(found, expected)
  stay = np.repeat(np.repeat(error <= np.median(error), 8, axis=0), 8, axis=1)
  last = codec.decode(data)
  np.testing.assert_array_equal(last[:24, :40][stay], first[:24, :40][stay])
  assert np.any(last[:24, :40][~stay] != first[:24, :40][~stay])
  # The others are what they are without.
  _, plain, *_ = codec.decode_progressively(codec.encode(image))
  np.testing.assert_array_equal(
      images[1][:24, :40][~stay], plain[:24, :40][~stay])
  with pytest.raises(UsageError, match="tile_psnr needs the entropy coder"):
    codec.encode(image, Settings(tile_psnr=20.0), FileOptions(thumbnail=True))


@pytest.mark.slow
def test_tiles_that_are_good_enough_take_no_bits():
  codec, image, psnr = adaptive()
  data = codec.encode(image, Settings(tile_psnr=psnr))
  chunks = bitstream.read(data).chunks
  flags = [chunk.strings[0] for chunk in chunks]
  assert flags[0] == b"" and len(flags[1]) > 1
  plain = bitstream.read(codec.encode(image)).chunks
  assert len(chunks[1].strings[1]) < len(plain[1].strings[1])
  images = list(codec.decode_progressively(data))
  for found, (_, sent) in zip(images, codec.model.compress_progressively(
      image, Settings(tile_psnr=psnr))):
    np.testing.assert_array_equal(found, sent)
  # They stay as they are, the others do not.
  np.testing.assert_array_equal(images[0][:32, :64], images[-1][:32, :64])
  assert np.any(images[0][64:] != images[-1][64:])
  # Prefixes are valid.
  ends = [len(codec.encode(image, Settings(tile_psnr=psnr, iterations=k)))
          for k in (1, 2, 3)]
  for end, expected in zip(ends, images):
    np.testing.assert_array_equal(
        codec.decode(data[:end], allow_partial=True), expected)


def test_the_table_of_iterations_says_what_coder_and_tiles_save():
  codec, image, psnr = adaptive()
  plain = progressive.stages(codec, [image])
  for k in (1, 4):
    data = codec.encode(image, Settings(iterations=k))
    assert plain.num_bytes[k - 1] == len(data)
    assert plain.psnr[k - 1] == metrics.psnr(image, codec.decode(data))
    raw = codec.encode(image, Settings(iterations=k, raw_bits=True))
    assert abs(plain.raw_bytes[k - 1] - len(raw)) <= 3 * k
  found = progressive.stages(codec, [image], psnr)
  assert found.num_bytes[-1] == len(codec.encode(image, Settings(tile_psnr=psnr)))
  saved = progressive.saved_at_equal_psnr(
      plain._replace(psnr=np.array([20.0, 22, 24, 26]),
                     num_bytes=np.array([100.0, 200, 300, 400])),
      found._replace(psnr=np.array([25.0]), num_bytes=np.array([280.0])))
  assert saved == pytest.approx(0.2)
  lines = progressive.table(plain, 15000)
  assert len(lines) == 6 and lines[2].startswith(
      f"| 1 | {plain.raw_bytes[0]:.0f} | {plain.num_bytes[0]:.0f} | ")


def test_an_image_whose_tiles_have_all_stopped_ends_there():
  codec, image, _ = adaptive()
  chunks = bitstream.read(codec.encode(image, Settings(tile_psnr=1.0))).chunks
  assert len(chunks) == 1
  assert codec.encode(image, Settings(tile_psnr=99.0)) == codec.encode(image)


def test_flags_take_bytes_only_where_some_are_true():
  assert write_flags(np.zeros(9, bool)) == b""
  rng = np.random.default_rng(0)
  for count, share in [(1, 1.0), (7, 0.5), (384, 0.03), (384, 1.0), (384, 0.97)]:
    flags = rng.uniform(size=count) < share
    np.testing.assert_array_equal(read_flags(write_flags(flags), count), flags)
  rare = np.arange(384) % 40 == 0
  assert len(write_flags(rare).numpy()) < 14
  assert not len(read_flags(b"", 0))


@pytest.mark.slow
def test_the_command_line_takes_tiles_and_raw_bits(tmp_path):
  codec, image, psnr = adaptive()
  weights.save(codec.model, tmp_path / "model.npz")
  Image.fromarray(image).save(tmp_path / "a.png")
  sizes = {}
  for name, more in {"plain": [], "raw": ["--raw_bits"],
                     "tiles": [f"--tile_psnr={psnr}"]}.items():
    out = tmp_path / f"{name}.tfcm"
    assert tfcm("compress", tmp_path / "a.png", "--model", tmp_path / "model.npz",
                "-o", out, *more)[0] == 0
    sizes[name] = out.stat().st_size
    assert tfcm("decompress", out, "--model_path", tmp_path / "model.npz",
                "-o", tmp_path / f"{name}.png")[0] == 0
  assert sizes["tiles"] < sizes["plain"] != sizes["raw"]
  fails(1, "tile_psnr needs the entropy coder", "compress", tmp_path / "a.png",
        "--model", tmp_path / "model.npz", "--tile_psnr=20", "--raw_bits", "-o",
        tmp_path / "x.tfcm")
