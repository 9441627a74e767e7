"""Files that are written as a whole or not at all."""

import contextlib
import json
import os
import tempfile

from tfc_models.errors import UsageError

# Of files that are being written; a killed process leaves them behind.
TEMPORARY_PREFIX = ".tfcm-"


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


def read_json(path):
  """Returns the content of a JSON file.

  Raises:
    UsageError: if it cannot be read or is no JSON.
  """
  try:
    return json.loads(read_bytes(path))
  except ValueError as error:
    raise UsageError(f"{path}: not a JSON file ({error})") from None


def write_json(path, content):
  """Puts `content` at `path` as JSON, replacing what was there."""
  text = json.dumps(content, indent=2) + "\n"
  write_atomically(path, text.encode(), overwrite=True)


def find_files(folder, extensions, recursive=True):
  """Returns the paths of files below `folder`, those of each folder sorted.

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
        os.path.join(place, name) for name in sorted(names)
        if os.path.splitext(name)[1].lower() in extensions]
  return paths


def write_atomically(path, data, overwrite=False):
  """Puts `data` at `path`; missing folders are made.

  The bytes go to a temporary file in the same folder that is then renamed, so
  no reader ever sees a part of them.

  Raises:
    UsageError: if `path` exists and `overwrite` is false, or on I/O errors.
  """
  folder = os.path.dirname(os.path.abspath(path))
  try:
    if not overwrite and os.path.exists(path):
      raise UsageError(f"{path}: exists already; --overwrite replaces it")
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=TEMPORARY_PREFIX)
    try:
      with os.fdopen(handle, "wb") as file:
        file.write(data)
      os.chmod(temporary, 0o666 & ~_umask())
      os.replace(temporary, path)
    except BaseException:
      with contextlib.suppress(OSError):
        os.unlink(temporary)
      raise
  except OSError as error:
    raise UsageError(f"{path}: {error.strerror}") from None


def _umask():
  """Returns the process' umask, which can only be read by setting it."""
  mask = os.umask(0o077)
  os.umask(mask)
  return mask
