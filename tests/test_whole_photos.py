"""A photograph as phones write it goes through commands, library and Pillow whole."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

import tfc_models.pillow as plugin
from tests.conftest import make_image
from tests.test_cli import tfcm
from tfc_models import bitstream, codecs
from tfc_models.codecs import FileOptions
from tfc_models.datasets import exif, files

GPS = {1: "N", 2: (48.0, 8.0, 15.0), 3: "E", 4: (11.0, 34.0, 30.0)}
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF tiff:Orientation="{}"/></x:xmpmeta>'
# As it is stored, on its side, and as it is seen. Alpha says which corner is which.
STORED = np.dstack([make_image(40, 56), np.arange(40 * 56).reshape(40, 56) % 251])
STORED = STORED.astype(np.uint8)
SEEN = np.rot90(STORED, -1)


def display_p3():
  """Returns an ICC profile of the primaries of Display P3 under D50.

  Source: ICC.1:2010, 7.2, 9.2 and 10; the primaries: the profiles of Apple's devices.
  """
  def xyz(*values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * v) for v in values))

  curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
  name = "Display P3".encode("utf-16-be")
  text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(name), 28)
  tags = {
      b"desc": text + name, b"cprt": text + name,
      b"wtpt": xyz(0.9642, 1.0, 0.8249), b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
      b"gXYZ": xyz(0.2920, 0.6922, 0.0419), b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
      b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
  table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
  for tag, value in tags.items():
    table += tag + struct.pack(">II", start + len(body), len(value))
    body += value
  head = struct.pack(
      ">I4sI4s4s4s12s4s4s24s12s48x", start + len(body), b"", 0x04000000, b"mntr",
      b"RGB ", b"XYZ ", b"", b"acsp", b"APPL", b"", xyz(0.9642, 1.0, 0.8249)[8:])
  return head + table + body


ICC = display_p3()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
  tags, info = Image.Exif(), PngImagePlugin.PngInfo()
  tags[exif.ORIENTATION] = 6
  tags[ExifTags.IFD.GPSInfo] = GPS
  info.add_itxt("XML:com.adobe.xmp", XMP.format(6))
  path = tmp_path_factory.mktemp("photo") / "photo.png"
  Image.fromarray(STORED).save(path, icc_profile=ICC, exif=tags, pnginfo=info)
  return path


@pytest.fixture
def codec(tiny_weights, monkeypatch):
  """Of tiny weights, which commands and Pillow use too, loaded once."""
  codec = codecs.open_weights(tiny_weights)
  decoder = codecs.StreamDecoder([tiny_weights])
  decoder._codecs[codec.fingerprint] = codec
  monkeypatch.setattr("tfc_models.codecs.StreamDecoder", lambda *_: decoder)
  monkeypatch.setattr("tfc_models.codecs.load", lambda *_, **__: codec)
  monkeypatch.setattr(plugin, "_decoder", lambda: decoder)
  monkeypatch.setattr(plugin, "_codec", lambda *_: codec)
  return codec


def check(path, is_stripped=False):
  """Holds a PNG file against what the photograph says beside its colours."""
  with Image.open(path) as image:
    image.load()
    tags = image.getexif()
    np.testing.assert_array_equal(np.asarray(image)[..., 3], SEEN[..., 3])
    assert tags.get(exif.ORIENTATION, 1) == 1
    assert image.info.get("icc_profile") == (None if is_stripped else ICC)
    assert tags.get_ifd(ExifTags.IFD.GPSInfo) == ({} if is_stripped else GPS)
    assert image.info.get("xmp") == (
        None if is_stripped else XMP.format(1).encode())


def test_the_profile_shows_colours_outside_of_srgb():
  profile = ImageCms.ImageCmsProfile(io.BytesIO(ICC))
  assert ImageCms.getProfileDescription(profile).strip() == "Display P3"
  transform = ImageCms.buildTransform(
      profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
  green = Image.new("RGB", (1, 1), (64, 192, 64))
  assert np.asarray(ImageCms.applyTransform(green, transform))[0, 0, 0] < 32


def test_all_of_a_photograph_comes_back_and_strip_removes_it(
    photo, tmp_path, tiny_weights, codec):
  stream, output = photo.with_suffix(".tfcm"), tmp_path / "out.png"
  words = "--model_path", tiny_weights, "--overwrite"

  # Commands.
  assert tfcm("compress", photo, "--model", tiny_weights)[::2] == (0, "")
  assert tfcm("decompress", stream, "-o", output, *words)[::2] == (0, "")
  check(output)
  sizes = json.loads(tfcm("info", stream, "--json")[1])["metadata"]
  assert sizes.keys() == {"icc", "exif", "xmp"} and sizes["icc"] == len(ICC)
  assert tfcm("decompress", stream, "-o", output, *words, "--strip")[::2] == (0, "")
  check(output, is_stripped=True)
  bare = tmp_path / "bare.tfcm"
  assert tfcm("compress", photo, "--model", tiny_weights, "-o", bare, "--strip")[0] == 0
  assert tfcm("decompress", bare, "-o", output, *words)[::2] == (0, "")
  check(output, is_stripped=True)
  # What is kept costs its bytes, and a few each that say what it is.
  cost = len(stream.read_bytes()) - len(bare.read_bytes())
  assert 0 < cost - sum(sizes.values()) <= 3 * 16

  # The library writes and reads the same file.
  picture = files.read_picture(photo)
  assert picture.dropped == []
  data = codec.encode(picture.pixels, options=FileOptions(metadata=picture.metadata))
  assert data == stream.read_bytes()
  assert bitstream.read(data).metadata == picture.metadata
  np.testing.assert_array_equal(codec.decode(data)[..., 3], SEEN[..., 3])

  # Pillow opens what commands write, and writes what they read.
  with Image.open(stream) as image:
    image.save(output, exif=image.getexif(), pnginfo=packet(image.info["xmp"]))
  check(output)
  saved = tmp_path / "saved.tfcm"
  with Image.open(photo) as image:
    image.save(saved, exif=image.getexif(), xmp=image.info["xmp"])
  assert saved.read_bytes() == data
  assert tfcm("decompress", saved, "-o", output, *words)[::2] == (0, "")
  check(output)


def packet(xmp):
  info = PngImagePlugin.PngInfo()
  info.add_itxt("XML:com.adobe.xmp", xmp.decode())
  return info
