"""Evaluation: whatever fails or interrupts, the rest is measured, once."""

import contextlib
import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tests.faulty import Faulty, quick_figures, start_program
from tests.test_cli import fails
from tfc_models.codecs import classical, lineup
from tfc_models.datasets.files import FORMATS
from tfc_models.errors import CodecError, UsageError
from tfc_models.evaluation import evaluate, published, store, sweep, worker
from tfc_models.evaluation.report import Report, averages
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


def measured(folder):
  """Returns what an evaluation measured, less what varies by the clock."""
  with open(folder / "records.csv") as file:
    return [
        {name: value for name, value in row.items()
         if "seconds" not in name and name != "peak_mib"}
        for row in csv.DictReader(file)]


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
  assert (process.returncode, said.strip()) == (code, "tfcm: interrupted")
  assert not os.path.exists(f"/proc/{pid.read_text().strip()}/exe")
  assert not list(scratch.iterdir())


def allow_interruption():
  """A shell that runs the tests in the background has it ignored."""
  signal.signal(signal.SIGINT, signal.default_int_handler)


def command(images, folder):
  return [sys.executable, "-m", "tfc_models", "evaluate",
          "--codecs=jpeg@10:90:10,webp@10:90:20", f"--images={images}",
          f"--output={folder}"]


def children(pid):
  """Returns the processes that a process has started."""
  found = []
  for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
    with contextlib.suppress(OSError):
      after_name = path.read_text().rpartition(")")[2].split()
      if int(after_name[1]) == pid:
        found.append(int(path.parent.name))
  return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
  """Folders of two images and of their evaluation."""
  folder = tmp_path_factory.mktemp("undisturbed")
  (folder / "images").mkdir()
  for seed in (0, 1):
    Image.fromarray(make_image(165, 190, seed=seed)).save(
        folder / "images" / f"{seed}.png")
  subprocess.run(
      command(folder / "images", folder / "out"), check=True,
      stdout=subprocess.DEVNULL)
  return folder / "images", folder / "out"


@pytest.mark.xdist_group("interruption")
@pytest.mark.parametrize(
    "sent", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_an_interrupted_run_continues_to_the_same_result(
    sent, undisturbed, tmp_path):
  images, expected = undisturbed
  records = tmp_path / "out" / "records.jsonl"
  process = subprocess.Popen(
      command(images, tmp_path / "out"), stderr=subprocess.PIPE, text=True,
      preexec_fn=allow_interruption)
  while not records.exists() or records.read_bytes().count(b"\n") < 10:
    assert process.poll() is None
    time.sleep(0.01)
  workers = children(process.pid)
  process.send_signal(sent)
  _, said = process.communicate()
  if sent == signal.SIGINT:
    assert process.returncode == 130
    assert said.strip() == "tfcm: interrupted"
  done = records.read_bytes().count(b"\n")
  assert 10 <= done < 2 * 14
  # Its processes end by themselves.
  for _ in range(500):
    alive = [pid for pid in workers if os.path.exists(f"/proc/{pid}/exe")]
    if not alive:
      break
    time.sleep(0.02)
  assert not alive and workers
  subprocess.run(command(images, tmp_path / "out"), check=True)
  assert records.read_bytes().count(b"\n") == 2 * 14
  assert measured(tmp_path / "out") == measured(expected)
  one, other = (
      (folder / "bd.csv").read_text() for folder in (tmp_path / "out", expected))
  assert one == other


def test_a_worker_that_is_killed_leaves_no_program_behind(tmp_path):
  process = worker.Worker(str(tmp_path))
  with pytest.raises(worker.WorkerError, match="CalledProcessError"):
    process.call(subprocess.check_call, ["false"])
  pid = process.call(start_program)
  process.kill()
  for _ in range(500):
    if not os.path.exists(f"/proc/{pid}/exe"):
      return
    time.sleep(0.01)
  raise AssertionError("the program still runs")


def rows(codec, points, images):
  """Returns records of two images, the second in twice the bytes."""
  return [
      {**dict.fromkeys(store.FIELDS), "codec": codec, "setting": setting,
       "image": image, "image_id": images[image]["image_id"], "num_bytes": 1,
       "bpp": rate * (1 + number), "mse": 1.0, "psnr": quality,
       "psnr_y": quality, "ms_ssim": 1 - 10 ** (-quality / 20), "ssim": 0.9,
       "encode_seconds": 1.0, "decode_seconds": 2.0, "peak_mib": 10.0 + number,
       "jobs": 1, "codec_id": codec}
      for setting, (rate, quality) in enumerate(points)
      for number, image in enumerate(images)]


POINTS = [(0.1, 25.0), (0.2, 28.0), (0.4, 31.0), (0.8, 34.0)]


def made_up(folder, images, **codecs):
  found = Store(str(folder))
  found.begin(images, {name: {"codec": name} for name in codecs},
              list(codecs), {"cores": 2})
  for name, points in codecs.items():
    for record in rows(name, points, images):
      found.append(record)
  found.close()
  return found


def test_averages_follow_the_convention(tmp_path):
  images = {name: {"image_id": name} for name in ("a.png", "b.png")}
  found = made_up(tmp_path, images, jpeg=POINTS)
  row = averages(found.records())[0]
  assert row["bpp"] == pytest.approx(0.15) and row["psnr"] == 25.0
  assert row["ms_ssim_db"] == pytest.approx(12.5)
  assert row["peak_mib"] == 11 and row["images"] == 2
  records = found.records()[:2]
  records[0] = {**records[0], "psnr": None, "ms_ssim": None}
  row = averages(records)[0]
  assert row["psnr"] is None  # One image came back exactly.
  assert row["ms_ssim_db"] == pytest.approx(12.5)  # One was too small for it.


def test_the_report_says_all_in_files_and_refuses_in_words(tmp_path):
  images = {name: {"image_id": name} for name in ("a.png", "b.png")}
  report = Report(made_up(
      tmp_path, images, jpeg=POINTS, half=[(r / 2, q) for r, q in POINTS],
      short=POINTS[:3]))
  report.write()
  summary = json.loads((tmp_path / "summary.json").read_text())
  assert "mean over images of the dB values" in summary["convention"]
  by_codec = {
      (row["codec"], row["metric"]): row for row in summary["bd"]}
  half = by_codec["half", "psnr"]
  assert half["bd_rate_percent"] == pytest.approx(-50)
  assert half["image_mean_percent"] == pytest.approx(-50)
  assert half["by_image"].keys() == images.keys()
  assert by_codec["half", "ms_ssim"]["bd_rate_percent"] == pytest.approx(-50)
  assert by_codec["short", "psnr"]["bd_rate_percent"] is None
  page = (tmp_path / "report.md").read_text()
  assert re.search(r"\| half +\| -50.0 +\|", page)
  assert ("- short (PSNR), short (MS-SSIM): the codec has 3 points, 4 are needed"
          in page)
  for name, count in (("averages.csv", 11), ("bd.csv", 4)):
    with open(tmp_path / name) as file:
      assert len(list(csv.DictReader(file))) == count


def test_published_curves_stand_beside_kodak_only(tmp_path):
  images = {name: {"image_id": name} for name in ("a.png", "b.png")}
  found = made_up(tmp_path / "other", images, jpeg=POINTS)
  assert not any(curve.published for curve in Report(found).curves.values())
  with pytest.raises(UsageError, match="the 24 images of Kodak; .* 2 others"):
    Report(found, anchors=["published:vtm"])
  with pytest.raises(UsageError, match="webp: not among the codecs"):
    Report(found, anchors=["webp"])
  kodak = {name: {"image_id": pixels} for name, pixels in
           published._content()["images"].items()}
  report = Report(made_up(tmp_path / "kodak", kodak, jpeg=POINTS))
  assert report.anchors == ["jpeg", "published:tfc/bpg444"]
  assert "published:vtm" in report.curves
  assert "tensorflow/compression results" in report.page()


def test_plots_show_every_curve_by_name(tmp_path):
  from tfc_models.evaluation import plots
  images = {name: {"image_id": name} for name in ("a.png", "b.png")}
  names = [f"codec{number}" for number in range(9)]
  report = Report(made_up(
      tmp_path, images, jpeg=POINTS, **dict.fromkeys(names, POINTS)))
  paths = plots.draw(report, str(tmp_path))
  assert [os.path.basename(path) for path in paths] == [
      "rate_psnr.png", "rate_ms_ssim.png", "rate_decode_seconds.png",
      "per_image.png"]
  for path in paths:
    assert Image.open(path).size == (1125, 900)
    drawn = open(path.replace(".png", ".svg")).read()
    for name in names:
      assert f">{name}</text>" in drawn
  looks = plots._looks(report.curves.values())
  kinds = [(str(look["color"]), look["marker"]) for look in looks.values()]
  assert len(set(kinds)) == len(kinds)
  # The same figures make the same files, also of a selection.
  before = (tmp_path / "rate_psnr.svg").read_bytes()
  plots.draw(report, str(tmp_path))
  assert (tmp_path / "rate_psnr.svg").read_bytes() == before
  with pytest.raises(UsageError, match="no curve called x; there are jpeg"):
    plots.draw(report, str(tmp_path), ["x"])
  assert len(plots.draw(report, str(tmp_path / "one"), ["codec3"])) == 4


def test_the_verbs_evaluate_and_plot(images, tmp_path):
  (images / "170.png").write_bytes(b"no image")
  done = subprocess.run(
      [sys.executable, "-m", "tfc_models", "evaluate", "--codecs",
       "jpeg@20:80:20", "webp@20:80:20,bls2017",
       "cmd:no-such-program {in} {out}", "--jobs=2",
       f"--images={images}/1*.png", f"--output={tmp_path / 'out'}"],
      capture_output=True, text=True)
  assert done.returncode == 1
  lines = done.stderr.splitlines()
  assert lines == [
      "missing: bls2017: no weights are shipped; name a training directory",
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
    (["evaluate", "--codecs=bls2017", "--images=x", "--output=x"],
     "no codec left: bls2017: no weights are shipped"),
    (["plot", "/no/such"], "no records of an evaluation"),
])
def test_requests_without_sense_are_refused(words, reason):
  fails(1, reason, *words)


def test_codecs_and_published_curves_are_listed():
  done = subprocess.run(
      [sys.executable, "-m", "tfc_models", "evaluate", "--list"],
      check=True, capture_output=True, text=True)
  for name in ("tfcm-base", "jpeg2000", "published:paper-mbt2018",
               "bls2017                missing: no weights"):
    assert name in done.stdout
