"""The command line as its users meet it: codes, words, files."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tfc_models import bitstream
from tfc_models.cli import main as cli
from tfc_models.codecs import LearnedCodec
from tfc_models.errors import BitstreamError
from tfc_models.modeling.settings import Settings


def tfcm(*words):
  """Runs a verb in this process; returns exit code, stdout, stderr."""
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    try:
      code = cli.main(cli.parse(["tfcm", *map(str, words)]))
    except SystemExit as stop:
      code = stop.code
  return code, out.getvalue(), err.getvalue()


def fails(code, reason, *words):
  """Checks that a call fails with one line that gives a reason."""
  got, _, err = tfcm(*words)
  assert got == code, err
  assert reason in err
  assert err.count("\n") == 1 and err.startswith("tfcm")


@pytest.fixture
def photo(tmp_path):
  path = tmp_path / "photo.png"
  Image.fromarray(make_image(33, 50)).save(path)
  return path


@pytest.fixture
def stream(photo, tiny_weights):
  assert tfcm("compress", photo, "--model", tiny_weights)[0] == 0
  return photo.with_suffix(".tfcm")


def test_round_trip_beside_the_input(photo, stream, tiny_weights):
  photo_out = photo.parent / "out.png"
  code, out, err = tfcm(
      "decompress", stream, "-o", photo_out, "--model_path", tiny_weights)
  assert (code, err) == (0, "")
  assert "50x33" in out
  codec = LearnedCodec.from_file(tiny_weights)
  expected, _ = codec.model.reconstruct(make_image(33, 50), Settings(effort=codec.effort))
  np.testing.assert_array_equal(np.asarray(Image.open(photo_out)), expected)
  assert sorted(p.name for p in photo.parent.iterdir()) == [
      "out.png", "photo.png", "photo.tfcm"]


def test_existing_files_are_kept_unless_told(photo, stream, tiny_weights):
  before = stream.read_bytes()
  stream.write_bytes(b"precious")
  fails(1, "--overwrite", "compress", photo, "--model", tiny_weights)
  assert stream.read_bytes() == b"precious"
  assert tfcm(
      "compress", photo, "--model", tiny_weights, "--overwrite")[0] == 0
  assert stream.read_bytes() == before
  fails(1, "replace the input", "compress", photo, "-o", photo, "--overwrite",
        "--model", tiny_weights)


def test_pipes(photo, tiny_weights):
  """In a process of its own, so that the bytes are those of another run."""
  command = [sys.executable, "-m", "tfc_models"]
  packed = subprocess.run(
      [*command, "compress", "-", "--model", tiny_weights],
      input=photo.read_bytes(), capture_output=True, check=True)
  codec = LearnedCodec.from_file(tiny_weights)
  assert packed.stdout == codec.encode(make_image(33, 50))
  assert b"bytes" in packed.stderr and packed.stderr.count(b"\n") == 1
  unpacked = subprocess.run(
      [*command, "decompress", "-"], input=packed.stdout, capture_output=True,
      check=True, env={**os.environ, "TFCM_MODEL_PATH": tiny_weights})
  np.testing.assert_array_equal(
      np.asarray(Image.open(io.BytesIO(unpacked.stdout))),
      codec.decode(packed.stdout))


def test_folders_keep_their_structure(tmp_path, tiny_weights):
  (tmp_path / "in" / "below").mkdir(parents=True)
  for name in ("a.png", "below/b.jpg"):
    Image.fromarray(make_image(20, 20)).save(tmp_path / "in" / name)
  (tmp_path / "in" / "notes.txt").write_text("no image")
  out = tmp_path / "out"
  code, text, _ = tfcm(
      "compress", tmp_path / "in", "--recursive", "-o", out, "--jobs", 2,
      "--json", "--model", tiny_weights)
  assert code == 0
  facts = [json.loads(line) for line in text.splitlines()]
  assert [f["bytes"] for f in facts] == [
      (out / name).stat().st_size for name in ("a.tfcm", "below/b.tfcm")]
  back = tmp_path / "back"
  assert tfcm("decompress", out, "--recursive", "-o", back, "--model_path",
              os.path.dirname(tiny_weights))[0] == 0
  assert (back / "below" / "b.png").exists()


def test_one_bad_file_does_not_stop_the_others(tmp_path, photo, tiny_weights):
  (tmp_path / "html.png").write_text("<html>")
  fails(1, "html.png: not an image", "compress", tmp_path, "--model",
        tiny_weights)
  assert sorted(p.name for p in tmp_path.iterdir()) == [
      "html.png", "photo.png", "photo.tfcm"]


def test_whatever_one_file_meets_is_a_line_and_the_rest_is_done(
    tmp_path, photo, tiny_weights, monkeypatch):
  Image.fromarray(make_image(8, 8)).save(tmp_path / "a.png")
  Image.fromarray(make_image(16, 8)).save(tmp_path / "b.png")
  Image.new("L", (65536, 1)).save(tmp_path / "wide.png")
  encode = LearnedCodec.encode_file

  def fail(self, image, settings=None, options=None, jobs=1):
    if image.shape[0] == 8:
      raise ValueError("first line\nsecond line")
    if image.shape[0] == 16:
      raise MemoryError
    return encode(self, image, settings, options, jobs)

  monkeypatch.setattr(LearnedCodec, "encode_file", fail)
  code, _, err = tfcm("compress", tmp_path, "--model", tiny_weights)
  assert code == 1
  assert err.splitlines() == [
      f"tfcm: {tmp_path}/a.png: unexpected ValueError: first line",
      f"tfcm: {tmp_path}/b.png: not enough memory for it",
      f"tfcm: {tmp_path}/wide.png: an image of 65536x1 is outside the limits "
      "(sides 1..65535, at most 268435456 pixels)"]
  assert (tmp_path / "photo.tfcm").exists()
  assert "in fail\n" in tfcm(
      "compress", tmp_path / "a.png", "--model", tiny_weights, "--verbose")[2]


def test_what_pillow_cannot_write_is_a_line(photo, stream, tiny_weights):
  fails(1, "x.msp: Pillow cannot write", "decompress", stream, "-o",
        photo.parent / "x.msp", "--model_path", tiny_weights)


def test_colliding_outputs_are_refused_before_any_work(tmp_path, photo):
  Image.open(photo).save(tmp_path / "photo.jpg")
  fails(1, "another input writes", "compress", tmp_path)
  assert not (tmp_path / "photo.tfcm").exists()
  (tmp_path / "link").symlink_to(tmp_path)
  for words in (
      [photo, tmp_path / "link" / "photo.jpg"],
      [tmp_path / "link", "-o", f"{tmp_path}/"],
      [photo, f"{tmp_path}/./photo.jpg", "--overwrite"]):
    fails(1, "another input writes", "compress", *words)


def test_no_input_is_replaced_by_the_output_of_another(tmp_path, photo):
  """A stream of any name is read, its image goes where another input is."""
  (tmp_path / "in.tfcm").write_bytes(b"")
  fails(1, "would replace the input", "decompress", tmp_path / "in.tfcm",
        photo, "-o", tmp_path, "--overwrite")


def test_devices_take_output_and_stay(photo, tiny_weights):
  assert tfcm("compress", photo, "-o", os.devnull, "--model",
              tiny_weights)[0] == 0
  assert not os.path.isfile(os.devnull)


@pytest.mark.parametrize("words, reason", [
    (["compress"], "required: INPUT"),
    (["compress", "missing.png"], "missing.png: no such file"),
    (["compress", "."], "no input files in this folder"),
    (["compress", "--frobnicate", "x"], "unknown arguments: --frobnicate"),
    (["compress", "setup.cfg", "--jobs", "0"], "--jobs must be at least 1"),
    (["decompress", "setup.cfg", "-o", "x.xyz"], "Pillow writes no .xyz"),
    (["compress", "setup.cfg", "--model", "nothing"], "neither shipped weights"),
    (["compress", "setup.cfg", "--quality", "101"], "1..100, got 101"),
    (["info", "missing.tfcm"], "No such file"),
    (["frobnicate"], "invalid choice: 'frobnicate'"),
    (["train", "--config=nothing", "--train_dir=x"], "no such recipe"),
    (["train", "--config=bls2017", "--train_dir=x"], "must name a folder"),
    (["train", "--config=bls2017", "--train_dir=x", "--config.train.lmda=1"],
     "no key 'lmda' there; known: adversarial"),
    (["train", "--config=bls2017", "--train_dir=x", "--config.data.train=.",
      "--config.train.steps=many"], "invalid literal"),
    (["train", "--config=bls2017", "--train_dir=x", "--config.data.train=."],
     "no image files there"),
])
def test_usage_errors(tmp_path, monkeypatch, words, reason):
  monkeypatch.chdir(tmp_path)
  pathlib.Path("setup.cfg").write_text("")
  fails(1, reason, *words)
  assert os.listdir() == ["setup.cfg"]


def test_help_exits_with_zero():
  assert tfcm("--help")[0] == 0
  for verb in cli.VERBS:
    code, out, _ = tfcm(verb, "--help")
    assert code == 0 and f"tfcm {verb}" in out


def test_info_and_verify(stream):
  code, out, _ = tfcm("info", stream)
  assert code == 0 and "50x33 RGB" in out and "model tfcm-base" in out
  facts = json.loads(tfcm("info", stream, "--json")[1])
  assert (facts["height"], facts["width"]) == (33, 50)
  assert facts["bytes"] == stream.stat().st_size
  strings = facts["chunks"][0]["string_bytes"]
  assert facts["overhead_bytes"] == facts["bytes"] - sum(strings) - 9
  assert tfcm("verify", stream) == (0, f"{stream}: ok\n", "")


def test_damaged_streams_leave_nothing_behind(stream, tiny_weights):
  data = stream.read_bytes()
  out = stream.parent / "out.png"
  flipped = bytearray(data)
  flipped[-10] ^= 1
  for damaged, reason in [
      (data[:-1], "ends at byte"), (data[:40], "ends at byte"), (b"", "ends"),
      (bytes(flipped), "checksum differs"), (data + b"x", "follow the end"),
      (b"GIF89a" + data, "not a .tfcm file")]:
    stream.write_bytes(damaged)
    fails(2, reason, "decompress", stream, "-o", out, "--model_path",
          tiny_weights)
    fails(2, reason, "verify", stream)
    fails(2, reason, "info", stream)
    assert not out.exists()


def test_a_stream_cut_or_changed_anywhere_is_refused(stream, tiny_weights):
  codec = LearnedCodec.from_file(tiny_weights)
  data = stream.read_bytes()
  for position in range(len(data)):
    changed = bytearray(data)
    changed[position] ^= 0x10
    for damaged in (data[:position], bytes(changed)):
      with pytest.raises(BitstreamError):
        codec.decode(damaged)


def test_missing_weights_are_named_by_fingerprint(stream, tmp_path):
  header, chunks, *_ = bitstream.read(stream.read_bytes())
  out = tmp_path / "out.png"
  fails(2, f"fingerprint {header.fingerprint.hex()} are not here",
        "decompress", stream, "-o", out)
  stream.write_bytes(bitstream.write(
      bitstream.Header("cheng2099", header.fingerprint, 33, 50), chunks))
  fails(2, "'cheng2099' is unknown", "decompress", stream, "-o", out)
  assert not out.exists()


def test_models_lists_every_recipe():
  from tfc_models import configs
  out = tfcm("models")[1]
  assert all(name in out for name in configs.names())
  assert len(json.loads(tfcm("models", "--json")[1])["recipes"]) == len(
      configs.names())


@pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="needs the full device of Linux")
def test_a_full_disk_is_one_line(stream):
  with open("/dev/full", "wb") as full:
    done = subprocess.run(
        [sys.executable, "-m", "tfc_models", "info", stream], stdout=full,
        stderr=subprocess.PIPE, text=True)
  assert done.returncode == 1
  assert done.stderr.count("\n") == 1 and "No space left" in done.stderr
