"""The process of the command line: signals, streams, the log."""

import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.conftest import make_image
from tfc_models import bitstream

STREAM = bitstream.write(
    bitstream.Header("tfcm-base", b"1234", 8, 8),
    [bitstream.Chunk(bitstream.LATENT, 0, (b"x",))])
TFCM = [sys.executable, "-m", "tfc_models"]


@pytest.mark.parametrize("jobs, number, code", [
    pytest.param(1, signal.SIGINT, 130, marks=pytest.mark.slow),
    (1, signal.SIGTERM, 143)])
def test_a_signal_ends_a_folder_at_once(
    tmp_path, tiny_weights, jobs, number, code):
  (tmp_path / "in").mkdir()
  for i in range(60):
    Image.fromarray(make_image(256, 256)).save(tmp_path / f"in/{i}.bmp")
  out = tmp_path / "out"
  process = subprocess.Popen(
      [*TFCM, "compress", tmp_path / "in", "-o", out, "--jobs", str(jobs),
       "--model", tiny_weights], stderr=subprocess.PIPE, text=True,
      # A shell that runs the tests in the background has it ignored.
      preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
  while not list(out.glob("*.tfcm")) and process.poll() is None:
    time.sleep(0.01)
  process.send_signal(number)
  start = time.monotonic()
  _, err = process.communicate()
  assert process.returncode == code
  assert err == "tfcm: interrupted\n"
  assert time.monotonic() - start < 5  # A second, on a machine that is idle.
  assert 0 < len(list(out.iterdir())) < 60
  for path in out.iterdir():
    bitstream.read(path.read_bytes())


def test_a_signal_is_an_exception_where_there_is_more_to_tidy():
  """And a second one does not wait for that."""
  done = subprocess.run([sys.executable, "-c", """if True:
      import os, signal
      from tfc_models.cli import console
      console.prepare("evaluate")
      try:
        os.kill(os.getpid(), signal.SIGTERM)
      except KeyboardInterrupt as error:
        print("tidied", error.code, flush=True)
        os.kill(os.getpid(), signal.SIGINT)
      print("not reached")
      """], capture_output=True, text=True, check=False)
  assert (done.returncode, done.stdout) == (130, "tidied 143\n")
  assert done.stderr == "tfcm: interrupted\n"


@pytest.mark.parametrize("words, closed, reason", [
    ("info x.tfcm", ">&-", "tfcm: stdout: Bad file descriptor\n"),
    ("info -", "<&-", "tfcm: <stdin>: Bad file descriptor\n"),
    ("info missing.tfcm", "2>&-", ""),
    ("info missing.tfcm", "<&- >&- 2>&-", "")])
def test_closed_streams_are_one_line(tmp_path, words, closed, reason):
  (tmp_path / "x.tfcm").write_bytes(STREAM)
  done = subprocess.run(
      ["sh", "-c", f"{sys.executable} -m tfc_models {words} {closed}"],
      cwd=tmp_path, capture_output=True, text=True, check=False)
  assert (done.returncode, done.stdout) == (1, "")
  assert done.stderr == reason


def test_names_that_are_no_text_or_act_on_terminals_are_escaped(tmp_path):
  """Also where stdout is strict about what it can say."""
  names = [b"\xff.tfcm", b"\x1b[2J.tfcm", "\u202e.tfcm".encode()]
  for name in names:
    (tmp_path / os.fsdecode(name)).write_bytes(STREAM)
  command = [*TFCM, "verify", *names, b"\x1b]0;x"]
  done = subprocess.run(
      command, cwd=tmp_path, capture_output=True, check=False,
      env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
  assert done.returncode == 1
  assert done.stdout.decode().splitlines() == [
      "\\udcff.tfcm: ok", "\\x1b[2J.tfcm: ok", "\\u202e.tfcm: ok"]
  assert done.stderr == b"tfcm: \\x1b]0;x: No such file or directory\n"


def test_log_lines_are_text_and_warnings_say_so():
  done = subprocess.run([sys.executable, "-c", """if True:
      import logging
      from absl import app
      from tfc_models.cli import console
      console.prepare("train")
      def main(_):
        logging.getLogger("tfc_models.x").info("3 images")
        logging.getLogger("tfc_models.x").warning("skipped: %s", "a\\x1b.png")
        logging.getLogger("tensorflow").warning("5 out of the last 5 calls")
      app.run(main, argv=["tfcm"])
      """], capture_output=True, text=True, check=True)
  assert done.stderr == "3 images\nwarning: skipped: a\\x1b.png\n"
