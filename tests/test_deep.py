"""More than 8 bits a sample: refused unless told, then rounded, or kept whole."""

import io
import json
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream
from tfc_models.codecs import StreamDecoder, planes
from tfc_models.datasets import deep, deep_files, files
from tfc_models.errors import BitstreamError, ImageError, UsageError

imagecodecs = pytest.importorskip("imagecodecs")

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
HEIGHT, WIDTH = 24, 40
ALPHA = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)


def deep_image(channels, bits=16, seed=0):
  """Returns a picture whose low bits count, as uint16 in 0..65535."""
  noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, channels))
  image = 256 * make_image(HEIGHT, WIDTH, channels).astype(np.int64) + noise
  return deep.scaled(deep.scaled(image, 65535, 2**bits - 1), 2**bits - 1,
                        65535).astype(np.uint16)


RGB = deep_image(3)


def pnm(array, largest):
  magic = "P5" if array.ndim == 2 else "P6"
  head = f"{magic}\n# a comment\n{array.shape[1]} {array.shape[0]}\n{largest}\n"
  return head.encode() + array.astype(">u2").tobytes()


def native(bits, channels=3):
  """Returns values of so many bits, and what is made of them."""
  image = deep_image(channels, bits)
  return deep.scaled(image, 65535, 2**bits - 1).astype(np.uint16), image


TEN, TEN_BITS = native(10)
TWELVE, TWELVE_BITS = native(12)
LA = np.dstack([RGB[..., 0], ALPHA])
RGBA = np.dstack([RGB, ALPHA])
FILES = {
    "grey.png": (deep_files.file_bytes(RGB[..., :1], "PNG"), RGB[..., :1]),
    "rgb.png": (imagecodecs.png_encode(RGB), RGB),
    "rgba.png": (imagecodecs.png_encode(RGBA), RGBA),
    "la.png": (imagecodecs.png_encode(LA), LA),
    "grey.tif": (deep_files.file_bytes(RGB[..., :1], "TIFF"), RGB[..., :1]),
    "rgb.tif": (deep_files.file_bytes(RGB, "TIFF"), RGB),
    "rgba.tif": (deep_files.file_bytes(RGBA, "TIFF"), RGBA),
    "grey.pgm": (pnm(RGB[..., 0], 65535), RGB[..., :1]),
    "rgb.ppm": (pnm(RGB, 65535), RGB),
    "ten.ppm": (pnm(TEN, 1023), TEN_BITS),
    "rgb.jp2": (imagecodecs.jpeg2k_encode(RGB, level=0), RGB),
    "twelve.jp2": (
        imagecodecs.jpeg2k_encode(TWELVE, level=0, bitspersample=12), TWELVE_BITS),
    "grey.jp2": (
        imagecodecs.jpeg2k_encode(TWELVE[..., 0], level=0, bitspersample=12),
        TWELVE_BITS[..., :1]),
    "ten.avif": (
        imagecodecs.avif_encode(TEN, level=100, bitspersample=10, pixelformat="444"),
        TEN_BITS),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_refused_rounded_or_kept(name):
  data, expected = FILES[name]
  with pytest.raises(ImageError, match="bits a sample .* more than 8$") as caught:
    files.read_picture(data, name)
  assert caught.value.argument == "depth"
  with pytest.raises(ImageError, match="convert it to 8 bits first|alpha channel"):
    files.read_image(data, name)
  kept = files.read_picture(data, name, depth=16).pixels
  assert kept.dtype == np.uint16
  np.testing.assert_array_equal(kept, expected)
  rounded = files.read_picture(data, name, depth=8).pixels
  assert rounded.dtype == np.uint8
  np.testing.assert_array_equal(rounded, np.rint(expected / 257.0))


def test_they_are_turned_upright():
  tags = Image.Exif()
  tags[0x0112] = 6
  for format in ("PNG", "TIFF"):
    data = deep_files.file_bytes(RGB, format, exif=tags)
    np.testing.assert_array_equal(
        files.read_picture(data, depth=16).pixels, np.rot90(RGB, -1))


def test_flat_files_are_the_same_at_any_depth():
  data = files.image_bytes(make_image(8, 8), "PNG", "x")
  for depth in (None, 8, 16):
    np.testing.assert_array_equal(
        files.read_picture(data, depth=depth).pixels, make_image(8, 8))
  with pytest.raises(UsageError, match="8 or 16"):
    files.read_picture(data, depth=10)


def test_what_is_not_read_is_a_line(monkeypatch):
  for mode in ("F", "I"):
    buffer = io.BytesIO()
    Image.new(mode, (8, 8)).save(buffer, "TIFF")
    with pytest.raises(ImageError, match="more than the 16 of integers"):
      files.read_picture(buffer.getvalue(), depth=16)
  with pytest.raises(ImageError, match="P5 and P6"):
    files.read_picture(b"P2 1 1 1023 5", depth=16)
  monkeypatch.setattr(deep, "_by_imagecodecs", lambda *_: 65535 - RGB)
  with pytest.raises(ImageError, match="two readers differ"):
    files.read_picture(FILES["rgb.png"][0], depth=8)
  monkeypatch.undo()
  monkeypatch.setitem(sys.modules, "imagecodecs", None)
  with pytest.raises(ImageError, match="pip install imagecodecs"):
    files.read_picture(FILES["rgb.png"][0], depth=8)
  for name in ("grey.png", "rgb.ppm"):
    assert files.read_picture(FILES[name][0], depth=16).pixels.dtype == np.uint16


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_files_hold_pixels_and_metadata(channels):
  image = deep_image(channels)
  for format, decode in [("PNG", imagecodecs.png_decode), ("TIFF", imagecodecs.tiff_decode)]:
    data = deep_files.file_bytes(image, format, icc_profile=ICC)
    np.testing.assert_array_equal(decode(data).reshape(image.shape), image)
    if (format, channels) == ("TIFF", 2):
      continue  # Pillow opens none.
    with Image.open(io.BytesIO(data)) as opened:
      opened.load()
      assert opened.info["icc_profile"] == ICC


@pytest.mark.parametrize("image, bits", [
    (RGB, 16), (TEN_BITS, 10), (TWELVE_BITS[..., :1], 12), (RGBA, 16), (LA, 16),
    (257 * make_image(8, 9).astype(np.uint16), 8)])
def test_all_bits_come_back_at_as_few_as_there_are(image, bits):
  picture, found = planes.parted(image)
  assert picture.dtype == np.uint8
  assert found["samples"][0][0] == bits
  header = bitstream.Header("x", bytes(4), *picture.shape)
  stream = bitstream.Stream(header, [], {}, found)
  back = planes.joined(planes.deep_picture(stream), stream)
  seen = image[..., -1] > 0 if image.shape[-1] in (2, 4) else np.ones(image.shape[:2], bool)
  np.testing.assert_array_equal(back[seen], image[seen])
  assert back.dtype == np.uint16 and back.shape == image.shape


@pytest.fixture(scope="module")
def decoder(tiny_weights):
  return StreamDecoder([tiny_weights])


@pytest.fixture(scope="module")
def packed(tmp_path_factory, tiny_weights):
  path = tmp_path_factory.mktemp("deep") / "photo.png"
  path.write_bytes(deep_files.file_bytes(RGB, "PNG", icc_profile=ICC))
  words = ["compress", path, "--model", tiny_weights]
  fails(1, "--depth 8 rounds it, --depth 16 keeps it", *words)
  code, out, err = tfcm(*words, "--depth", "16")
  assert (code, err) == (0, "") and "of samples" in out
  return path.with_suffix(".tfcm")


def test_commands_keep_all_bits(packed, decoder, monkeypatch, tmp_path):
  monkeypatch.setattr("tfc_models.codecs.StreamDecoder", lambda *_: decoder)
  for name in ("out.png", "out.tif"):
    assert tfcm("decompress", packed, "-o", tmp_path / name)[::2] == (0, "")
    picture = files.read_picture(tmp_path / name, depth=16)
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert picture.metadata == {"icc": ICC}
  fails(1, "--depth 8 takes the picture of 8 bits", "decompress", packed, "-o",
        tmp_path / "out.jpg")
  assert tfcm("decompress", packed, "-o", tmp_path / "o.png", "--depth", "8")[0] == 0
  codec, stream = decoder.open(packed.read_bytes())
  flat = bitstream.write(stream.header, stream.chunks)
  np.testing.assert_array_equal(files.read_image(tmp_path / "o.png"), codec.decode(flat))
  assert flat == codec.encode(np.rint(RGB / 257.0).astype(np.uint8))
  facts = json.loads(tfcm("info", "--json", packed)[1])
  assert facts["sample_bits"] == 16 and facts["planes"].keys() == {"samples"}
  assert "RGB, 16 bits" in tfcm("info", packed)[1]


def test_a_file_cut_behind_its_picture_is_one_of_8_bits(packed, decoder):
  data = packed.read_bytes()
  codec, stream = decoder.open(data[:-9], allow_partial=True)
  assert stream.planes == {} and not stream.complete
  assert codec.decode_stream(stream).dtype == np.uint8
  # Older readers pass over what they do not know of it.
  assert bitstream.SAMPLES & 0x80


@pytest.mark.parametrize("strings, reason", [
    ((), "in 0 strings"), ((b"\x10\0\0\0",), "in 1 strings"),
    ((b"\x10\0\0\0", b"\x10\0\0\0", b"\x0c\0\0\0"), "12, 16 bits"),
    ((b"\x07\0\0\0",) * 3, "of 7 bits"), ((b"\x10\3junk",) * 3, "cannot be unpacked")])
def test_hostile_samples_are_refused(strings, reason):
  header = bitstream.Header("x", bytes(4), 8, 8, 3)
  with pytest.raises(BitstreamError, match=reason):
    planes.deep_picture(bitstream.Stream(header, [], {}, {"samples": strings}))


def test_large_png_files_are_written_and_read_in_little_memory():
  row, column = np.ogrid[:1000, :2000]
  image = np.stack([row + n * column for n in range(4)], axis=-1).astype(np.uint16)
  tracemalloc.start()
  data = deep_files.file_bytes(image, "PNG", compress_level=1)
  _, written = tracemalloc.get_traced_memory()
  tracemalloc.reset_peak()
  found = files.read_picture(data, depth=16).pixels
  _, read = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  np.testing.assert_array_equal(found, image)
  # Beside Pillow's memory: strips; the result and what Pillow makes of it.
  assert written < 0.75 * image.nbytes and read < 2.25 * image.nbytes
