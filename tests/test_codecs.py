"""Codecs of others: families, programs by template, and the line-up."""

import math
import sys

import numpy as np
import pytest

from tests.conftest import make_image
from tfc_models import codecs
from tfc_models.codecs import classical, external, lineup
from tfc_models.errors import CodecError, UsageError

# A codec of two scripts: PPM in, PNG in the middle, and it dislikes one width.
SCRIPT = """
import sys
from PIL import Image
source, result, quality = sys.argv[1:4]
image = Image.open(source)
if image.width == 13:
  print("cannot do this"); print("unlucky width", file=sys.stderr); sys.exit(3)
if image.width != 14:
  image.save(result, quality=int(quality))
"""


@pytest.fixture
def program(tmp_path):
  path = tmp_path / "codec.py"
  path.write_text(SCRIPT)
  return f"{sys.executable} '{path}'"


def available():
  return [family for family in classical.FAMILIES.values()
          if family.missing() is None]


@pytest.mark.parametrize("family", available(), ids=lambda family: family.name)
@pytest.mark.parametrize("channels", [1, 3])
def test_classical_codecs_give_the_image_back(family, channels):
  image = make_image(40, 57, channels)
  codec = family.make(family.settings[-1])
  data = codec.encode(image)
  decoded = codec.decode(data)
  assert decoded.dtype == np.uint8 and decoded.shape[:2] == image.shape[:2]
  error = np.mean((decoded.astype(float) - image) ** 2)
  if family.settings == (None,):
    assert error == 0
  else:
    assert 0 < error < 300
    least = family.make(family.settings[0])
    assert len(least.encode(image)) < len(data)
  assert family.facts(family.settings[0])["tool"]


def test_all_optional_codecs_are_installed_with_the_tests():
  assert [f.name for f in available()] == list(classical.FAMILIES)


def test_jpeg_xl_qualities_are_those_of_libjxl():
  # 100 is lossless, 90 visually lossless, which is distance 1.
  for quality, distance in ((100, 0), (90, 1.0), (75, 2.35), (30, 6.4), (0, 25)):
    assert classical.jxl_distance(quality) == pytest.approx(distance)
  assert classical.jxl_distance(29.99) == pytest.approx(
      classical.jxl_distance(30), abs=0.05)


def test_a_missing_package_is_told_not_met(monkeypatch):
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  assert classical.FAMILIES["jxl"].missing() == "pip install imagecodecs"
  assert classical.FAMILIES["heif"].missing() == "pip install pillow-heif"
  assert classical.FAMILIES["jpeg"].missing() is None


def test_two_programs_make_a_codec(program):
  (family,) = lineup.parse([
      f"two=cmd:{program} {{in.ppm}} {{out.jpg}} {{q}} "
      f"=> {program} {{in}} {{out.bmp}} 0 @ 20,80"])
  assert family.name == "two" and family.settings == (20, 80)
  image = make_image(40, 57)
  sizes = []
  for setting in family.settings:
    codec = family.make(setting)
    data = codec.encode(image)
    assert data == codecs.PillowCodec("JPEG", quality=setting).encode(image)
    assert codec.extension == ".jpg" and codec.program_mib > 5
    assert codec.decode(data).shape == image.shape
    sizes.append(len(data))
  assert sizes[0] < sizes[1]
  facts = family.facts(20)
  assert facts["q"] == 20 and len(facts["sha256"][sys.executable]) == 64


def test_without_a_decoder_pillow_reads_the_result(program):
  codec = external.parse(f"cmd:{program} {{in}} {{out.png}} 0").make(None)
  image = make_image(40, 57)
  np.testing.assert_array_equal(codec.decode(codec.encode(image)), image)


def test_a_program_that_fails_is_told_with_its_last_words(program):
  codec = external.parse(f"cmd:{program} {{in}} {{out.png}} 0").make(None)
  with pytest.raises(CodecError, match="ended with 3: unlucky width"):
    codec.encode(make_image(20, 13))
  with pytest.raises(CodecError, match="wrote no output file"):
    codec.encode(make_image(20, 14))


@pytest.mark.parametrize("texts, expected", [
    (["jpeg,webp"], [("jpeg", None), ("webp", None)]),
    (["jpeg@10,20,webp@30"], [("jpeg", (10, 20)), ("webp", (30,))]),
    (["a=jpeg@10:30:10", "b=jpeg@1"], [("a", (10, 20, 30)), ("b", (1,))]),
    (["jxl@0.5:2:0.5,99"], [("jxl", (0.5, 1.0, 1.5, 2.0, 99))]),
    (["png", "tfcm-base@50"], [("png", (None,)), ("tfcm-base", (50,))]),
    (["cmd:true {in} {out}"], [("true", (None,))]),
    (["x=cmd:a,b {in} {out} {q} @1,2"], [("x", (1, 2))]),
])
def test_texts_become_families(texts, expected):
  for family, (name, settings) in zip(lineup.parse(texts), expected):
    assert family.name == name
    assert family.settings == settings or settings is None
  assert len(lineup.parse(texts)) == len(expected)


@pytest.mark.parametrize("text, reason", [
    ("nothing", "no such codec; there are "),
    ("jpeg@200", "jpeg takes settings from 0 to 100, got 200"),
    ("jpeg@best", "got 'best'"),
    ("png@3", "png has nothing to set, got 3"),
    ("jpeg@30:10:5", "30:10:5: START:STOP:STEP goes upwards"),
    ("jpeg,jpeg", "two codecs called jpeg"),
    ("tfcm-base@51", "tfcm-base has weights at 25, 50, 75"),
    ("cmd:true {in}", r"the encoder needs \{in\} and \{out\}"),
    ("cmd:", "the encoder needs"),
    ("cmd:true {in} {out} => cat {in}", "the decoder needs"),
    ("cmd:true {in} {out} {quality}", r"\{quality\} is none of \{height\}"),
    ("cmd:true {in} {out} {q}", r"say what \{q\} takes"),
    ("cmd:true {in} {out} @3", r"settings, but no \{q\}"),
    ("cmd:true {in.yuv} {out}", "no image format that is written here .* .yuv"),
    ("cmd:true '{in} {out}", "No closing quotation"),
])
def test_wrong_texts_are_refused(text, reason):
  with pytest.raises(UsageError, match=reason):
    lineup.parse([text])


def test_what_is_missing_is_known_before_it_is_used():
  (family,) = lineup.parse(["cmd:no-such-program {in} {out}"])
  assert family.missing() == "no-such-program is not on the PATH"
  (family,) = lineup.parse(["toderici2016"])
  assert "no weights are shipped" in family.missing()


def test_training_directories_make_one_curve(tiny_weights, tmp_path):
  for name in ("run_a", "run_b"):
    (tmp_path / name).mkdir()
    (tmp_path / name / "model.npz").write_bytes(open(tiny_weights, "rb").read())
  (family,) = lineup.parse([str(tmp_path / "run_*")])
  assert (family.name, family.settings) == ("run", ("run_a", "run_b"))
  codec = family.make("run_b")
  image = make_image(20, 30)
  assert codec.decode(codec.encode(image)).shape == image.shape
  assert codec.fingerprint.hex() == family.facts("run_b")["fingerprint"]
  with pytest.raises(UsageError, match="no model.npz there"):
    lineup.parse([str(tmp_path)])


def test_shipped_rates_are_settings():
  family = lineup.everything()["tfcm-base"]
  sizes = [len(family.make(setting).encode(make_image(64, 64)))
           for setting in family.settings]
  assert sizes == sorted(sizes) and not math.isnan(sizes[0])
