"""The zoo command: trains a plan, measures, refreshes all that speaks of it."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import pretrained, registry, zoo
from tfc_models.codecs import StreamDecoder
from tfc_models.weight_info import read_info

PLAN = [
    {"name": "tfcm-base", "quality": 10, "config": "tfcm_base:tiny",
     "overrides": {"train.lmbda": 0.002}, "data": "made in code"},
    {"name": "tfcm-base", "quality": 60, "config": "tfcm_base:tiny",
     "overrides": {"train.lmbda": 0.02}, "data": "made in code"},
]
PROGRESSIVE = {
    "name": "toderici2016-fc", "quality": 100, "config": "toderici2016:fc-residual-tiny",
    "overrides": {"train.weight_bits": 8}, "data": "made in code"}


@pytest.fixture
def places(tmp_path):
  (tmp_path / "photos").mkdir()
  for i in range(3):
    Image.fromarray(make_image(180, 192, seed=i)).save(
        tmp_path / "photos" / f"{i}.png")
  (tmp_path / "root/tfc_models/pretrained").mkdir(parents=True)
  kept = {"name": "other", "quality": 5, "lmbda": 1, "bytes": 2**20, "kodak": {
      "bpp": 1, "psnr": 2, "ms_ssim": 0.5, "jpeg_psnr": 3, "jpeg_ms_ssim": 0.4}}
  (tmp_path / "root/tfc_models/pretrained/manifest.json").write_text(
      json.dumps({"weights": [kept]}))
  (tmp_path / "root/docs").mkdir()
  (tmp_path / "root/docs/WEIGHTS.md").write_text(
      "before\n\n| name | quality | old |\n|---|\n| x | 1 |\n\nafter\n")
  (tmp_path / "plan.json").write_text(json.dumps(PLAN))
  return tmp_path


@pytest.mark.slow
def test_a_plan_becomes_weights_figures_table_and_streams(
    places, monkeypatch, capsys):
  photos = str(places / "photos")
  words = ["zoo", places / "plan.json", "--work_dir", places / "work",
           "--images", photos, "--root", places / "root", "--minutes", "3",
           f"--config.data.train={photos}"]
  code, out, err = tfcm(*words)
  assert code == 0, err
  folder = places / "root/tfc_models/pretrained"
  entries = json.loads((folder / "manifest.json").read_text())["weights"]
  assert [(e["name"], e["quality"]) for e in entries] == [
      ("other", 5), ("tfcm-base", 10), ("tfcm-base", 60)]
  for entry in entries[1:]:
    info = read_info(str(folder / entry["file"]))
    assert info["fingerprint"] == entry["fingerprint"] and entry["steps"] == 4
    assert entry["lmbda"] == entry["overrides"]["train.lmbda"]
  assert entries[1]["kodak"]["bpp"] < entries[2]["kodak"]["bpp"]
  page = (places / "root/docs/WEIGHTS.md").read_text()
  assert page == f"before\n\n{zoo.table(entries)}\n\nafter\n"
  assert "| other | 5 | 1.000 | 2.00 | 0.5000 | 3.00 | 0.4000 | 1 | 1.0 |" in out + page
  monkeypatch.setenv("TFCM_MODEL_PATH", str(folder))
  golden = places / "root/tests/golden/tfcm-base-q60/stream.tfcm"
  assert StreamDecoder().decode(golden.read_bytes()).shape == (160, 160, 3)
  again = tfcm(*words[:4], f"--config.data.train={photos}")
  assert again[0] == 0 and again[1].count(": finished") == 2


@pytest.mark.slow
def test_a_progressive_model_has_one_file_and_a_curve(places):
  photos = str(places / "photos")
  (places / "plan.json").write_text(json.dumps([PROGRESSIVE]))
  page = places / "root/docs/WEIGHTS.md"
  page.write_text(page.read_text() + "\n| name | iterations | old |\n\nend\n")
  code, _, err = tfcm(
      "zoo", places / "plan.json", "--work_dir", places / "work", "--images", photos,
      "--root", places / "root", f"--config.data.train={photos}")
  assert code == 0, err
  folder = places / "root/tfc_models/pretrained"
  entry = json.loads((folder / "manifest.json").read_text())["weights"][1]
  curve = entry["kodak"]["curve"]
  assert {len(values) for values in curve.values()} == {3}
  assert curve["bpp"][-1] == entry["kodak"]["bpp"] > curve["bpp"][0]
  assert curve["psnr"][-1] == entry["kodak"]["psnr"]
  with np.load(folder / entry["file"]) as arrays:
    assert any(name.endswith(":codes") for name in arrays.files)
  assert f"| toderici2016-fc | 2 | {curve['bpp'][1]:.3f} | {curve['psnr'][1]:.2f} |" in (
      page.read_text())


def test_the_plan_still_means_the_shipped_weights():
  """Recipes may change; what a file was trained with then stands in the plan."""
  manifest = {(e["name"], e["quality"]): e for e in pretrained.manifest()}
  plan = zoo.read_plan(pathlib.Path(__file__).parents[1] / "data" / "zoo.json")
  assert {(entry.name, entry.quality) for entry in plan} == manifest.keys()
  for entry in plan:
    shipped = manifest[entry.name, entry.quality]
    assert entry.overrides == shipped["overrides"], entry.file
    wanted = zoo._config(entry).model.arguments.to_dict()
    # An argument that is younger than a file has its default there.
    given = registry.complete(zoo._config(entry).model.name, shipped["arguments"])
    assert wanted == {name: given[name] for name in wanted}, entry.file


@pytest.mark.parametrize("plan, reason", [
    ("[]", "a plan is a JSON list"),
    ("{", "not a JSON file"),
    (json.dumps([{"name": "tfcm-base"}]), "an entry has the keys"),
    (json.dumps([{**PLAN[0], "overrides": {"train.lambda": 1}}]),
     "no key 'train.lambda'"),
    (json.dumps([{**PLAN[0], "config": "nothing"}]), "no such recipe"),
])
def test_plans_that_cannot_work_are_refused(places, plan, reason):
  (places / "plan.json").write_text(plan)
  fails(1, reason, "zoo", places / "plan.json", "--work_dir", places / "work")
