"""Pictures that no model codes: where planes of samples take fewer bytes."""

import copy
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tfc_models
import tfc_models.pillow  # noqa: F401 - Pillow opens files of ours.
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream
from tfc_models.bitstream import PIXELS, SAMPLES, Chunk, Header, pixels, plane
from tfc_models.codecs import (
    FileOptions,
    StreamDecoder,
    open_weights,
    pixel_codec,
    planes,
)
from tfc_models.errors import BitstreamError, TooLargeError, UsageError
from tfc_models.serving import Client

NOISE = np.random.default_rng(0).integers(0, 256, (24, 40, 4), np.uint8)
DEEP = make_image(24, 40, 4).astype(np.uint16) * 256 + NOISE
# Files as they are written for good, and what they hold.
FROZEN = {
    "9f54434d0106706c616e65730000000002023700ae3527d448001602011201080301000b020005f8f8"
    "f901010106ff7b00f8eea094": np.uint8(
        [[[1, 2, 3], [250, 2, 9]], [[7, 7, 7], [0, 255, 128]]]),
    "9f54434d0106706c616e65730000000002033700995fe5d5480012040104040401080002000800ff00"
    "08000100a1ca9973": np.uint8([[[1, 2, 3]] * 3] * 2),
    "9f54434d0106706c616e65730000000001031700d5d4d45248001002010c040d0301000500000000fa"
    "fb00d40ac5b5": np.uint16([[[0], [1000], [65535]]]),
}


def noisy_waves(side=96):
  """Returns a grey picture, as RGB, that suits a wavelet."""
  row, column = np.mgrid[:side, :side]
  waves = 128 + 90 * np.sin(row / 7 + column / 9)
  grey = waves + np.random.default_rng(0).normal(0, 3, waves.shape)
  return np.repeat(np.uint8(np.clip(grey, 0, 255))[..., None], 3, axis=-1)


def coded(image, **options):
  """Returns the bytes of the file of an image."""
  return pixel_codec.file_of(planes.taken_apart(image), FileOptions(**options)).data


@pytest.mark.parametrize("image, most", [
    (make_image(1, 1), 48), (make_image(1, 500), 1080), (make_image(500, 1, 1), 430),
    (np.full((256, 256, 3), 9, np.uint8), 56), (NOISE[..., :3], NOISE[..., :3].size + 45),
    (NOISE[..., :1], NOISE[..., :1].size + 45), (np.uint8([[0, 255] * 99] * 200), 130),
    (make_image(9, 8)[..., [0, 0, 1]], 240), (np.repeat(NOISE[:9, :9, :3], 9, 1), 500),
    (DEEP[..., :3], DEEP[..., :3].nbytes), (DEEP[..., :1], DEEP[..., :1].nbytes),
    (DEEP[..., :2], DEEP.nbytes), (NOISE, NOISE.size + 60), (NOISE[..., :2], 2000),
    (DEEP, DEEP.nbytes), (257 * NOISE[..., :3].astype(np.uint16), NOISE.size),
    (planes.rescaled(NOISE[..., :3] * np.uint16(4), np.uint16, 1023), NOISE.size * 1.2)])
def test_pictures_of_all_kinds_come_back(image, most):
  data = coded(image, metadata={"icc": b"profile"})
  assert len(data) <= most + 20
  back = tfc_models.decode(data)
  image = image.reshape(*image.shape[:2], -1)
  seen = image[..., -1] > 0 if image.shape[-1] in (2, 4) else ...
  np.testing.assert_array_equal(back[seen], image[seen], strict=True)
  np.testing.assert_array_equal(
      tfc_models.decode(data, region=(0, 0, 1, 1)), back[:1, :1], strict=True)
  stream = bitstream.read(data)
  assert stream.metadata == {"icc": b"profile"}
  flat = pixel_codec.decode(stream, depth=8)
  assert flat.dtype == np.uint8 and stream.sample_bits == (
      None if image.dtype == np.uint8 else stream.pixels[1][0])
  if image.dtype == np.uint16:
    expected = planes.rescaled(image[..., :3 - 2 * (image.shape[-1] < 3)], np.uint8)
    np.testing.assert_array_equal(flat[seen][..., 0], expected[seen][..., 0])


@pytest.mark.parametrize("data", FROZEN)
def test_files_are_read_for_good(data):
  np.testing.assert_array_equal(
      tfc_models.decode(bytes.fromhex(data)), FROZEN[data], strict=True)


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize("bits", [8, 10])
def test_planes_lie_as_the_format_says(kind, bits):
  image = np.random.default_rng(1).integers(0, 2**bits, (5, 7, 3))
  red, green, blue = np.moveaxis(image, -1, 0)
  parts = [red, green, blue]
  if kind & 1:
    parts = [green, (red - green) % 2**bits, (blue - green) % 2**bits]
  ways = [[np.concatenate(parts)], parts]
  if kind & 2:
    if kind & 1:
      parts = [parts[1], parts[0], parts[2]]
    ways = [[np.stack(parts, axis=-1).reshape(5, 21)]]
  how = bytes([kind | (4 if bits > 8 else 0)])
  for way in ways:
    found, found_bits = pixels.read(
        (how, *(plane.write(part, bits) for part in way)), 5, 7, 3)
    assert found_bits == bits
    np.testing.assert_array_equal(found, image)


def test_what_is_far_above_a_limit_is_given_up_early(monkeypatch):
  monkeypatch.setattr(plane, "write", None)
  assert pixels.write(make_image(64, 64), limit=5000) is None


def test_a_part_of_a_large_picture_tells_how_all_is_written(monkeypatch):
  image, tried = np.repeat(make_image(160, 20)[:1], 160, axis=0), []
  image[:, 10:] //= 2
  estimate = plane.estimate
  monkeypatch.setattr(pixels, "_TRIED_SAMPLES", 2400)
  monkeypatch.setattr(plane, "estimate", lambda part, *more: (
      tried.append(part.size), estimate(part, *more))[1])
  strings = pixels.write(image)
  assert set(tried) == {2400}
  np.testing.assert_array_equal(pixels.read(strings, 160, 20, 3)[0], image)
  assert len(strings[1]) < 200


@pytest.mark.parametrize("strings, reason", [
    ((), "in 0 strings"), ((b"\0",), "in 0 strings"), ((b"", b"\x08\0\0\0"), "none in 1"),
    ((b"\x08", b"\x08\0\0\0"), "kind, 08 in 1"), ((b"\1\0", b"\x08\0\0\0"), "kind, 0100"),
    ((b"\0", b"\x08\0\0\0", b"\x08\0\0\0"), "in 2 strings"),
    ((b"\2", *3 * (b"\x08\0\0\0",)), "02 in 3 strings"),
    ((b"\0", b"\x0a\0\0\0"), "of 10 bits, wanted 8$"),
    ((b"\4", b"\x07\0\0\0"), "of 7 bits, wanted 8 to 16"),
    ((b"\4", b"\x08\0\0\0", b"\x08\0\0\0", b"\x0c\0\0\0"), "of 8, 12 bits"),
    ((b"\1", b"\x08\3junk"), "cannot be unpacked"), ((b"\1", b"\x08"), "no known kind"),
    ((b"\0", plane.write(NOISE[:8, :8, 0])), "does not hold the 192 bytes")])
def test_hostile_pixels_are_a_line(strings, reason, tmp_path):
  path = tmp_path / "a.tfcm"
  path.write_bytes(bitstream.write(
      Header("planes", bytes(4), 8, 8), [Chunk(PIXELS, 0, strings)]))
  with pytest.raises(BitstreamError, match=reason) as caught:
    tfc_models.decode(path.read_bytes())
  fails(2, str(caught.value), "decompress", path)
  assert tfcm("info", path)[0] == 0
  with pytest.raises(OSError, match=reason):
    Image.open(path).load()


def test_what_does_not_go_with_pixels_is_refused():
  data = coded(make_image(8, 8))
  stream = bitstream.read(data)
  (chunk,) = stream.chunks
  for others in ([chunk], [Chunk(bitstream.LATENT, 0, (b"a",))],
                 [Chunk(SAMPLES, 0, (b"a",))]):
    with pytest.raises(BitstreamError, match="pixels, and another picture"):
      bitstream.read(bitstream.write(stream.header, [chunk, *others]))
  with pytest.raises(TooLargeError, match="8x8 in 3 planes .* of 23 pixels"):
    StreamDecoder(max_pixels=23).decode(data)
  assert StreamDecoder(max_pixels=24).decode(data).shape == (8, 8, 3)
  with pytest.raises(UsageError, match="no iterations"):
    pixel_codec.decode(stream, iterations=1)
  for cut in range(len(data)):
    with pytest.raises(BitstreamError):
      bitstream.read(data[:cut], allow_partial=True)


def test_neither_tensorflow_nor_a_server_is_asked(tmp_path):
  image = make_image(20, 30)
  path = tmp_path / "a.tfcm"
  path.write_bytes(coded(image))
  text = f"""
import sys
from tfc_models.cli import main
code = main.main(main.parse(["tfcm", "decompress", {str(path)!r}]))
sys.exit(code or "tensorflow" in sys.modules)
"""
  subprocess.run([sys.executable, "-c", text], check=True)
  np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), image)
  with Client("grpc://127.0.0.1:1/m", retries=0) as client:
    np.testing.assert_array_equal(client.decompress(path.read_bytes()), image)


@pytest.fixture(scope="module")
def by_model(tiny_weights):
  return open_weights(tiny_weights)


@pytest.fixture
def codec(by_model):
  """A codec of one model that takes planes where they are less, as lossless ones do."""
  codec = copy.copy(by_model)
  codec.takes_planes = True
  return codec


def test_the_fewest_bytes_are_taken(codec, by_model):
  image = make_image(24, 40)
  data = codec.encode(image)
  assert data == by_model.encode(image) and len(data) < len(coded(image))
  flat = np.full_like(image, 9)
  data = codec.encode(flat, options=FileOptions(metadata={"xmp": b"<x/>"}))
  assert data == coded(flat, metadata={"xmp": b"<x/>"})
  assert len(data) < len(by_model.encode(flat))
  for found in (codec.decode(data), *codec.decode_progressively(data)):
    np.testing.assert_array_equal(found, flat)
  # A model would code 8 bits of them, and the planes would come on top.
  assert codec.encode(DEEP) == coded(DEEP)


def test_commands_code_without_a_model(codec, tmp_path, monkeypatch):
  monkeypatch.setattr("tfc_models.codecs.load", lambda *_, lossless: lossless and codec)
  deep = DEEP[..., 0]
  path, stream = tmp_path / "a.png", tmp_path / "a.tfcm"
  Image.fromarray(deep).save(path)
  code, out, err = tfcm("compress", path, "--lossless", "--depth=16")
  assert (code, err) == (0, "") and ", planes, " in out
  facts = json.loads(tfcm("info", stream, "--json")[1])
  assert facts["pixels"] and facts["weights"] is None and facts["sample_bits"] == 16
  assert "none needed" in tfcm("info", stream)[1]
  assert tfcm("verify", stream)[0] == 0
  assert tfcm("decompress", stream, "-o", tmp_path / "b.png", "--region=3,4,9,8")[0] == 0
  np.testing.assert_array_equal(
      np.asarray(Image.open(tmp_path / "b.png")), deep[4:12, 3:12])
  with Image.open(stream) as opened:
    assert opened.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(opened), deep)
  seen = NOISE | np.uint8([0, 0, 0, 1])
  with Image.open(io.BytesIO(coded(seen))) as opened:
    np.testing.assert_array_equal(np.asarray(opened), seen)


@pytest.mark.slow
def test_shipped_weights_code_photographs_and_no_drawings():
  codec = tfc_models.load(lossless=True)
  by_model = copy.copy(codec)
  assert codec.takes_planes
  by_model.takes_planes = False
  waves = noisy_waves(128)
  data = codec.encode(waves)
  assert data == by_model.encode(waves) and bitstream.read(data).pixels is None
  np.testing.assert_array_equal(codec.decode(data), waves)
  for image in (waves[:32, :32] // 64 * 64, NOISE[..., :3]):
    data = codec.encode(image)
    assert bitstream.read(data).pixels and len(data) < len(by_model.encode(image))
    np.testing.assert_array_equal(codec.decode(data), image)
