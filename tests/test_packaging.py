"""The wheel works outside the checkout, tables say what was measured."""

import csv
import math
import os
import re
import subprocess
import sys
import sysconfig

import pytest

from tests import wheels
from tests.wheels import ROOT
from tfc_models.cli.main import VERBS


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
  """An environment with the wheel and, by path, its dependencies only."""
  folder = tmp_path_factory.mktemp("wheel")
  wheel = wheels.build(folder)
  subprocess.run(
      [sys.executable, "-m", "venv", "--without-pip", folder / "env"],
      check=True)
  python = folder / "env" / "bin" / "python"
  subprocess.run(
      [*wheels.PIP, "--python", python, "install", "--no-deps", wheel], check=True)
  # A path line does not process the editable install's own .pth files.
  site = next((folder / "env" / "lib").glob("python*/site-packages"))
  (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
  return folder / "env" / "bin", site


def run(command, cwd, **options):
  environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
  return subprocess.run(
      command, cwd=cwd, env=environment, check=True, capture_output=True,
      **options).stdout


def test_the_wheel_holds_weights_recipes_and_format(installed, tmp_path):
  binaries, site = installed
  where = run([binaries / "python", "-c",
               "import tfc_models; print(tfc_models.__file__)"], tmp_path)
  assert where.decode().startswith(str(site))
  package = site / "tfc_models"
  assert (package / "bitstream" / "FORMAT.md").exists()
  assert (package / "configs" / "tfcm_base.py").exists()
  assert list((package / "pretrained").glob("*.npz"))


def test_the_description_has_no_links_that_lead_nowhere(installed):
  """The page of a package index shows it, without the files beside it."""
  _, site = installed
  (metadata,) = site.glob("tfc_models-*/METADATA")
  text = metadata.read_text()
  assert "## Two commands" in text and "docs/OVERVIEW.md" in text
  assert all(target.startswith("http")
             for target in re.findall(r"\]\((.*?)\)", text))


def test_the_wheel_codes_outside_the_checkout(installed, tmp_path):
  from PIL import Image

  from tests.conftest import make_image
  binaries, _ = installed
  Image.fromarray(make_image(40, 50)).save(tmp_path / "photo.png")
  assert b"photo.tfcm" in run([binaries / "tfcm", "compress", "photo.png"], tmp_path)
  assert b"tfcm-flex" in run([binaries / "tfcm", "info", "photo.tfcm"], tmp_path)
  run([binaries / "tfcm", "decompress", "photo.tfcm", "-o", "out.png"], tmp_path)
  assert Image.open(tmp_path / "out.png").size == (50, 40)


def test_each_verb_has_a_wrapper():
  wrappers = {path.stem: path for path in (ROOT / "bin").glob("*.py")}
  assert wrappers.keys() == VERBS.keys()
  for verb, path in wrappers.items():
    out = run([sys.executable, path, "--help"], ROOT)
    assert f"tfcm {verb}".encode() in out


def test_the_table_of_weights_is_the_manifest():
  from tfc_models import pretrained
  text = (ROOT / "docs" / "WEIGHTS.md").read_text()
  for entry in pretrained.manifest():
    kodak = entry["kodak"]
    row = (f"| {entry['name']} | {entry['quality']} | {kodak['bpp']:.3f} | "
           f"{kodak.get('psnr', math.inf):.2f} | {kodak['ms_ssim']:.4f} |")
    assert row in text
    curve = kodak.get("curve", {"bpp": []})
    labels = curve.get("quality", range(1, len(curve["bpp"]) + 1))
    for label, bpp, psnr in zip(labels, curve["bpp"], curve.get("psnr", ())):
      if "quality" in curve or label in (1, 16):
        assert f"| {entry['name']} | {label} | {bpp:.3f} | {psnr:.2f} |" in text


@pytest.mark.parametrize(
    "page, count", [("README.md", 7), ("docs/EVALUATION.md", 17)])
def test_the_comparison_is_the_measured_one(page, count):
  with open(ROOT / "data" / "kodak" / "bd.csv") as file:
    measured = {
        (row["anchor"], row["codec"], row["metric"]): row
        for row in csv.DictReader(file)}
  text = (ROOT / page).read_text()
  table = text[text.index("| codec | BD-rate PSNR against JPEG"):]
  rows = [
      [cell.strip() for cell in line.strip("|").split("|")]
      for line in table[:table.index("\n\n")].splitlines()[2:]]
  assert len(rows) == count
  for codec, psnr, each, bpg, ms_ssim, *_ in rows:
    for cell, anchor, metric in [
        (psnr, "jpeg", "psnr"), (bpg, "published:tfc/bpg444", "psnr"),
        (ms_ssim, "jpeg", "ms_ssim")]:
      row = measured.get((anchor, codec, metric))
      expected = row["bd_rate_percent"] if row else ""
      assert cell == (f"{float(expected):+.1f}" if expected else "-"), codec
    row = measured.get(("jpeg", codec, "psnr"))
    if each != "-":
      assert each == (f"{float(row['image_min_percent']):+.0f} to "
                      f"{float(row['image_max_percent']):+.0f}")
