"""Folders of bundles: what is replaced, read and left alone."""

import json
import os

import numpy as np
import pytest

from tests.test_bundles import recipe
from tests.test_cli import fails
from tfc_models import bundles, configs
from tfc_models.bundles import folder, run_bundle
from tfc_models.cli import main as cli
from tfc_models.cli import train as cli_train
from tfc_models.errors import UsageError


@pytest.mark.parametrize("meta", [
    None, "{}", "[]", "{", '{"my": "dataset"}',
    '{"captured": [], "updates": {}, "files": ["meta.json", "images/mine.jpg"]}',
    '{"captured": [], "updates": {}, "files": ["meta.json", "../mine.jpg"]}'])
def test_a_folder_that_is_no_bundle_is_left_alone(photos, tmp_path, meta):
  (tmp_path / "images").mkdir()
  (tmp_path / "images/mine.jpg").write_bytes(b"mine")
  if meta is not None:
    (tmp_path / "meta.json").write_text(meta)
  before = sorted(p.name for p in tmp_path.rglob("*"))
  with pytest.raises(UsageError, match="images/mine.jpg.; another folder keeps"):
    bundles.export(str(tmp_path), *recipe("tfcm_base", photos))
  assert sorted(p.name for p in tmp_path.rglob("*")) == before
  assert (tmp_path / "images/mine.jpg").read_bytes() == b"mine"


def files_below(path):
  return {str(p.relative_to(path)): p.read_bytes()
          for p in path.rglob("*") if p.is_file()}


def write_bundle(path, content):
  """Writes what is a bundle to `bundles.folder`, with one image."""
  with folder.replaced(str(path)) as fresh:
    os.mkdir(os.path.join(fresh, "images"))
    names = ["images/000000.jpg", "run_bundle.py", "meta.json"]
    for name in names[:2]:
      with open(os.path.join(fresh, name), "w") as file:
        file.write(content)
    with open(os.path.join(fresh, "meta.json"), "w") as file:
      json.dump({"captured": [], "updates": {}, "files": names}, file)


def test_a_bundle_is_replaced_as_a_whole_or_not_at_all(tmp_path):
  path = tmp_path / "bundle"
  with pytest.raises(KeyError), folder.replaced(str(path)):
    raise KeyError
  assert not path.exists()
  write_bundle(path, "one")
  (path / "__pycache__").mkdir()
  (path / "__pycache__/patches.cpython-311.pyc").write_bytes(b"")
  before = files_below(path)
  assert before["images/000000.jpg"] == b"one" and len(before) == 4
  folder.check(str(path))
  with pytest.raises(KeyError), folder.replaced(str(path)) as fresh:
    open(os.path.join(fresh, "meta.json"), "w").close()
    raise KeyError
  assert files_below(path) == before
  write_bundle(path, "two")
  after = files_below(path)
  assert after["run_bundle.py"] == b"two" and len(after) == 3
  assert not [p for p in path.iterdir() if p.name.startswith(".")]
  # What came beside it since is not of the bundle, wherever it is.
  for name in ("images/mine.jpg", "notes.txt"):
    (path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"other files .* .{name}.; another"):
      write_bundle(path, "three")
    assert files_below(path) == {**after, name: b"mine"}
    (path / name).unlink()


def test_a_bundle_is_not_made_from_images_inside_its_folder(tmp_path):
  (tmp_path / "link").symlink_to(tmp_path)
  folder.check_source(str(tmp_path / "bundle"), [str(tmp_path / "bundle.jpg")])
  with pytest.raises(UsageError, match="which the bundle is to be made from"):
    folder.check_source(
        str(tmp_path), [str(tmp_path / "link/images/000000.jpg")])


@pytest.mark.parametrize("change, reason", [
    ({"shards": ["../x.npz"]}, "not of a bundle's run"),
    ({"shards": [1]}, "not of a bundle's run"),
    ({"shards": ["x.npz"]}, "x.npz: not a npz file"),
    ({"step": "many"}, "not of a bundle's run"),
    ({"figures": {"loss": None}}, "not of a bundle's run"),
    ({"config": []}, "not a stored recipe"),
])
def test_results_of_others_are_read_with_doubt(
    photos, tmp_path, change, reason):
  name, arguments, data, train = recipe("tfcm_base", photos)
  out = tmp_path / "out"
  out.mkdir()
  (out / "x.npz").write_bytes(b"PK")
  (out / "results.json").write_text(json.dumps({
      "step": 1, "seconds": 1.0, "figures": {}, "shards": [], "config": {
          "model": {"name": name, "arguments": arguments},
          "data": vars(data), "train": vars(train)}, **change}))
  fails(1, reason, "train", "--import_bundle", out, "--train_dir",
        tmp_path / "back")


def test_results_of_others_do_not_say_what_is_fetched(tmp_path):
  config = configs.get("tfcm_base:tiny")
  config.data.download = True
  (tmp_path / "results.json").write_text(json.dumps({"config": {
      "model": config.model.to_dict(), "data": config.data.to_dict(),
      "train": config.train.to_dict()}}))
  arguments = cli.parse([
      "tfcm", "train", f"--import_bundle={tmp_path}", "--train_dir=x"])
  assert not cli_train._recipe(arguments).data.download


def test_shards_put_weights_first_and_leave_out_what_does_not_fit():
  state = {
      "model/a": np.zeros(100), "model/b": np.zeros(100),
      "optimizer/0": np.zeros(100), "average/a": np.zeros(100),
      "control/step": np.zeros(1)}
  parts, complete = run_bundle.shards(state, limit=1000, most=4)
  assert [list(part) for part in parts] == [
      ["model/a"], ["model/b"], ["average/a"], ["optimizer/0"]]
  assert complete
  parts, complete = run_bundle.shards(state, limit=1700, most=2)
  assert [list(part) for part in parts] == [["model/a", "model/b"], ["average/a"]]
  assert not complete
