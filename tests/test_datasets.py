"""Image files: right, or refused with a reason."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tfc_models.datasets import crops, files
from tfc_models.errors import ImageError, UsageError


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


def sixteen_bit_png():
  """A 16-bit RGB PNG, which Pillow itself cannot write."""
  import struct
  import zlib
  raw = b"".join(b"\0" + bytes(6 * 4) for _ in range(3))

  def chunk(name, data):
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(
        ">I", zlib.crc32(body))

  return (b"\x89PNG\r\n\x1a\n"
          + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0))
          + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def encoded(image, format, **options):
  buffer = io.BytesIO()
  image.save(buffer, format, **options)
  return buffer.getvalue()


RGB = Image.fromarray(make_image(8, 8))


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
    (encoded(RGB, "PNG")[:150], "broken image"),
    (encoded(RGB, "JPEG")[:300], "broken image|not an image"),
], ids=["empty", "html", "rgba", "la", "palette", "16 grey", "16 rgb", "gif",
        "cut png", "cut jpeg"])
def test_what_would_lose_something_is_refused(data, reason):
  with pytest.raises(ImageError, match=f"photo.png: .*({reason})"):
    files.read_image(data, "photo.png")


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


def test_small_and_broken_images_are_skipped_and_counted(store, tmp_path):
  assert (len(store), store.too_small, store.broken) == (5, 1, 1)
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
