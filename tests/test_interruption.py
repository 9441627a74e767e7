"""Evaluations that are interrupted leave nothing behind, and go on."""

import contextlib
import csv
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.conftest import make_image
from tests.faulty import start_program
from tfc_models.evaluation import worker


def measured(folder):
  """Returns what an evaluation measured, less what varies by the clock."""
  with open(folder / "records.csv") as file:
    return [
        {name: value for name, value in row.items()
         if "seconds" not in name and name != "peak_mib"}
        for row in csv.DictReader(file)]


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


@pytest.mark.slow
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
