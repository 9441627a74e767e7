"""Commands in the documents run, or are at least ones that exist; links lead on.

A block of commands or of Python runs in a folder with small pictures, unless one of
`MARKS` stands in front of it; then its arguments are parsed.
"""

import argparse
import glob
import importlib
import importlib.util
import pathlib
import re
import shlex
import textwrap

import pytest
from PIL import Image

from tests.conftest import make_image
from tests.test_cli import tfcm
from tfc_models import configs, registry
from tfc_models.cli import main as cli
from tfc_models.cli import train
from tfc_models.codecs import lineup

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted(
    str(path.relative_to(ROOT)) for pattern in ("*.md", "data/*.md", "docs/*.md")
    for path in ROOT.glob(pattern))
MARKS = ("needs data", "long")
BLOCK = re.compile(
    r"^( *)(?:<!-- ([^\n]*) -->\n *)?```(sh|python)\n(.*?)^ *```$",
    re.MULTILINE | re.DOTALL)


def blocks(page):
  """Yields mark, language and text of the blocks of a page."""
  for _, mark, language, text in BLOCK.findall((ROOT / page).read_text()):
    yield mark, language, textwrap.dedent(text)


def commands(text):
  """Yields the words of each command, as a shell would part them."""
  for line in text.replace("\\\n", " ").splitlines():
    if words := shlex.split(line, comments=True):
      yield words


def tfcm_exists(words):
  try:
    arguments = cli.parse(words)
  except SystemExit as stop:
    raise AssertionError(f"{shlex.join(words)}: exit code {stop.code}") from None
  if overrides := getattr(arguments, "overrides", None):
    recipe = getattr(arguments, "config", None) or "tfcm_base"
    train.override(configs.get(recipe), overrides)
  if arguments.verb == "evaluate":
    lineup.parse(arguments.codecs or [])


def python_exists(words):
  if words[1] == "-m":
    assert importlib.util.find_spec(words[2]), words[2]
  else:
    assert list(ROOT.glob(f"tfc_models/**/{pathlib.Path(words[1]).name}")), words[1]


def make_exists(words):
  targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
  assert set(words[1:]) <= set(targets), words


def deploy_exists(words):
  """Of docker and kubectl: the files, folders and stages that they name."""
  for option, value in zip(words, words[1:]):
    if option in ("-f", "-k"):
      assert (ROOT / value).exists(), value
    if option == "--target":
      path = ROOT / words[words.index("-f") + 1]
      assert f" AS {value}\n" in path.read_text(), value


EXISTS = {"tfcm": tfcm_exists, "python": python_exists, "make": make_exists,
          "docker": deploy_exists, "kubectl": deploy_exists,
          "curl": lambda words: None, "tensorboard": lambda words: None}


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """The current folder, where pictures stand in for those that documents name."""
  monkeypatch.chdir(tmp_path)
  for number, name in enumerate(
      ["photo.jpg", "photos/a.jpg", "photos/below/b.png"]):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.fromarray(make_image(40, 56, seed=number)).save(name)
  before = registry.names()
  yield tmp_path
  for name in set(registry.names()) - set(before):
    registry.unregister(name)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_that_exists(page):
  for mark, language, text in blocks(page):
    assert mark in ("", *MARKS)
    if language == "python":
      compile(text, page, "exec")
    else:
      for words in commands(text):
        assert words[0] in EXISTS, words
        EXISTS[words[0]](words)


@pytest.mark.parametrize("page", [
    page for page in PAGES if any(not mark for mark, *_ in blocks(page))])
def test_blocks_without_a_mark_run(page, folder):
  for mark, language, text in blocks(page):
    if mark:
      continue
    if language == "python":
      exec(compile(text, page, "exec"), {"__name__": page})
      continue
    for program, *words in commands(text):
      if program == "tfcm":
        words = [path for word in words for path in glob.glob(word) or [word]]
        code, _, err = tfcm(*words)
        assert code == 0, f"{shlex.join(words)}: {err}"


def known_flags():
  """Returns the flags of all verbs and of the runner of bundles."""
  flags = set(re.findall(r"--[\w-]+", (
      ROOT / "tfc_models/bundles/run_bundle.py").read_text()))
  for verb in cli.VERBS:
    parser = argparse.ArgumentParser()
    importlib.import_module(f"tfc_models.cli.{verb}").add_arguments(parser)
    flags.update(parser._option_string_actions)
  return flags


@pytest.mark.parametrize("page", PAGES)
def test_every_flag_in_the_text_is_one(page):
  text = BLOCK.sub("", (ROOT / page).read_text())
  known = known_flags()
  for flag in re.findall(r"(?<![\w-])--[a-z][\w.-]*\w", text):
    if flag.startswith("--config."):
      section = configs.get("mbt2018_mean" if ".rates." in flag else "tfcm_base")
      for key in flag.split(".")[1:]:
        section = section[key]
    else:
      assert flag in known, flag


def headings(path):
  """Returns the anchors of a page, as hosts of Markdown make them."""
  return {
      re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
      for line in path.read_text().splitlines() if line.startswith("#")}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
  for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
    if target.startswith("http"):
      continue
    path, _, anchor = target.partition("#")
    path = (ROOT / page).parent / path if path else ROOT / page
    assert path.exists(), target
    assert not anchor or anchor in headings(path), target


@pytest.mark.parametrize("page, beginning", [
    ("README.md", "|"), ("docs/MODELS.md", "#")])
def test_every_model_is_described(page, beginning):
  """By a heading, or a row of a table, that names it, alone or with variants."""
  first_cells = [
      line.strip(f"{beginning} ").split("|")[0]
      for line in (ROOT / page).read_text().splitlines() if line.startswith(beginning)]
  for recipe in configs.names():
    name = recipe.replace("_", "-")
    assert any(f"`{name}`" in cell for cell in first_cells), name


def test_the_readme_is_short_and_names_every_page():
  text = (ROOT / "README.md").read_text()
  # The table of models grows with them.
  assert len([line for line in text.splitlines() if not line.startswith("| `")]) <= 158
  for page in PAGES:
    if page.startswith("docs/"):
      assert f"({page})" in text, page
