"""Files that are written as a whole or not at all."""

import contextlib
import csv
import errno
import io
import json
import os
import secrets
import stat
import sys
import threading
import time

from tfc_models.errors import UsageError

# Of files that are being written; a killed process leaves them behind.
TEMPORARY_PREFIX = ".tfcm-"
LEFTOVER_SECONDS = 3600

# Temporary files of this process; None among them: it ends.
_temporaries = []
# Of the thread that holds it already, too: a signal may come at any place.
_lock = threading.RLock()


def read_bytes(path):
  """Returns the content of `path`.

  Raises:
    UsageError: if it cannot be read.
  """
  try:
    with open(path, "rb") as file:
      return file.read()
  except OSError as error:
    raise UsageError(f"{path}: {error.strerror}") from None


def read_stdin():
  """Returns all that comes from stdin.

  Raises:
    UsageError: if it cannot be read.
  """
  try:
    return sys.stdin.buffer.read()
  except OSError as error:
    raise UsageError(f"<stdin>: {error.strerror}") from None


def read_json(path):
  """Returns the content of a JSON file.

  Raises:
    UsageError: if it cannot be read or is no JSON.
  """
  try:
    return json.loads(read_bytes(path))
  except (ValueError, RecursionError) as error:
    raise UsageError(f"{path}: not a JSON file ({error})") from None


def write_json(path, content):
  """Puts `content` at `path` as JSON, replacing what was there."""
  write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path, text):
  """Puts `text` at `path` as UTF-8, replacing what was there.

  Names of files that are not UTF-8 keep their bytes.
  """
  write_atomically(
      path, text.encode("utf-8", "surrogateescape"), overwrite=True)


def write_csv(path, fields, rows):
  """Puts a table at `path`, replacing what was there.

  Args:
    path: of the file.
    fields: names of the columns.
    rows: dicts; what is no field is left out.
  """
  text = io.StringIO()
  writer = csv.DictWriter(
      text, fields, extrasaction="ignore", lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  write_text(path, text.getvalue())


def find_files(folder, extensions, recursive=True):
  """Returns the paths of files below `folder`, those of each folder sorted.

  Pipes and the like are passed over.

  Args:
    folder: path.
    extensions: set of lower case extensions with the dot.
    recursive: whether to go below the first level.
  """
  paths = []
  for place, folders, names in os.walk(folder):
    folders.sort()
    if not recursive:
      folders.clear()
    paths += [
        path for path in (os.path.join(place, name) for name in sorted(names))
        if os.path.splitext(path)[1].lower() in extensions
        and not _is_special(path)]
  return paths


def check_output(path, overwrite):
  """Raises UsageError unless `write_atomically` may put something at `path`."""
  try:
    mode = os.stat(path).st_mode
  except OSError:
    return  # Nothing there, or writing will tell.
  if _takes_bytes(mode):
    return
  if not stat.S_ISREG(mode):
    raise UsageError(f"{path}: not a regular file, it stays as it is")
  if not overwrite:
    raise UsageError(f"{path}: exists already", argument="overwrite")


def write_pieces(file, data):
  """Writes bytes, or all that an iterable of bytes yields, to an open file."""
  for piece in [data] if isinstance(data, (bytes, memoryview)) else data:
    file.write(piece)


def write_atomically(path, data, overwrite=False):
  """Puts `data`, see `write_pieces`, at `path`; missing folders are made.

  The bytes go to a temporary file in the same folder that is then renamed, so
  no reader ever sees a part of them, and of two writers that do not overwrite one
  succeeds. A symbolic link stays one: what it points to is written. Devices like
  /dev/null and named pipes take the bytes, whether to overwrite or not; other
  special files, and folders, are refused.

  Raises:
    UsageError: if `path` exists and `overwrite` is false, or on I/O errors.
  """
  try:
    check_output(path, overwrite)
    if os.path.exists(path) and _takes_bytes(os.stat(path).st_mode):
      with open(path, "wb") as file:
        write_pieces(file, data)
      return
    target = os.path.realpath(path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with _temporary(os.path.dirname(target), data) as temporary:
      if overwrite:
        os.replace(temporary, target)
      else:
        _rename_new(temporary, target)
  except FileExistsError:
    raise UsageError(f"{path}: exists already", argument="overwrite") from None
  except OSError as error:
    raise UsageError(f"{path}: {error.strerror}") from None


def remove_leftovers(folder):
  """Removes what killed processes were writing into a folder.

  Files younger than `LEFTOVER_SECONDS` stay: another process may be at them.
  """
  with contextlib.suppress(OSError):
    for entry in os.scandir(folder):
      if entry.name.startswith(TEMPORARY_PREFIX) and is_leftover(entry.path):
        with contextlib.suppress(OSError):
          os.unlink(entry.path)


def is_leftover(path):
  """Returns whether nobody has written to a temporary file for long."""
  try:
    return time.time() - os.lstat(path).st_mtime > LEFTOVER_SECONDS
  except OSError:
    return False


def stop_writing():
  """Removes the temporary files of this process, which ends now; none follow."""
  with _lock:
    _temporaries.append(None)
    for path in filter(None, _temporaries):
      with contextlib.suppress(OSError):
        os.unlink(path)


@contextlib.contextmanager
def _temporary(folder, data):
  """Yields the path of a file of `data`, on the disk, which is then removed.

  Not by `tempfile`: the system applies the umask to files that are opened with
  the usual mode, while reading it sets it, for other threads too.
  """
  path = os.path.join(folder, TEMPORARY_PREFIX + secrets.token_hex(8))
  with _lock:
    if None in _temporaries:
      raise InterruptedError(errno.EINTR, "interrupted")
    _temporaries.append(path)
  try:
    with open(path, "xb") as file:
      write_pieces(file, data)
      file.flush()
      os.fsync(file.fileno())
    yield path
  finally:
    with contextlib.suppress(OSError):
      os.unlink(path)
    with _lock:
      _temporaries.remove(path)


def _rename_new(temporary, target):
  """Gives a file the name `target`; raises FileExistsError if that is taken."""
  try:
    os.link(temporary, target)
  except FileExistsError:
    raise
  except OSError:
    # No hard links there. The first to make an empty file may replace it.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    os.replace(temporary, target)


def _is_special(path):
  """Returns whether reading `path` may wait for ever, as of a named pipe."""
  try:
    return not stat.S_ISREG(os.stat(path).st_mode)
  except OSError:
    return False  # Reading will tell.


def _takes_bytes(mode):
  """Returns whether a file of that mode is written into, not replaced."""
  return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)
