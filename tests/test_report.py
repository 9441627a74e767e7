"""From records to averages, curves, deltas, plots, and a page."""

import csv
import json
import os
import re

import pytest
from PIL import Image

from tfc_models.errors import UsageError
from tfc_models.evaluation import published, store
from tfc_models.evaluation.report import Report, averages
from tfc_models.evaluation.store import Store


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
