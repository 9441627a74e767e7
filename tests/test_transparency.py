"""Transparency goes through files as it is, takes few bytes, and nothing hostile in."""

import io
import json
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tests.test_datasets import chunk
from tfc_models import bitstream
from tfc_models.bitstream import Chunk, plane
from tfc_models.codecs import FileOptions, StreamDecoder, planes, transparency
from tfc_models.datasets import files, pixels
from tfc_models.errors import BitstreamError, ImageError, UsageError

HEIGHT, WIDTH = 40, 56
ROW, COLUMN = np.mgrid[:HEIGHT, :WIDTH]
DISTANCE = np.hypot(ROW - 20, COLUMN - 28)
# A disc with a soft edge, much of nothing around it.
ALPHA = np.clip(255 * (16 - DISTANCE) / 4, 0, 255).astype(np.uint8)
PICTURE = np.dstack([make_image(HEIGHT, WIDTH), ALPHA])


@pytest.fixture(scope="module")
def decoder(tiny_weights):
  return StreamDecoder([tiny_weights])


@pytest.fixture(scope="module")
def codec(decoder, packed_file):
  return decoder.open(packed_file.read_bytes())[0]


@pytest.fixture
def warm(decoder, monkeypatch):
  """Commands load weights once."""
  monkeypatch.setattr("tfc_models.codecs.StreamDecoder", lambda *_: decoder)


def saved(array, path, **options):
  Image.fromarray(array).save(path, **options)
  return path


@pytest.mark.parametrize("bits", [1, 2, 8, 9, 10, 16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (13, 7), (7, 13)])
def test_a_plane_comes_back_by_every_filter(bits, shape):
  rng = np.random.default_rng(bits)
  rows = np.add.outer(np.arange(shape[0]), 3 * np.arange(shape[1]))
  for values in (rng.integers(0, 2**bits, shape), rows % 2**bits, rows * 0 + 1):
    read, found = plane.read(plane.write(values, bits), *shape)
    np.testing.assert_array_equal(read, values)
    assert found == bits
    for method in (plane.PLAIN, plane.LEFT, plane.MEDIAN):
      rest = plane._residual(values.astype(np.int32), method, bits).astype(np.uint16)
      assert rest.max() < 2**bits
      np.testing.assert_array_equal(plane._restored(rest, method, bits), values)


def test_large_pictures_take_a_few_bytes_a_pixel_beside_themselves():
  row, column = np.ogrid[:2048, :2048]
  alpha = np.uint8(np.clip(900 - np.hypot(row - 1024, column - 1024), 0, 255))
  image = np.dstack([np.full((2048, 2048, 3), (90, 160, 30), np.uint8), alpha])
  header = bitstream.Header("x", b"abcd", 2048, 2048, 3)
  tracemalloc.start()
  picture, found = planes.parted(image)
  _, most = tracemalloc.get_traced_memory()
  tracemalloc.reset_peak()
  back = planes.joined(picture, bitstream.Stream(header, [], {}, found))
  _, most_back = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  np.testing.assert_array_equal(back[..., 3], alpha)
  # In int64 a plane alone takes 8, its filters several times that.
  assert max(most, most_back) < 16 * alpha.size


def test_simple_planes_take_a_few_bytes():
  row, column = np.mgrid[:512, :768]
  ramp = np.broadcast_to(np.arange(768) // 4, (512, 768))
  disc = 255 * (np.hypot(row - 256, column - 384) < 200)
  assert len(plane.write(np.full((512, 768), 255))) == 4
  assert len(plane.write(ramp)) < 150
  assert len(plane.write(disc)) < 600  # PNG takes 1714.


def packed(data):
  return plane._packed(data, 1)


@pytest.mark.parametrize("data", [
    b"", b"\x08", b"\x00\x01", b"\x11\x01", b"\x08\x04", b"\x08\x00", b"\x08\x00\x00\x01",
    b"\x08\x00\x01\x00\x00", b"\x08\x01", b"\x08\x01junk", b"\x08\x01" + packed(bytes(5)),
    b"\x08\x01" + packed(bytes(7)), b"\x08\x01" + packed(bytes(10**6)),
    b"\x08\x01" + packed(bytes(6))[:-1], b"\x08\x01" + packed(bytes(6)) + b"\0",
    b"\x07\x01" + packed(b"\x80" * 6), b"\x09\x01" + packed(bytes(6)),
    b"\x09\x01" + packed(b"\xff" * 12)])
def test_a_plane_of_something_else_is_refused(data):
  with pytest.raises(BitstreamError, match="plane of"):
    plane.read(data, 2, 3)


def test_no_more_is_unpacked_than_the_picture_has(monkeypatch):
  asked = []

  class Decompressor:
    eof = True

    def __init__(self, *_, **__):
      pass

    def decompress(self, _, most):
      asked.append(most)
      return b""

  monkeypatch.setattr(plane.lzma, "LZMADecompressor", Decompressor)
  with pytest.raises(BitstreamError):
    plane.read(b"\x08\x01bomb", 2, 3)
  assert asked == [6]


def test_arrays_with_transparency_come_back_with_it(codec):
  for image in (PICTURE, PICTURE[..., 2:]):
    data = codec.encode(image)
    decoded = codec.decode(data)
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded[..., -1], ALPHA)
    (progressive,) = codec.decode_progressively(data)
    np.testing.assert_array_equal(progressive, decoded)
    picture, _ = planes.parted(image)
    np.testing.assert_array_equal(decoded[..., :-1], codec.decode(codec.encode(picture)))


def test_the_same_pixels_without_transparency_take_the_same_bytes(codec):
  data = codec.encode(PICTURE)
  stream = bitstream.read(data)
  assert bitstream.write(stream.header, stream.chunks) == codec.encode(
      planes.parted(PICTURE)[0])
  (string,) = stream.planes["alpha"]
  assert len(data) - len(codec.encode(planes.parted(PICTURE)[0])) < len(string) + 12


def test_arrays_of_other_shapes_are_refused(codec):
  for shape in [(4,), (4, 4, 0), (4, 4, 5), (0, 4, 4), (1, 4, 4, 4)]:
    with pytest.raises(ImageError, match="must have shape"):
      codec.encode(np.zeros(shape, np.uint8))
  with pytest.raises(UsageError, match="alpha_quality"):
    codec.encode(PICTURE, options=FileOptions(alpha_quality=0))


def test_colours_change_where_nothing_is_seen_and_nowhere_else():
  image, alpha = PICTURE[..., :3].copy(), PICTURE[..., 3]
  image[alpha == 0] = [0, 255, 0]
  changed = transparency.filled(image, alpha)
  np.testing.assert_array_equal(changed[alpha > 0], image[alpha > 0])
  # As those around, with no edges.
  assert np.abs(np.diff(changed.astype(int), axis=0)).max() < 60
  assert (transparency.filled(image, np.full_like(alpha, 1)) == image).all()
  assert len(np.unique(transparency.filled(image, np.zeros_like(alpha)))) == 1


@pytest.mark.parametrize("quality, levels", [(1, 2), (70, 16), (71, 24), (100, 256)])
def test_lower_alpha_qualities_keep_fewer_levels(quality, levels):
  values = np.arange(256, dtype=np.uint8)[None]
  kept = planes.quantised(values, quality)
  assert len(np.unique(kept)) == levels and kept[0, 0] == 0 and kept[0, -1] == 255
  step = 255 / (levels - 1)
  assert np.abs(kept.astype(int) - values).max() <= np.ceil(step / 2)


def test_files_keep_transparency_of_every_kind(tmp_path):
  half = np.where(COLUMN < 28, 255, 0).astype(np.uint8)
  grey = np.dstack([PICTURE[..., 0], ALPHA])
  colours = np.dstack([PICTURE[..., :3] // 128 * 128, half])
  for name, array, options in [
      ("a.png", PICTURE, {}), ("b.png", grey, {}),
      ("c.webp", PICTURE, {"lossless": True, "exact": True}),
      ("d.tif", PICTURE, {}), ("e.tif", grey, {}), ("f.jp2", PICTURE, {}),
      ("g.png", np.dstack([PICTURE[..., :3], half * 0 + 255]), {})]:
    read = files.read_picture(saved(array, tmp_path / name, **options)).pixels
    np.testing.assert_array_equal(read, array, err_msg=name)
  # Palettes with transparent colours, and one colour that is transparent.
  Image.fromarray(colours).quantize(16).save(tmp_path / "p.png")
  Image.fromarray(colours).save(tmp_path / "q.gif")
  for name in ("p.png", "q.gif"):
    read = files.read_picture(tmp_path / name).pixels
    np.testing.assert_array_equal(read[..., 3], half)
  tall = Image.fromarray(PICTURE)
  exif = Image.Exif()
  exif[0x0112] = 6
  tall.save(tmp_path / "t.png", exif=exif)
  np.testing.assert_array_equal(
      files.read_picture(tmp_path / "t.png").pixels, np.rot90(PICTURE, -1))


@pytest.mark.parametrize("depth, grey, row", [
    (1, 1, b"\xa0"), (2, 1, b"\x1b"), (4, 3, b"\x12\x34"), (8, 3, b"\1\2\3\4")])
def test_one_transparent_grey_of_png_is_found_at_any_depth(depth, grey, row):
  header = (4).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([depth, 0, 0, 0, 0])
  data = (files.PNG_MAGIC + chunk(b"IHDR", header)
          + chunk(b"tRNS", grey.to_bytes(2, "big"))
          + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b""))
  values = np.unpackbits(np.frombuffer(row, np.uint8)).reshape(-1, depth)[:4]
  values = values @ (1 << np.arange(depth)[::-1])
  pixels = files.read_picture(data).pixels
  np.testing.assert_array_equal(pixels[0, :, 1], 255 * (values != grey))
  np.testing.assert_array_equal(pixels[0, :, 0], values * 255 // (2**depth - 1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"])
def test_strips_are_converted_as_the_whole_is(mode, monkeypatch):
  image = Image.fromarray(PICTURE).convert(mode)
  if mode in ("L", "P", "RGB"):  # One value or entry is clear.
    image.info["transparency"] = image.getpixel((3, 3))
  whole = pixels.of_image(image)
  assert whole.shape[-1] == {"1": 1, "L": 2, "LA": 2, "CMYK": 3}.get(mode, 4)
  monkeypatch.setattr(pixels, "_STRIP", 7)
  np.testing.assert_array_equal(pixels.of_image(image), whole)


@pytest.fixture(scope="module")
def packed_file(tmp_path_factory, tiny_weights):
  path = saved(PICTURE, tmp_path_factory.mktemp("alpha") / "photo.png")
  code, out, err = tfcm("compress", path, "--model", tiny_weights)
  assert (code, err) == (0, "") and "of alpha)" in out
  return path.with_suffix(".tfcm")


@pytest.mark.parametrize("name", ["out.png", "out.webp", "out.tif", "out.avif", "out.jp2"])
def test_decompress_writes_it(packed_file, tmp_path, warm, name):
  output = tmp_path / name
  assert tfcm("decompress", packed_file, "-o", output)[::2] == (0, "")
  with Image.open(output) as image:
    alpha = np.asarray(image)[..., -1]
  assert alpha.shape == ALPHA.shape and np.abs(alpha.astype(int) - ALPHA).max() <= 9


@pytest.mark.parametrize("name", ["out.jpg", "out.ppm", "out.bmp", "out.gif"])
def test_what_holds_none_wants_a_background(packed_file, tmp_path, warm, name):
  words = ["decompress", packed_file, "-o", tmp_path / name]
  fails(1, "hold no transparency; --background", *words)
  assert tfcm(*words, "--background", "white")[0] == 0
  with Image.open(tmp_path / name) as image:
    corner = image.convert("RGB").getpixel((0, 0))
  assert min(corner) > 250
  fails(1, "--background must be a colour", *words, "--overwrite", "--background", "no")


def test_info_says_what_transparency_takes(packed_file):
  facts = json.loads(tfcm("info", "--json", packed_file)[1])
  (string,) = bitstream.read(packed_file.read_bytes()).planes["alpha"]
  assert facts["planes"] == {"alpha": len(string)}
  assert facts["overhead_bytes"] <= 52
  assert f"alpha: {len(string)} bytes" in tfcm("info", packed_file)[1]


def test_hostile_planes_are_an_error_of_the_stream(packed_file, tmp_path, warm):
  stream = bitstream.read(packed_file.read_bytes())
  bomb = b"\x08\x01" + packed(bytes(10**7))
  for strings, reason in [
      ((bomb,), "does not hold the 2240 bytes"), ((), "in 0 strings"),
      ((plane.write(ALPHA // 8, 5),), "5 bits"), ((b"\x08\x09",), "no known kind")]:
    path = tmp_path / "hostile.tfcm"
    path.write_bytes(bitstream.write(
        stream.header, stream.chunks, planes={"alpha": strings}))
    fails(2, reason, "decompress", path, "-o", tmp_path / "out.png")
  twice = [Chunk(bitstream.ALPHA, 0, (b"",))] * 2
  with pytest.raises(BitstreamError, match="alpha twice"):
    bitstream.read(bitstream.write(stream.header, [*twice, *stream.chunks]))


def test_a_target_counts_transparency(codec, packed_file):
  data, plain = codec.encode(PICTURE), codec.encode(planes.parted(PICTURE)[0])
  assert len(data) > len(plain)
  note = FileOptions(metadata={"xmp": b"<x/>"}, planes={"alpha": (b"12",)}).note
  assert note == " (with 4 of metadata, 2 of alpha)"


def test_what_has_no_room_for_it_says_so(tmp_path, tiny_weights):
  path = saved(PICTURE, tmp_path / "a.png")
  with pytest.raises(ImageError, match="alpha channel"):
    files.read_image(path)
  buffer = io.BytesIO()
  Image.fromarray(PICTURE).save(buffer, "PNG")
  with pytest.raises(ImageError, match="alpha channel"):
    files.read_image(buffer.getvalue())
