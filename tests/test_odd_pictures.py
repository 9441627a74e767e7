"""A folder of pictures as people have them: each kept right, or refused with a remedy."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tests.test_datasets import chunk
from tfc_models import bitstream
from tfc_models.bitstream import LATENT, Chunk, Header
from tfc_models.codecs import planes
from tfc_models.codecs.file_options import File
from tfc_models.datasets import deep_files, files
from tfc_models.errors import ImageError

HEIGHT, WIDTH = 20, 28
RGB = make_image(HEIGHT, WIDTH)
GREY = RGB[..., :1]
ALPHA = np.tile(np.arange(WIDTH, dtype=np.uint8) * 9, (HEIGHT, 1))[..., None]
RGBA, LA = np.dstack([RGB, ALPHA]), np.dstack([GREY, ALPHA])
DEEP = (np.arange(HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3) * 39).astype(np.uint16)
DEEP_GREY = DEEP[..., :1]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSY = 40  # Grey levels that some pixel may be off after a lossy format.


def pil(array, mode=None):
  image = Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
  return image.convert(mode) if mode else image


def saved(image, format, **options):
  buffer = io.BytesIO()
  image.save(buffer, format, **options)
  return buffer.getvalue()


def png(depth, kind, rows, extra=b""):
  """A PNG file of bytes of rows, which Pillow would not write."""
  header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, 0)
  lines = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
  return (files.PNG_MAGIC + chunk(b"IHDR", header) + extra + chunk(b"IDAT", lines)
          + chunk(b"IEND", b""))


def frames(format, **options):
  images = [pil(np.roll(RGB, shift, 1)) for shift in range(3)]
  return saved(images[0], format, save_all=True, append_images=images[1:], **options)


def exif_of(orientation, note=0):
  tags = Image.Exif()
  tags[ExifTags.Base.Orientation] = orientation
  if note:
    tags[ExifTags.IFD.Exif] = {ExifTags.Base.MakerNote: bytes(note)}
  return tags


def odd_files():
  """Returns a dict: name to (bytes, pixels or words of a refusal, tolerance)."""
  bilevel = 255 * (GREY > 128).astype(np.uint8)
  few = RGB // 64 * 64
  palette = pil(few).quantize(64)
  palette_rgb = np.asarray(palette.convert("RGB"))
  quarter = GREY // 64
  packed = (quarter.reshape(HEIGHT, -1, 4) << np.array([6, 4, 2, 0])).sum(-1).astype(
      np.uint8)
  transparent = np.dstack([quarter * 85, 255 * (quarter != 2)]).astype(np.uint8)
  cmyk = pil(RGB, "CMYK")
  half = np.dstack([RGB, 255 * (ALPHA > 100)]).astype(np.uint8)
  halves = DEEP.astype(">u2").reshape(HEIGHT, -1)
  pnm = f"{WIDTH} {HEIGHT} 65535\n".encode()
  made = {
      "1.png": (saved(pil(bilevel, "1"), "PNG"), bilevel),
      "l.png": (saved(pil(GREY), "PNG"), GREY),
      "la.png": (saved(pil(LA), "PNG"), LA),
      "p.png": (saved(palette, "PNG"), palette_rgb),
      "rgb.png": (saved(pil(RGB), "PNG"), RGB),
      "rgba.png": (saved(pil(RGBA), "PNG"), RGBA),
      "opaque.png": (saved(pil(np.dstack([RGB, ALPHA * 0 + 255])), "PNG"),
                     np.dstack([RGB, ALPHA * 0 + 255])),
      "two_bits.png": (png(2, 0, packed), quarter * 85),
      "two_bits_trns.png": (
          png(2, 0, packed, chunk(b"tRNS", b"\0\2")), transparent),
      "trns.png": (
          png(8, 2, RGB, chunk(b"tRNS", struct.pack(">3H", *map(int, RGB[3, 4])))),
          np.dstack([RGB, 255 * (RGB != RGB[3, 4]).any(-1, keepdims=True)]).astype(
              np.uint8)),
      "turned.png": (saved(pil(RGBA), "PNG", exif=exif_of(8)), np.rot90(RGBA)),
      "deep.png": (png(16, 2, halves), "--depth 8 rounds it"),
      "deep_grey.png": (saved(pil(DEEP_GREY), "PNG"), "--depth 8 rounds it"),
      "deep_alpha.png": (
          deep_files.file_bytes(np.dstack([DEEP, DEEP_GREY]), "PNG"), "--depth 16 keeps"),
      "animated.png": (frames("PNG"), "--pages codes each"),
      "cut.png": (saved(pil(RGB), "PNG")[:300], "broken image"),
      "wide.png": (files.PNG_MAGIC + chunk(b"IHDR", struct.pack(
          ">IIBBBBB", 70000, 70000, 8, 2, 0, 0, 0)) + chunk(b"IEND", b""), "claims"),
      "html.png": (b"<html>", "not an image"),
      "empty.png": (b"", "the file is empty"),
      "icon.png": (saved(pil(RGB), "ICO"), "of none of the formats"),
      "broken_icc.png": (saved(pil(RGB), "PNG", icc_profile=b"junk"), RGB),
      "l.jpg": (saved(pil(GREY), "JPEG", quality=95), GREY, LOSSY),
      "rgb.jpg": (saved(pil(RGB), "JPEG", quality=95), RGB, LOSSY),
      "progressive.jpg": (
          saved(pil(RGB), "JPEG", quality=95, progressive=True), RGB, LOSSY),
      "turned.jpg": (saved(pil(RGB), "JPEG", quality=95, exif=exif_of(6)),
                     np.rot90(RGB, -1), LOSSY),
      "cmyk.jpg": (saved(cmyk, "JPEG", quality=95), RGB, LOSSY),
      "broken_icc.jpg": (
          saved(pil(RGB), "JPEG", quality=95, icc_profile=SRGB[:200]), RGB, LOSSY),
      "huge_exif.jpg": (
          saved(pil(RGB), "JPEG", quality=95, exif=exif_of(1, 65000)), RGB, LOSSY),
      "bad_exif.jpg": (saved(pil(RGB), "JPEG", quality=95, exif=b"Exif\0\0junk"), RGB,
                       LOSSY),
      "cut.jpg": (saved(pil(RGB), "JPEG", quality=95)[:700], "broken image"),
      "stereo.mpo.jpg": (frames("MPO"), "--pages codes each"),
      "1.tif": (saved(pil(bilevel, "1"), "TIFF"), bilevel),
      "l.tif": (saved(pil(GREY), "TIFF"), GREY),
      "la.tif": (saved(pil(LA), "TIFF"), LA),
      "p.tif": (saved(palette, "TIFF"), palette_rgb),
      "pa.tif": (saved(pil(half, "PA"), "TIFF"),
                 np.asarray(pil(half, "PA").convert("RGBA"))),
      "rgb.tif": (saved(pil(RGB), "TIFF", compression="tiff_lzw"), RGB),
      "rgba.tif": (saved(pil(RGBA), "TIFF"), RGBA),
      "turned.tif": (saved(pil(RGB), "TIFF", exif=exif_of(5)), RGB.swapaxes(0, 1)),
      "cmyk.tif": (saved(cmyk, "TIFF"), RGB, 1),
      "ycbcr.tif": (saved(pil(RGB, "YCbCr"), "TIFF"), RGB, 3),
      "lab.tif": (saved(ImageCms.profileToProfile(
          pil(RGB), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"),
          outputMode="LAB"), "TIFF"), "convert it to RGB first"),
      "deep.tif": (deep_files.file_bytes(DEEP, "TIFF"), "--depth 8 rounds it"),
      "deep_grey.tif": (saved(pil(DEEP_GREY), "TIFF"), "--depth 8 rounds it"),
      "i.tif": (saved(pil(GREY, "I"), "TIFF"), "32 bits a sample"),
      "f.tif": (saved(pil(GREY, "F"), "TIFF"), "32 bits a sample"),
      "pages.tif": (frames("TIFF"), "--pages codes each"),
      "lossy.webp": (saved(pil(RGB), "WEBP", quality=95), RGB, LOSSY),
      "rgba.webp": (saved(pil(RGBA), "WEBP", lossless=True, exact=True), RGBA),
      "animated.webp": (frames("WEBP"), "--pages codes each"),
      "p.gif": (saved(palette, "GIF"), palette_rgb),
      "transparent.gif": (saved(pil(half), "GIF"), half[..., 3:], "alpha"),
      "animated.gif": (frames("GIF"), "--pages codes each"),
      "1.bmp": (saved(pil(bilevel, "1"), "BMP"), bilevel),
      "p.bmp": (saved(palette, "BMP"), palette_rgb),
      "rgb.bmp": (saved(pil(RGB), "BMP"), RGB),
      "p1.pnm": (saved(pil(bilevel, "1"), "PPM"), bilevel),
      "p5.pgm": (saved(pil(GREY), "PPM"), GREY),
      "p6.ppm": (saved(pil(RGB), "PPM"), RGB),
      "deep.ppm": (b"P6\n" + pnm + halves.tobytes(), "--depth 8 rounds it"),
      "float.ppm": (b"Pf\n%d %d\n-1.0\n" % (WIDTH, HEIGHT) + bytes(4 * GREY.size),
                    "bits a sample"),
      "l.jp2": (saved(pil(GREY), "JPEG2000"), GREY),
      "rgb.jp2": (saved(pil(RGB), "JPEG2000"), RGB, 1),
      "rgba.jp2": (saved(pil(RGBA), "JPEG2000"), RGBA, 1),
      "deep.jp2": (saved(pil(DEEP_GREY), "JPEG2000"), "--depth 8 rounds it"),
      "rgb.avif": (saved(pil(RGB), "AVIF", quality=95), RGB, LOSSY),
      "rgba.avif": (saved(pil(RGBA), "AVIF", quality=95), RGBA, LOSSY),
      "sequence.avif": (frames("AVIF"), "--pages codes each"),
  }
  with contextlib.suppress(ImportError):
    import imagecodecs
    made["ten.avif"] = (imagecodecs.avif_encode(
        DEEP >> 6, level=90, bitspersample=10), "10 bits a sample")
    made["twelve.jp2"] = (imagecodecs.jpeg2k_encode(
        DEEP >> 4, level=0, bitspersample=12), "12 bits a sample")
  return made


class Model:
  registered_name, kind, capabilities = "stub", "image", frozenset()


class Stub:
  """A codec that keeps all, without a model."""

  model = Model

  def encode_file(self, image, settings=None, options=None, jobs=1):
    picture, found = planes.parted(image)
    header = Header("stub", bytes(4), *picture.shape)
    data = bitstream.write(
        header, [Chunk(LATENT, 0, (picture.tobytes(),))], options.metadata, found)
    return File(data, header, [])


def unpacked(data):
  """Returns the image of a file of `Stub`."""
  stream = bitstream.read(data)
  header = stream.header
  picture = np.frombuffer(stream.chunks[0].strings[0], np.uint8).reshape(
      header.height, header.width, header.channels)
  deep = planes.deep_picture(stream)
  return planes.joined(picture if deep is None else deep, stream)


@pytest.fixture
def stub(monkeypatch):
  monkeypatch.setattr("tfc_models.codecs.load", lambda *_, **__: Stub())


@pytest.fixture(scope="module")
def made():
  return odd_files()


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
  """A folder of all, as 1.png.png and so on: what is coded has names of its own."""
  folder = tmp_path_factory.mktemp("odd")
  for name, (data, *_) in made.items():
    path_of(folder, name).write_bytes(data)
  return folder


def path_of(folder, name):
  return folder / (name + name[name.rindex("."):])


def check(name, image, wanted, tolerance=0):
  if tolerance == "alpha":
    image, tolerance = image[..., -1:], 0
  assert image.shape == wanted.shape, name
  if image.shape[-1] in (2, 4):  # Other colours may be where nothing is seen.
    seen = image[..., -1:] > 0
    image, wanted = image * seen, wanted * (wanted[..., -1:] > 0)
  assert np.abs(image.astype(int) - wanted).max() <= tolerance, name


def test_each_picture_is_kept_or_refused_with_a_remedy(made, folder, stub, tmp_path):
  assert len(made) >= 60
  code, _, err = tfcm("compress", folder, "-o", tmp_path)
  assert code == 1
  lines = {line.split(": ")[1]: line for line in err.splitlines()
           if ": warning: " not in line}
  for name, (_, wanted, *tolerance) in made.items():
    if isinstance(wanted, str):
      assert wanted in lines.pop(str(path_of(folder, name)), "nothing was said"), name
      assert not (tmp_path / f"{name}.tfcm").exists()
    else:
      check(name, unpacked((tmp_path / f"{name}.tfcm").read_bytes()), wanted, *tolerance)
  assert lines == {}


def test_pages_become_numbered_files(folder, stub, tmp_path):
  names = ("pages.tif", "animated.gif", "animated.png", "animated.webp",
           "stereo.mpo.jpg", "sequence.avif", "rgb.png")
  words = [path_of(folder, name) for name in names] + ["--pages", "-o", tmp_path]
  assert tfcm("compress", *words)[::2] == (0, "")
  assert {path.stem for path in tmp_path.iterdir()} == {
      "rgb.png", *(f"{name}-{n}" for name in names[:-1] for n in (1, 2, 3))}
  for page in (1, 2, 3):
    for name in ("pages.tif", "animated.png"):
      check(name, unpacked((tmp_path / f"{name}-{page}.tfcm").read_bytes()),
            np.roll(RGB, page - 1, 1))
  fails(1, "--overwrite", "compress", *words)
  fails(1, "not stdin", "compress", "-", "--pages")
  fails(1, "no place on stdout", "compress", words[0], "--pages", "-o", "-")


def test_a_page_that_fails_is_named(stub, tmp_path, made):
  with pytest.raises(ImageError, match="no page 4 of 3"):
    files.read_picture(made["pages.tif"][0], page=4)
  path = tmp_path / "mixed.tif"
  pil(RGB).save(path, save_all=True, append_images=[pil(DEEP_GREY)])
  code, _, err = tfcm("compress", path, "--pages")
  assert code == 1 and err.startswith(f"tfcm: {path} (page 2): 16 bits a sample")
  assert (tmp_path / "mixed-1.tfcm").exists()


def wide_profile():
  """Returns a profile with red and green of sRGB exchanged, as wide as others."""
  order = [b"rXYZ", b"gXYZ"]
  profile = bytearray(SRGB)
  places = [profile.index(tag, 128) for tag in order]
  for place, tag in zip(places, order[::-1]):
    profile[place:place + 4] = tag
  return bytes(profile)


def test_srgb_applies_profiles_and_drops_them():
  swapped = RGB[..., [1, 0, 2]]
  tags = exif_of(1)
  tags[ExifTags.IFD.Exif] = {ExifTags.Base.ColorSpace: 65535}
  for format, image in (("PNG", RGB), ("TIFF", RGBA)):
    data = saved(pil(image), format, icc_profile=wide_profile(), exif=tags.tobytes())
    kept = files.read_picture(data)
    assert kept.metadata["icc"] == wide_profile()
    np.testing.assert_array_equal(kept.pixels, image)
    turned = files.read_picture(data, srgb=True)
    assert "icc" not in turned.metadata and turned.dropped == []
    np.testing.assert_allclose(turned.pixels[..., :3].astype(int), swapped, atol=3)
    np.testing.assert_array_equal(turned.pixels[..., 3:], image[..., 3:])
    block = Image.Exif()
    block.load(turned.metadata["exif"])
    assert block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] == 1


def test_srgb_leaves_what_is_so_and_what_cannot_be_converted():
  same = files.read_picture(saved(pil(RGB), "PNG", icc_profile=SRGB), srgb=True)
  np.testing.assert_array_equal(same.pixels, RGB)
  assert same.metadata == {} and same.dropped == []
  none = files.read_picture(saved(pil(RGB), "PNG"), srgb=True)
  np.testing.assert_array_equal(none.pixels, RGB)
  for profile, image, reason in [
      (b"junk", pil(RGB), "it is broken"), (SRGB, pil(GREY), "of RGB colours"),
      (SRGB, pil(RGB, "CMYK"), "of RGB colours")]:
    broken = files.read_picture(saved(image, "TIFF", icc_profile=profile), srgb=True)
    assert "not converted" in broken.dropped[0] and reason in broken.dropped[0]
  deep = deep_files.file_bytes(DEEP_GREY, "PNG", icc_profile=SRGB)
  with pytest.raises(ImageError, match="8 bits a sample alone"):
    files.read_picture(deep, depth=16, srgb=True)


def test_srgb_on_the_command_line(stub, tmp_path):
  path = tmp_path / "wide.png"
  path.write_bytes(saved(pil(RGB), "PNG", icc_profile=wide_profile()))
  assert tfcm("compress", path, "--srgb")[::2] == (0, "")
  stream = bitstream.read((tmp_path / "wide.tfcm").read_bytes())
  assert stream.metadata == {}
