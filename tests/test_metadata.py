"""ICC profiles, EXIF and XMP go through files, upright, bounded, or with a line."""

import argparse
import contextlib
import io
import json
import random
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from tests.conftest import make_image
from tests.test_cli import tfcm
from tests.test_datasets import jpeg_with_exif
from tfc_models import bitstream
from tfc_models.cli import metadata as lines
from tfc_models.datasets import exif, files, metadata
from tfc_models.errors import ImageError

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" '
       b'xmp:Rating="5"/></x:xmpmeta>' + b" " * 2000 + b'<?xpacket end="w"?>')
GPS = {1: "N", 2: (48.0, 8.0, 15.0)}
TAKEN = "2026:11:28 12:00:00"
# On its side, as cameras store it.
PIXELS = make_image(40, 56)


def exif_block():
  tags = Image.Exif()
  tags[exif.ORIENTATION] = 6
  tags[ExifTags.Base.Make] = "Maker"
  tags[ExifTags.IFD.GPSInfo] = GPS
  tags[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: TAKEN}
  return tags.tobytes()


def block(order, entries, second=b"", tail=b""):
  """Returns an EXIF block of (tag, type, number, value) in a byte order."""
  head = b"II*\0" if order == "<" else b"MM\0*"
  data = head + struct.pack(order + "IH", 8, len(entries))
  for entry in entries:
    data += struct.pack(order + "HHII", *entry)
  end = len(data) + 4
  return data + struct.pack(order + "I", end if second else 0) + second + tail


def saved(path, **changes):
  """Writes a photograph that lies on its side, with all metadata."""
  options = {"icc_profile": ICC, "exif": exif_block(), "xmp": XMP, **changes}
  Image.fromarray(PIXELS).save(path, **options)
  return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
  return saved(tmp_path_factory.mktemp("photo") / "photo.webp", lossless=True)


@pytest.fixture(scope="module")
def packed(photo, tiny_weights):
  code, out, err = tfcm("compress", photo, "--model", tiny_weights, "--json")
  assert (code, err) == (0, "")
  stream = photo.with_suffix(".tfcm")
  assert json.loads(out)["metadata"] == {
      name: len(value)
      for name, value in bitstream.read(stream.read_bytes()).metadata.items()}
  return stream


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif", "avif"])
def test_all_come_back_for_upright_pixels(packed, tmp_path, tiny_weights, extension):
  output = tmp_path / f"out.{extension}"
  code, _, err = tfcm("decompress", packed, "-o", output, "--model_path", tiny_weights)
  assert (code, err) == (0, "")
  with Image.open(output) as image:
    image.load()
    tags = image.getexif()
    assert image.size == (40, 56) and image.info["icc_profile"] == ICC
    assert tags.get(exif.ORIENTATION, 1) == 1
    assert tags[ExifTags.Base.Make] == "Maker"
    assert tags.get_ifd(ExifTags.IFD.GPSInfo) == GPS
    assert tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == TAKEN
    xmp = image.info["xmp"]
  assert b'tiff:Orientation="1" xmp:Rating="5"' in xmp and len(xmp) < 200
  assert files.read_picture(output).metadata.keys() == {"icc", "exif", "xmp"}


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif", "avif"])
def test_each_format_is_read_upright_with_all_it_has(tmp_path, extension):
  wants = {"xmp": b""} if extension in ("png", "tif") else {}
  picture = files.read_picture(saved(tmp_path / f"in.{extension}", **wants))
  assert picture.pixels.shape == (56, 40, 3) and picture.dropped == []
  assert picture.metadata["icc"] == ICC
  assert ("xmp" in picture.metadata) == (not wants)
  tags = Image.Exif()
  tags.load(picture.metadata["exif"])
  assert tags.get(exif.ORIENTATION, 1) == 1
  assert tags.get_ifd(ExifTags.IFD.GPSInfo) == GPS


def test_strip_gives_the_file_of_the_pixels_alone(photo, packed, tmp_path, tiny_weights):
  plain = tmp_path / "plain.png"
  Image.fromarray(np.rot90(PIXELS, -1)).save(plain)
  for source, words in ((plain, ()), (photo, ("--strip",))):
    code, _, err = tfcm("compress", source, "-o", tmp_path / source.stem,
                        "--model", tiny_weights, *words)
    assert (code, err) == (0, "")
  assert (tmp_path / "photo").read_bytes() == (tmp_path / "plain").read_bytes()
  assert json.loads(tfcm("info", "--json", tmp_path / "plain")[1])["metadata"] == {}
  assert len(packed.read_bytes()) > (tmp_path / "plain").stat().st_size + len(ICC)
  output = tmp_path / "out.png"
  assert tfcm("decompress", packed, "-o", output, "--model_path", tiny_weights,
              "--strip")[::2] == (0, "")
  with Image.open(output) as image:
    image.load()
    assert not image.info


def test_what_an_output_cannot_hold_is_a_line(packed, tmp_path, tiny_weights):
  output = tmp_path / "out.bmp"
  code, _, err = tfcm("decompress", packed, "-o", output, "--model_path", tiny_weights)
  assert code == 0 and err.count("\n") == 1
  assert f"{output}: warning: BMP files" in err and "EXIF, ICC profile, XMP" in err
  with Image.open(output) as image:
    assert image.size == (40, 56)


def test_cmyk_is_converted_and_its_profile_dropped_with_a_line(tmp_path, tiny_weights):
  path = tmp_path / "print.jpg"
  Image.fromarray(PIXELS).convert("CMYK").save(
      path, icc_profile=ICC[:16] + b"CMYK" + ICC[20:], exif=exif_block())
  code, _, err = tfcm("compress", path, "--model", tiny_weights)
  assert code == 0 and err.count("\n") == 1
  assert f"{path}: warning: ICC profile is dropped (it is of CMYK colours" in err
  stream = bitstream.read(path.with_suffix(".tfcm").read_bytes())
  assert stream.metadata.keys() == {"exif"}


@pytest.mark.parametrize("name, value, channels, reason", [
    ("icc", ICC, 1, "of RGB colours, the pixels are GRAY"),
    ("icc", ICC[:16] + b"Lab " + ICC[20:], 3, "of Lab colours"),
    ("icc", ICC[:12] + b"link" + ICC[16:], 3, "class link"),
    ("icc", ICC[:-1], 3, "broken"),
    ("icc", b"", 3, "broken"),
    ("icc", struct.pack(">I", 2**20 + 1) + ICC[4:] + bytes(2**20), 3, "1048577 bytes"),
    ("exif", b"II", 3, "does not begin"),
    ("exif", b"II*\0\xff\xff\xff\xff", 3, "too early"),
    ("exif", block("<", [(0x010F, 2, 60, 0)] * 60), 3, "one upon the other"),
    ("exif", block("<", [(0x8769, 4, 1, 8)] * 2), 3, "where its directories lie"),
    ("exif", block("<", [(0x927C, 7, 65600, 26)], tail=bytes(65600)), 3, "than 65527"),
    ("xmp", b"\xff<x/>", 3, "no XML"),
    ("xmp", b"<x\0/>", 3, "no XML"),
    ("xmp", b"<x>\xff</x>", 3, "not UTF-8"),
    ("xmp", b"<x>" + b"a" * 65600, 3, "more than 65504"),
], ids=lambda value: "bytes" if isinstance(value, bytes) else None)
def test_what_is_broken_large_or_of_other_colours_is_dropped(
    name, value, channels, reason):
  kept, (text,) = metadata.checked({name: value}, channels)
  assert kept == {} and reason in text and metadata.LABELS[name] in text


def test_grey_profiles_are_kept_for_grey_and_what_follows_is_not():
  assert metadata.checked({"xmp": b"<x/>\0"}, 1) == ({"xmp": b"<x/>"}, [])
  grey = ICC[:16] + b"GRAY" + ICC[20:]
  assert metadata.checked({"icc": grey + b"behind"}, 1) == ({"icc": grey}, [])


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_preview_goes_and_what_else_a_maker_wrote_stays_where_it_was(order):
  def made(orientation, **more):
    # A short lies in the first two of four bytes.
    return block(order, [
        (exif.ORIENTATION, 3, 1, orientation << 16 if order == ">" else orientation),
        (0x927C, 7, len(notes), at + len(preview))], **more)

  notes, preview = b"notes of the maker", b"\xff\xd8preview"
  begin = 8 + 2 + 2 * 12 + 4
  at = begin + 2 + 2 * 12 + 4
  second = struct.pack(order + "H", 2) + struct.pack(
      order + "HHII", 0x0201, 4, 1, at) + struct.pack(
      order + "HHII", 0x0202, 4, 1, len(preview)) + bytes(4)
  assert exif.upright(exif.PREFIX + made(6, second=second, tail=preview + notes)) == (
      made(1) + second + bytes(len(preview)) + notes)
  # Where nothing that counts lies behind it, it takes no bytes.
  assert exif.upright(block(order, [], second, preview + b"more")) == block(order, [])


def test_unreadable_exif_is_a_line_and_turns_nothing(tmp_path, tiny_weights):
  path = tmp_path / "bad.jpg"
  path.write_bytes(jpeg_with_exif(b"M"))
  code, _, err = tfcm("compress", path, "--model", tiny_weights)
  assert code == 0 and err.count("\n") == 1
  assert f"{path}: warning: EXIF is dropped (it does not begin" in err


@pytest.mark.filterwarnings("ignore")
def test_mutated_metadata_meet_a_line_at_most():
  rng = random.Random(7)
  buffer = io.BytesIO()
  Image.fromarray(PIXELS[:8, :8]).save(
      buffer, "JPEG", exif=exif_block(), xmp=XMP[:200], icc_profile=ICC)
  data, end = buffer.getvalue(), buffer.getvalue().index(b"\xff\xdb")
  for _ in range(300):
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
      changed[rng.randrange(20, end)] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
    with contextlib.suppress(ImageError):
      files.read_picture(bytes(changed), "x.jpg")
    tags = bytearray(exif_block())
    for _ in range(rng.randint(1, 8)):
      tags[rng.randrange(len(tags))] = rng.randrange(256)
    kept, _ = metadata.checked({"exif": bytes(tags), "xmp": XMP}, 3)
    for format in ("TIFF", "PNG"):
      options, _ = metadata.save_options(kept, format)
      with contextlib.suppress(ImageError):
        files.image_bytes(PIXELS[:8, :8], format, "out", **options)


def test_a_strangers_stream_decodes_whatever_its_metadata(packed, tmp_path, tiny_weights):
  stream = bitstream.read(packed.read_bytes())
  path, output = tmp_path / "x.tfcm", tmp_path / "x.tif"
  # Of the last, tags that say where the pixels of a TIFF lie must not get there.
  tags = block("<", [(0x0100, 4, 1, 9), (0x0111, 4, 1, 3), (0x0142, 4, 1, 16)])
  for found in ({"icc": b"abc", "exif": b"abc", "xmp": b"\0"}, {"exif": tags}):
    path.write_bytes(bitstream.write(stream.header, stream.chunks, found))
    code, _, err = tfcm("decompress", path, "-o", output, "--overwrite",
                        "--model_path", tiny_weights)
    assert code == 0 and err.count("\n") == (len(found) == 3)
    with Image.open(output) as image:
      image.load()
      assert image.size == (40, 56) and "icc_profile" not in image.info


def test_an_image_that_takes_no_metadata_is_written_without(monkeypatch, capsys):
  def fail(image, format, name, **options):
    if options:
      raise ImageError("no")
    return b"data"

  monkeypatch.setattr(lines, "image_bytes", fail)
  assert lines.file_bytes(PIXELS, {"icc": ICC}, "PNG", "out.png") == b"data"
  assert capsys.readouterr().err == (
      "tfcm: out.png: warning: metadata are dropped (no)\n")


def test_thumbnails_have_no_room_and_say_so_unless_stripped(capsys):
  picture = files.Picture(PIXELS, {"icc": ICC, "xmp": XMP}, [])
  for strip in (False, True):
    asked = argparse.Namespace(strip=strip, thumbnail=True)
    assert lines.of_picture(picture, "a.jpg", asked) is None
  assert capsys.readouterr().err == (
      "tfcm: a.jpg: warning: a thumbnail has no room for ICC profile, XMP; "
      "--strip drops it unsaid\n")
