"""Files: whole or not at all, and nothing replaced that nobody asked for."""

import multiprocessing
import os
import stat
import subprocess
import sys
import threading
import time

import pytest

from tfc_models import fileio
from tfc_models.errors import UsageError
from tfc_models.fileio import write_atomically


def test_existing_files_are_kept_unless_told(tmp_path):
  path = tmp_path / "below" / "x"
  write_atomically(path, b"one")
  with pytest.raises(UsageError, match="x: exists already") as raised:
    write_atomically(path, b"two")
  assert raised.value.argument == "overwrite"
  write_atomically(path, b"two", overwrite=True)
  assert path.read_bytes() == b"two"
  assert os.listdir(path.parent) == ["x"]


@pytest.mark.skipif(os.name != "posix", reason="umask")
def test_new_files_have_the_mode_that_the_umask_gives(tmp_path):
  before = os.umask(0o027)
  try:
    write_atomically(tmp_path / "x", b"")
  finally:
    os.umask(before)
  assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
  (tmp_path / "there").mkdir()
  (tmp_path / "link").symlink_to("there/x")
  write_atomically(tmp_path / "link", b"one")
  assert (tmp_path / "there/x").read_bytes() == b"one"
  with pytest.raises(UsageError, match="link: exists already"):
    write_atomically(tmp_path / "link", b"two")
  write_atomically(tmp_path / "link", b"two", overwrite=True)
  assert (tmp_path / "link").is_symlink()
  assert (tmp_path / "there/x").read_bytes() == b"two"


@pytest.mark.parametrize("overwrite", [False, True])
def test_pipes_take_the_bytes_and_stay(tmp_path, overwrite):
  path = tmp_path / "pipe"
  os.mkfifo(path)
  seen = []
  reader = threading.Thread(target=lambda: seen.append(path.read_bytes()))
  reader.start()
  write_atomically(path, b"data", overwrite)
  reader.join()
  assert seen == [b"data"] and path.is_fifo()
  write_atomically(os.devnull, b"data", overwrite)
  assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_other_special_files_are_refused(tmp_path, monkeypatch):
  import socket
  with socket.socket(socket.AF_UNIX) as server:
    monkeypatch.chdir(tmp_path)  # Names of sockets are short.
    server.bind("socket")
    for path in ("socket", "."):
      with pytest.raises(UsageError, match="not a regular file"):
        write_atomically(path, b"data", overwrite=True)
    assert stat.S_ISSOCK(os.stat("socket").st_mode)


def race(folder, count, barrier, results):
  for number in range(count):
    barrier.wait()
    try:
      write_atomically(os.path.join(folder, str(number)), b"x")
      results.put(number)
    except UsageError:
      pass
  results.put(None)


@pytest.mark.parametrize("links", [True, False])
def test_of_two_writers_of_one_file_exactly_one_succeeds(
    tmp_path, monkeypatch, links):
  if not links:
    def refuse(*_):
      raise PermissionError
    monkeypatch.setattr(os, "link", refuse)
  context = multiprocessing.get_context("fork")
  barrier, results = context.Barrier(2), context.SimpleQueue()
  writers = [context.Process(target=race, args=(
      str(tmp_path), 100, barrier, results)) for _ in range(2)]
  for writer in writers:
    writer.start()
  done, ended = [], 0
  while ended < 2:
    number = results.get()
    ended += number is None
    done += [] if number is None else [number]
  for writer in writers:
    writer.join()
  assert sorted(done) == list(range(100))
  assert len(os.listdir(tmp_path)) == 100


def test_leftovers_are_removed_when_nobody_can_be_at_them(tmp_path):
  old, new = (tmp_path / f"{fileio.TEMPORARY_PREFIX}{n}" for n in "ab")
  old.write_text("half")
  new.write_text("half")
  long_ago = time.time() - fileio.LEFTOVER_SECONDS - 10
  os.utime(old, (long_ago, long_ago))
  (tmp_path / "mine").write_text("mine")
  os.utime(tmp_path / "mine", (long_ago, long_ago))
  fileio.remove_leftovers(tmp_path)
  assert sorted(os.listdir(tmp_path)) == [new.name, "mine"]


def test_a_process_that_ends_leaves_no_temporary_file(tmp_path):
  """In a process of its own, which then writes no more."""
  done = subprocess.run([sys.executable, "-c", """if True:
      import os, sys
      from tfc_models import errors, fileio
      with fileio._temporary(sys.argv[1], b"half"):
        assert len(os.listdir(sys.argv[1])) == 1
        fileio.stop_writing()
        assert not os.listdir(sys.argv[1])
      try:
        fileio.write_atomically(os.path.join(sys.argv[1], "x"), b"late")
      except errors.UsageError as error:
        print(error)
      """, tmp_path], check=False, capture_output=True, text=True)
  assert "x: interrupted" in done.stdout, done.stderr
  assert not os.listdir(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100000, "{", "\xff"])
def test_what_is_no_json_is_said_to_be_none(tmp_path, text):
  (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
  with pytest.raises(UsageError, match="x.json: not a JSON file"):
    fileio.read_json(tmp_path / "x.json")
