"""Pillow and zarr use files of ours as any others."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms

import tfc_models.pillow as plugin
from tests.conftest import make_image
from tfc_models import bitstream, codecs
from tfc_models.codecs import FileOptions

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RGB = make_image(40, 56)
ALPHA = np.tile(np.arange(56, dtype=np.uint8) * 4, (40, 1))


@pytest.fixture(scope="module")
def codec(tiny_weights):
  return codecs.open_weights(tiny_weights)


@pytest.fixture(autouse=True)
def weights(tiny_weights, codec, monkeypatch):
  """Saves with tiny weights, loaded once."""
  decoder = codecs.StreamDecoder([tiny_weights])
  decoder._codecs[codec.fingerprint] = codec
  monkeypatch.setattr(plugin, "_decoder", lambda: decoder)
  monkeypatch.setattr(plugin, "_codec", lambda path, quality: codec)


def saved(image, model, **options):
  buffer = io.BytesIO()
  image.save(buffer, "TFCM", model=model, **options)
  return buffer.getvalue()


def test_an_image_is_opened_without_tensorflow(tmp_path, codec):
  path = tmp_path / "photo.tfcm"
  path.write_bytes(codec.encode(
      np.dstack([RGB, ALPHA]), options=FileOptions(metadata={"icc": ICC})))
  text = f"""
import sys
import tfc_models.pillow
from PIL import Image
image = Image.open({str(path)!r})
assert (image.size, image.mode, image.format) == ((56, 40), "RGBA", "TFCM")
assert len(image.info["icc_profile"]) == {len(ICC)}
assert image.get_format_mimetype() == Image.MIME["TFCM"] == "image/x-tfcm"
sys.exit("tensorflow" in sys.modules or "numpy" in sys.modules)
"""
  subprocess.run([sys.executable, "-c", text], check=True)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_what_is_saved_is_opened_as_the_codec_decodes_it(tiny_weights, codec, mode):
  image = Image.fromarray(np.dstack([RGB, ALPHA])).convert(mode)
  data = saved(image, tiny_weights)
  with Image.open(io.BytesIO(data)) as opened:
    expected = codec.decode(data)
    assert opened.mode == {"1": "L", "P": "RGBA"}.get(mode, mode)
    np.testing.assert_array_equal(
        np.asarray(opened).reshape(expected.shape), expected)
    assert opened.info["model"] == "tfcm-base"
    assert opened.crop((0, 0, 8, 8)).size == (8, 8)


def test_grey_of_sixteen_bits_stays_so(tiny_weights):
  deep = (np.arange(40 * 56).reshape(40, 56) * 29).astype(np.uint16)
  with Image.open(io.BytesIO(saved(Image.fromarray(deep), tiny_weights))) as opened:
    assert opened.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(opened), deep)


def test_metadata_go_as_with_avif_and_pixels_are_upright(tiny_weights):
  tags = Image.Exif()
  tags[0x0112], tags[0x010F] = 6, "Maker"
  image = Image.fromarray(RGB)
  image.info["icc_profile"] = ICC
  opened = Image.open(io.BytesIO(
      saved(image, tiny_weights, exif=tags, xmp="<x:xmpmeta/>")))
  assert opened.size == (40, 56) and opened.info["icc_profile"] == ICC
  assert opened.getexif()[0x010F] == "Maker"
  assert opened.getexif().get(0x0112, 1) == 1 and opened.info["xmp"] == b"<x:xmpmeta/>"
  assert "icc_profile" not in Image.open(io.BytesIO(
      saved(image, tiny_weights, icc_profile=None))).info
  with pytest.warns(UserWarning, match="ICC profile is dropped"):
    saved(image, tiny_weights, icc_profile=b"broken")


def test_what_is_wrong_is_an_error_of_pillows_kinds(tiny_weights, codec):
  for mode in ("CMYK", "F", "LAB"):
    with pytest.raises(OSError, match=f"mode {mode} .* convert it to RGB"):
      saved(Image.new(mode, (8, 8)), tiny_weights)
  with pytest.raises(ValueError, match="effort"):
    saved(Image.fromarray(RGB), tiny_weights, effort=10)
  data = codec.encode(RGB)
  for broken in (data[:-1], data + b"x"):
    with pytest.raises(Image.UnidentifiedImageError):
      Image.open(io.BytesIO(broken))
  stream = bitstream.read(data)
  hostile = bitstream.write(stream.header, stream.chunks, planes={"alpha": (b"\x08\x09",)})
  with Image.open(io.BytesIO(hostile)) as image, pytest.raises(OSError, match="no known"):
    image.load()


def test_weights_of_a_quality_are_loaded_once(tiny_weights, monkeypatch, codec):
  monkeypatch.undo()
  plugin._codec.cache_clear()
  opened = []
  monkeypatch.setattr(
      "tfc_models.codecs.open_weights", lambda *words: opened.append(words) or codec)
  for _ in range(2):
    saved(Image.fromarray(RGB), tiny_weights)
  assert len(opened) == 1


def test_chunks_of_arrays_are_files(tiny_weights, monkeypatch, codec):
  numcodecs = pytest.importorskip("numcodecs")
  from tfc_models import numcodecs as ours
  monkeypatch.setattr(ours, "shared_decoder", plugin._decoder)
  monkeypatch.setattr(ours, "_encoder", lambda *_: codec)
  coder = numcodecs.get_codec({"id": "tfcm", "model": tiny_weights})
  assert numcodecs.get_codec(coder.get_config()) == coder
  for chunk in (RGB, RGB[None, ..., 0], np.dstack([RGB, ALPHA])):
    data = coder.encode(chunk)
    out = np.zeros_like(chunk)
    coder.decode(data, out)
    np.testing.assert_array_equal(out, codec.decode(data).reshape(chunk.shape))
