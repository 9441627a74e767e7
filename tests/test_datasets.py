"""Image files: right, or refused with a reason."""

import contextlib
import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tfc_models.datasets import crops, depth, files
from tfc_models.errors import CodecError, ImageError, UsageError

RGB = Image.fromarray(make_image(8, 8))


def save(image, path, **options):
  Image.fromarray(image).save(path, **options)
  return str(path)


def test_rgb_and_grey_files_are_read_as_they_are(tmp_path):
  rgb = make_image(20, 30)
  np.testing.assert_array_equal(
      files.read_image(save(rgb, tmp_path / "a.png")), rgb)
  grey = rgb[..., 0]
  read = files.read_image(save(grey, tmp_path / "b.png"))
  np.testing.assert_array_equal(read, grey[..., None])


def test_palette_and_cmyk_become_rgb(tmp_path):
  image = Image.fromarray(make_image(20, 30))
  image.quantize(16).save(tmp_path / "a.png")
  image.convert("CMYK").save(tmp_path / "b.jpg")
  image.convert("1").save(tmp_path / "c.png")
  assert files.read_image(tmp_path / "a.png").shape == (20, 30, 3)
  assert files.read_image(tmp_path / "b.jpg").shape == (20, 30, 3)
  assert set(np.unique(files.read_image(tmp_path / "c.png"))) <= {0, 255}


def test_exif_orientation_is_applied(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6
  image = make_image(20, 30)
  path = save(image, tmp_path / "a.png", exif=exif)
  np.testing.assert_array_equal(
      files.read_image(path), np.rot90(image, axes=(1, 0)))
  assert files.image_size(path) == (30, 20)


def chunk(name, data):
  """A chunk of a PNG file."""
  body = name + data
  return struct.pack(">I", len(data)) + body + struct.pack(
      ">I", zlib.crc32(body))


def png(name, data):
  """An 8x8 PNG with one more chunk."""
  raw = encoded(RGB, "PNG")
  return raw[:33] + chunk(name, data) + raw[33:]


def ppm(largest, magic=b"P6"):
  samples = 8 * 8 * (3 if magic == b"P6" else 1)
  return magic + b"\n8 8\n%d\n" % largest + bytes(2 * samples)


def deeper_jp2(bits):
  """A JPEG 2000 file that says it has so many bits a sample."""
  data = bytearray(encoded(RGB, "JPEG2000"))
  components = data.index(b"\xff\x4f\xff\x51") + 42
  data[components:components + 9:3] = bytes([bits - 1] * 3)
  return bytes(data)


def taller_jpeg(height, width):
  """A JPEG of one kilobyte that claims another size."""
  data = encoded(RGB, "JPEG")
  start = data.index(b"\xff\xc0") + 5
  return data[:start] + struct.pack(">HH", height, width) + data[start + 4:]


def jpeg_with_exif(exif):
  data = encoded(RGB, "JPEG")
  body = b"Exif\0\0" + exif
  return data[:2] + b"\xff\xe1" + struct.pack(
      ">H", len(body) + 2) + body + data[2:]


def sixteen_bit_png():
  """A 16-bit RGB PNG, which Pillow itself cannot write."""
  raw = b"".join(b"\0" + bytes(6 * 4) for _ in range(3))
  return (b"\x89PNG\r\n\x1a\n"
          + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0))
          + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def encoded(image, format, **options):
  buffer = io.BytesIO()
  image.save(buffer, format, **options)
  return buffer.getvalue()


@pytest.mark.parametrize("data, reason", [
    (b"", "empty"),
    (b"<html></html>", "not an image"),
    (encoded(RGB.convert("RGBA"), "PNG"), "alpha channel"),
    (encoded(RGB.convert("LA"), "PNG"), "alpha channel"),
    (encoded(RGB.quantize(4), "PNG", transparency=0), "alpha channel"),
    (encoded(Image.fromarray(np.zeros((4, 4), np.uint16)), "PNG"), "8 bits"),
    (sixteen_bit_png(), "8 bits"),
    (encoded(RGB, "GIF", save_all=True,
             append_images=[RGB.rotate(90)]), "2 frames"),
    (ppm(1023), "10 bits a sample"),
    (ppm(65535), "16 bits a sample"),
    (ppm(65535, b"P5"), "16 bits a sample"),
    (encoded(RGB, "TIFF").replace(
        b"\x08\x00" * 3, b"\x10\x00" * 3), "16 bits a sample"),
    (deeper_jp2(16), "16 bits a sample"),
    (encoded(RGB, "PNG")[:150], "broken image"),
    (encoded(RGB, "JPEG")[:300], "broken image|not an image"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
     "none of the formats"),
    (encoded(RGB, "TGA"), "none of the formats"),
    (encoded(RGB, "PCX"), "none of the formats"),
    (png(b"zTXt", b"A\0\0" + zlib.compress(bytes(2**21))), "broken image"),
    (png(b"iTXt", b"A\0\1\0\0\0" + zlib.compress(bytes(2**21))), "broken"),
    (png(b"iCCP", b"A\0\0" + zlib.compress(bytes(2**21))), "broken image"),
    (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0"), "broken image"),
    (b"P6 99999999999999999999 5 255\n", "broken image"),
    (b"P6 \0\0", "broken image"),
    (taller_jpeg(65500, 2700), "cannot hold 2700x65500"),
    (taller_jpeg(65500, 65500), "claims 65500x65500 pixels, more than the"),
], ids=["empty", "html", "rgba", "la", "palette", "16 grey", "16 rgb", "gif",
        "10 ppm", "16 ppm", "16 pgm", "16 tiff", "16 jp2",
        "cut png", "cut jpeg", "eps", "tga", "pcx", "ztxt bomb", "itxt bomb",
        "iccp bomb", "short ihdr", "long token", "no number", "lie", "large lie"])
def test_what_would_lose_something_is_refused(data, reason):
  with pytest.raises(ImageError, match=f"photo.png: .*({reason})"):
    files.read_image(data, "photo.png")


@pytest.mark.parametrize("data", [
    png(b"eXIf", b"M"), png(b"eXIf", b"II*\0\xff\xff\xff\xff"),
    jpeg_with_exif(b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\x006666\0\0\0\0"),
    encoded(RGB, "PNG")[:-30], png(b"zTXt", b"A\0\0" + zlib.compress(bytes(2**21))),
    b"P6 99999999999999999999 5 255\n"],
    ids=["short exif", "far exif", "text exif", "cut", "bomb", "long token"])
def test_whatever_metadata_hold_the_size_is_told_or_refused(tmp_path, data):
  (tmp_path / "x.png").write_bytes(data)
  with contextlib.suppress(ImageError):
    assert files.image_size(str(tmp_path / "x.png")) == (8, 8)
  with contextlib.suppress(ImageError):
    assert files.read_image(str(tmp_path / "x.png")).shape == (8, 8, 3)


@pytest.mark.parametrize("flags, bits", [(0, 8), (0x40, 10), (0x60, 12)])
def test_the_depth_of_avif_stands_in_its_configuration(flags, bits):
  """Pillow writes none of more than 8 bits, and opens none that is not whole."""
  data = bytearray(encoded(RGB, "AVIF"))
  data[data.index(b"av1C") + 6] |= flags
  with Image.open(io.BytesIO(encoded(RGB, "AVIF"))) as image:
    assert depth.bits(image, bytes(data)) == bits


@pytest.mark.parametrize("format", ["PPM", "TIFF", "JPEG2000", "AVIF", "WEBP",
                                    "BMP", "GIF", "JPEG"])
def test_every_format_is_read_at_eight_bits(format):
  assert files.read_image(encoded(RGB, format)).shape == (8, 8, 3)
  assert files.image_size(encoded(RGB, format)) == (8, 8)


def test_sizes_have_our_limit_not_the_one_of_pillow(monkeypatch):
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
  data = encoded(RGB, "PNG")
  assert files.read_image(data, max_pixels=64).shape == (8, 8, 3)
  with pytest.raises(ImageError, match="claims 8x8 pixels, more than the 63"):
    files.read_image(data, max_pixels=63)
  assert Image.MAX_IMAGE_PIXELS == 20


def test_what_pillow_cannot_write_is_one_error():
  wide = np.zeros((1, 16384, 3), np.uint8)
  with pytest.raises(ImageError, match="x.webp: Pillow cannot write .* WEBP"):
    files.image_bytes(wide, "WEBP", "x.webp")
  from tfc_models.codecs import PillowCodec
  with pytest.raises(CodecError, match="WEBP: "):
    PillowCodec("WEBP").encode(wide)
  with pytest.raises(CodecError, match="WEBP: "):
    PillowCodec("WEBP").decode(encoded(RGB, "PNG"))


@pytest.mark.parametrize("channels", [1, 3])
def test_ppm_files_are_those_of_pillow(channels):
  image = make_image(5, 7, channels)[::-1]
  buffer = io.BytesIO()
  Image.fromarray(image[..., 0] if channels == 1 else image).save(buffer, "PPM")
  assert files.image_bytes(image, "PPM", "x.ppm") == buffer.getvalue()


def test_pipes_among_images_are_passed_over(tmp_path):
  os.mkfifo(tmp_path / "pipe.png")
  save(make_image(8, 8), tmp_path / "a.png")
  assert files.find_images(str(tmp_path)) == [str(tmp_path / "a.png")]


def test_folders_and_globs_are_searched(tmp_path):
  (tmp_path / "below").mkdir()
  for name in ("b.JPG", "a.png", "below/c.webp"):
    save(make_image(8, 8), tmp_path / name)
  (tmp_path / "notes.txt").write_text("no image")

  def names(pattern, **options):
    return [p[len(str(tmp_path)) + 1:] for p in files.find_images(pattern, **options)]

  assert names(str(tmp_path)) == ["a.png", "b.JPG", "below/c.webp"]
  assert names(str(tmp_path), recursive=False) == ["a.png", "b.JPG"]
  assert names(str(tmp_path / "*.png")) == ["a.png"]
  with pytest.raises(UsageError, match="no image files"):
    files.find_images(str(tmp_path / "*.tif"))


@pytest.fixture
def store(tmp_path):
  for i in range(5):
    save(make_image(40 + i, 60, 3 if i else 1, seed=i).squeeze(),
         tmp_path / f"{i}.png")
  save(make_image(10, 60), tmp_path / "small.png")
  (tmp_path / "broken.png").write_bytes(b"not a picture")
  return crops.ImageStore(str(tmp_path), 32)


def test_small_and_broken_images_are_skipped_and_counted(
    store, tmp_path, caplog):
  assert (len(store), store.too_small, store.broken) == (5, 1, 1)
  cut = encoded(Image.fromarray(make_image(60, 60)), "PNG")[:-40]
  (tmp_path / "cut.png").write_bytes(cut)
  with caplog.at_level("WARNING"):
    again = crops.ImageStore(str(tmp_path), 32)
    assert len(list(again.pictures(0))) == 5
  assert re.search("skipped: .*broken.png: not an image", caplog.text)
  assert re.search("skipped: .*cut.png: broken image", caplog.text)
  (tmp_path / "cut.png").unlink()
  with pytest.raises(UsageError, match="no usable image .6 below 500 .* 1 unread"):
    crops.ImageStore(str(tmp_path), 500)


def test_patches_depend_on_their_index_alone(store):
  options = dict(batch_size=2, patch_size=32, seed=3, max_downscale=1.2)
  whole = list(store.batches(num_batches=5, **options))
  rest = list(store.batches(first_batch=3, num_batches=2, **options))
  assert len(whole) == 5 and whole[0].shape == (2, 32, 32, 3)
  for one, other in zip(whole[3:], rest):
    np.testing.assert_array_equal(one, other)
  assert np.any(whole[0].numpy() != whole[1].numpy())


def test_an_epoch_uses_every_image_once(store):
  seen = []
  store.get = lambda index: seen.append(index) or RGB.resize((64, 64))
  for i in range(10):
    store.patch(i, patch_size=32, seed=0, max_downscale=1.0)
  assert sorted(seen[:5]) == sorted(seen[5:]) == list(range(5))


def test_patches_without_downscaling_are_cut_out_unchanged(tmp_path):
  image = make_image(40, 40)
  save(image, tmp_path / "a.png")
  store = crops.ImageStore(str(tmp_path), 32)
  windows = [
      image[t:t + 32, x:x + 32] for t in range(9) for x in range(9)]
  for i in range(4):
    patch = store.patch(i, patch_size=32, seed=0, max_downscale=1.0)
    assert any(
        np.array_equal(patch, w) or np.array_equal(patch[:, ::-1], w)
        for w in windows)
