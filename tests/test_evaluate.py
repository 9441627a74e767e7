"""Evaluation: whatever fails or interrupts, the rest is measured, once."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tests.faulty import Faulty, quick_figures
from tests.test_cli import fails
from tests.test_interruption import allow_interruption, measured
from tfc_models.codecs import classical, lineup
from tfc_models.datasets.files import FORMATS
from tfc_models.errors import CodecError, UsageError
from tfc_models.evaluation import evaluate, store, sweep
from tfc_models.evaluation.report import Report
from tfc_models.evaluation.store import Store


@pytest.fixture
def quick(monkeypatch):
  """Without metrics, for tests of what is measured when."""
  monkeypatch.setattr(sweep, "_figures", quick_figures)


@pytest.fixture
def images(tmp_path):
  folder = tmp_path / "images"
  folder.mkdir()
  for width in (170, 180, 190):
    Image.fromarray(make_image(165, width)).save(folder / f"{width}.png")
  Image.fromarray(make_image(165, 190, 1)[..., 0]).save(folder / "grey.png")
  return folder


def test_records_hold_what_was_measured_and_with_what(images, tmp_path):
  folder = tmp_path / "out"
  families = lineup.parse(["jpeg@20,80", "webp-lossless"])
  paths = [str(images / "190.png"), str(images / "grey.png")]
  assert evaluate(families, paths, str(folder)) == []
  found = Store(str(folder))
  records = found.records()
  assert [store.key(record) for record in records] == [
      ("jpeg", 20, "190.png"), ("jpeg", 20, "grey.png"),
      ("jpeg", 80, "190.png"), ("jpeg", 80, "grey.png"),
      ("webp-lossless", None, "190.png"), ("webp-lossless", None, "grey.png")]
  first = records[0]
  image = make_image(165, 190)
  codec = classical.PillowCodec("JPEG", quality=20, subsampling="4:2:0")
  data = codec.encode(image)
  error = np.mean((image.astype(float) - codec.decode(data)) ** 2)
  assert first["num_bytes"] == len(data)
  assert first["bpp"] == pytest.approx(8 * len(data) / (165 * 190))
  assert first["mse"] == pytest.approx(error)
  assert first["psnr"] == pytest.approx(10 * np.log10(255**2 / error))
  assert 0 < first["ms_ssim"] < 1 and 0 < first["ssim"] < 1
  assert 0 < first["wasserstein"] < 1 and first["lpips"] is None
  assert first["encode_seconds"] > 0 and first["decode_seconds"] > 0
  # TensorFlow is not in the process that codes.
  assert 10 < first["peak_mib"] < 300
  tool = found.run["tools"][first["codec_id"]]
  assert tool["codec"] == "jpeg" and "libjpeg" in tool["library"]
  assert tool["options"] == {"subsampling": "4:2:0", "quality": 20}
  # Lossless, also where grey came back in colour.
  for record in records[-2:]:
    assert record["mse"] == 0 and record["psnr"] is None
  assert len(measured(folder)) == 6


def test_older_records_lack_later_metrics_until_these_are_asked_for(
    quick, images, tmp_path):
  folder = tmp_path / "out"
  evaluate([Faulty()], [str(images / "grey.png")], str(folder))
  path = folder / "records.jsonl"
  record = json.loads(path.read_text())
  del record["wasserstein"], record["lpips"]
  path.write_text(json.dumps(record) + "\n")
  (old,) = Store(str(folder)).records()
  assert old["wasserstein"] is None and old["lpips"] is None
  (row,) = Report(Store(str(folder)), anchors=["faulty"]).averages
  assert row["lpips"] is None and row["psnr"] == 1.0
  assert Store(str(folder)).has(old) and not Store(str(folder)).has(old, ["lpips"])


def test_failures_are_named_and_the_rest_is_done(quick, images, tmp_path):
  (images / "broken.png").write_bytes((images / "190.png").read_bytes()[:500])
  seen = []
  failures = evaluate(
      [Faulty(), *lineup.parse(["png"])],
      sorted(str(path) for path in images.iterdir()), str(tmp_path / "out"),
      report=seen.append)
  assert failures == seen
  assert [str(failure) for failure in failures] == [
      f"{images / 'broken.png'}: broken image (image file is truncated)",
      "170.png: faulty: KeyError: 'no such width'",
      "180.png: faulty: the process that ran it ended with signal 11"]
  assert "in encode" in next(
      failure.trace for failure in failures if failure.trace)
  found = Store(str(tmp_path / "out"))
  assert [store.key(record)[::2] for record in found.records()] == [
      ("faulty", "190.png"), ("faulty", "grey.png"),
      ("png", "170.png"), ("png", "180.png"), ("png", "190.png"),
      ("png", "grey.png")]
  # A codec that failed on one image has no fair average.
  report = Report(found, anchors=["png"])
  assert "faulty" not in report.curves
  assert [row["images"] for row in report.averages] == [2, 4]


def test_finished_records_are_kept_until_codec_or_image_changes(
    quick, images, tmp_path):
  paths = [str(images / "190.png"), str(images / "grey.png")]
  folder = tmp_path / "out"
  lines = []
  for family in (Faulty(), Faulty(), Faulty(version=2)):
    assert evaluate([family], paths, str(folder)) == []
    lines.append(len((folder / "records.jsonl").read_text().splitlines()))
  Image.fromarray(make_image(165, 190, seed=1)).save(images / "190.png")
  assert evaluate([Faulty(version=2)], paths, str(folder)) == []
  lines.append(len((folder / "records.jsonl").read_text().splitlines()))
  assert lines == [2, 2, 4, 5]
  assert len(Store(str(folder)).records()) == 2
  # Another codec comes beside the first, images that are gone do not count.
  assert evaluate(lineup.parse(["png"]), paths[:1], str(folder)) == []
  assert [store.key(record)[::2] for record in Store(str(folder)).records()] == [
      ("png", "190.png"), ("faulty", "190.png")]


def test_a_torn_line_is_dropped_and_a_wrong_one_refused(
    quick, images, tmp_path):
  folder = tmp_path / "out"
  paths = [str(images / "190.png"), str(images / "grey.png")]
  evaluate([Faulty()], paths, str(folder))
  path = folder / "records.jsonl"
  whole = path.read_bytes()
  before = measured(folder)
  path.write_bytes(whole[:-7])
  assert evaluate([Faulty()], paths, str(folder)) == []
  assert measured(folder) == before
  assert len(path.read_bytes().splitlines()) == 2
  path.write_bytes(b"{}\n" + whole)
  with pytest.raises(UsageError, match="records.jsonl: line 1 is no record"):
    Store(str(folder))


@pytest.mark.parametrize("change", [
    {"image": 1}, {"height": "165"}, {"bpp": None}, {"setting": []},
    {"codec_id": {}}, {"psnr": "40"}], ids=str)
def test_records_of_wrong_types_are_refused(quick, images, tmp_path, change):
  folder = tmp_path / "out"
  evaluate([Faulty()], [str(images / "190.png")], str(folder))
  path = folder / "records.jsonl"
  record = json.loads(path.read_text())
  for line in ("[" * 100000, "[]", json.dumps({**record, **change})):
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match="records.jsonl: line 1 is no record"):
      Store(str(folder))


@pytest.mark.parametrize("run", [
    "[]", "{}", '{"images": [], "tools": {}, "codecs": []}',
    '{"images": {"a": 1}, "tools": {}, "codecs": []}',
    '{"images": {"a": {}}, "tools": {}, "codecs": []}',
    '{"images": {}, "tools": {}, "codecs": [1]}',
    '{"images": {}, "tools": {"a": 1}, "codecs": []}'])
def test_a_folder_of_something_else_is_refused(tmp_path, run):
  (tmp_path / "run.json").write_text(run)
  with pytest.raises(UsageError, match="run.json: not of an evaluation"):
    Store(str(tmp_path))


def test_names_that_are_not_utf8_are_measured_and_written(
    quick, images, tmp_path):
  path = os.path.join(os.fsencode(images), b"\xff.png")
  os.rename(images / "190.png", path)
  evaluate([Faulty()], [os.fsdecode(path)], str(tmp_path / "out"))
  assert b",\xff.png," in (tmp_path / "out/records.csv").read_bytes()
  assert Store(str(tmp_path / "out")).records()[0]["image"] == "\udcff.png"


def test_a_program_that_hangs_is_ended(images, tmp_path):
  (family,) = lineup.parse(
      ["slow=cmd:sh -c 'echo busy; exec sleep 1000' {in} {out}"], timeout=0.2)
  with pytest.raises(CodecError, match="sh took more than 0.2 sec.*: busy"):
    family.make(None).encode(make_image(8, 8))
  assert "timeout" not in json.dumps(family.facts(None))


@pytest.mark.parametrize("sent, code", [
    (signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)])
def test_a_run_told_to_end_leaves_neither_programs_nor_files(
    images, tmp_path, sent, code):
  scratch = tmp_path / "scratch"
  scratch.mkdir()
  process = subprocess.Popen(
      [sys.executable, "-m", "tfc_models", "evaluate", "--codecs",
       f"slow=cmd:sh -c 'echo $$ > {tmp_path}/pid; sleep 1000' {{in}} {{out}}",
       f"--images={images}", f"--output={tmp_path / 'out'}"],
      stderr=subprocess.PIPE, text=True,
      env={**os.environ, "TMPDIR": str(scratch)}, preexec_fn=allow_interruption)
  pid = tmp_path / "pid"
  while not pid.exists() or not pid.read_text():
    assert process.poll() is None
    time.sleep(0.01)
  assert list(scratch.iterdir())
  process.send_signal(sent)
  _, said = process.communicate()
  # Libraries for networks may have complained of closed descriptors before.
  assert (process.returncode, said.splitlines()[-1]) == (code, "tfcm: interrupted")
  assert not os.path.exists(f"/proc/{pid.read_text().strip()}/exe")
  assert not list(scratch.iterdir())


def test_the_verbs_evaluate_and_plot(images, tmp_path):
  (images / "170.png").write_bytes(b"no image")
  done = subprocess.run(
      [sys.executable, "-m", "tfc_models", "evaluate", "--codecs",
       "jpeg@20:80:20", "webp@20:80:20,toderici2016",
       "cmd:no-such-program {in} {out}", "--jobs=2",
       f"--images={images}/1*.png", f"--output={tmp_path / 'out'}"],
      capture_output=True, text=True)
  assert done.returncode == 1
  lines = done.stderr.splitlines()
  assert lines == [
      "missing: toderici2016: no weights are shipped; name a training directory",
      "missing: no-such-program: no-such-program is not on the PATH",
      f"tfcm: {images / '170.png'}: not an image, or of none of the formats "
      + ", ".join(FORMATS)]
  assert "Against jpeg:" in done.stdout and "| webp " in done.stdout
  out = tmp_path / "out"
  for name in ("report.md", "summary.json", "averages.csv", "bd.csv",
               "records.csv", "rate_psnr.png", "per_image.svg"):
    assert (out / name).stat().st_size > 100
  assert "170.png: not an image" in (out / "report.md").read_text()
  done = subprocess.run(
      [sys.executable, "-m", "tfc_models", "plot", str(out), "--codecs", "webp",
       "--anchor=webp", "-o", str(tmp_path / "plots")],
      check=True, capture_output=True, text=True)
  drawn = (tmp_path / "plots" / "rate_psnr.svg").read_text()
  assert ">webp</text>" in drawn and ">jpeg</text>" not in drawn
  assert "rate_psnr.png and .svg" in done.stdout


@pytest.mark.parametrize("words, reason", [
    (["evaluate", "--images=x"], "--output is missing"),
    (["evaluate", "--output=x"], "--images is missing"),
    (["evaluate", "--images=/no", "--output=x"], "/no: no image files there"),
    (["evaluate", "--images=x", "--output=x", "--jobs=0"], "at least 1, got 0"),
    (["evaluate", "--codecs=toderici2016", "--images=x", "--output=x"],
     "no codec left: toderici2016: no weights are shipped"),
    (["plot", "/no/such"], "no records of an evaluation"),
])
def test_requests_without_sense_are_refused(words, reason):
  fails(1, reason, *words)


def test_codecs_and_published_curves_are_listed():
  done = subprocess.run(
      [sys.executable, "-m", "tfc_models", "evaluate", "--list"],
      check=True, capture_output=True, text=True)
  for name in ("tfcm-base", "jpeg2000", "published:paper-mbt2018",
               "toderici2016           missing: no weights"):
    assert name in done.stdout
