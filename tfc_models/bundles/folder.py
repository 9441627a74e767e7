"""The folder of a bundle: known by its content, replaced as a whole."""

import contextlib
import os
import re
import shutil
import tempfile

from tfc_models.bundles import run_bundle
from tfc_models.errors import UsageError
from tfc_models.fileio import TEMPORARY_PREFIX, read_json

# Key of the meta file: the files of the bundle, names below its folder.
FILES = "files"

# Of these names only a bundle's files are, whatever its meta file lists.
_IMAGE = re.compile(re.escape(run_bundle.IMAGE_DIR) + r"/\d{6,}\.jpg")
_NAME = re.compile(r"[\w-]+\.(hlo|npz|json|py)")
# Python leaves it where `run_bundle.py` has run.
_CACHE = re.compile(r"__pycache__/[\w.-]+\.pyc")


def listed(folder):
  """Returns the names of all files below a folder, sorted, with / between.

  Leftovers of a killed export are not among them.
  """
  names = []
  for place, folders, files in os.walk(folder):
    folders[:] = [name for name in folders
                  if not name.startswith(TEMPORARY_PREFIX)]
    below = os.path.relpath(place, folder).replace(os.sep, "/")
    names += [
        name if below == "." else f"{below}/{name}" for name in (
            *files, *(name for name in folders
                      if os.path.islink(os.path.join(place, name))))]
  return sorted(names)


def check(folder):
  """Raises UsageError unless a bundle may be written to `folder`.

  It may where nothing is, and where nothing is but a bundle, which is known by
  the list of its files; whatever else is there would be lost.
  """
  if not os.path.lexists(folder):
    return
  if not os.path.isdir(folder):
    raise UsageError(f"{folder}: not a folder")
  own = _files_of_bundle(folder)
  for name in listed(folder):
    if name in own or own and _CACHE.fullmatch(name):
      continue
    what = "other files than its bundle's" if own else "files, and no bundle"
    raise UsageError(
        f"{folder}: holds {what} ({name}); another folder keeps them safe")


def check_source(folder, paths):
  """Raises UsageError if one of `paths`, images to take, lies in `folder`."""
  inside = os.path.join(os.path.realpath(folder), "")
  for path in paths:
    if os.path.realpath(path).startswith(inside):
      raise UsageError(
          f"{folder}: holds {path}, which the bundle is to be made from; "
          "another folder keeps it safe")


@contextlib.contextmanager
def replaced(folder):
  """Yields an empty folder whose content takes the place of that of `folder`.

  Until the block has ended without an exception nothing of an older bundle is
  touched; the meta file leaves first and comes last.
  """
  new_folder = not os.path.exists(folder)
  try:
    os.makedirs(folder, exist_ok=True)
    scratch = tempfile.mkdtemp(dir=folder, prefix=TEMPORARY_PREFIX)
  except OSError as error:
    raise UsageError(f"{folder}: {error.strerror}") from None
  fresh, old = os.path.join(scratch, "new"), os.path.join(scratch, "old")
  os.mkdir(fresh)
  os.mkdir(old)
  try:
    yield fresh
    # Once more: what came meanwhile stays.
    check(folder)
    for name in _meta_last(folder)[::-1]:
      os.rename(os.path.join(folder, name), os.path.join(old, name))
    for name in _meta_last(fresh):
      os.rename(os.path.join(fresh, name), os.path.join(folder, name))
  finally:
    shutil.rmtree(scratch, ignore_errors=True)
    if new_folder:
      with contextlib.suppress(OSError):
        os.rmdir(folder)  # Fails, as it should, if a bundle is there now.


def _files_of_bundle(folder):
  """Returns the set of names that a bundle lists; empty if there is no bundle."""
  path = os.path.join(folder, run_bundle.META_FILE)
  if not os.path.isfile(path):
    return frozenset()
  try:
    meta = read_json(path)
  except UsageError:
    return frozenset()
  names = meta.get(FILES) if isinstance(meta, dict) else None
  if not isinstance(names, list) or not {"captured", "updates"} <= meta.keys():
    return frozenset()
  return frozenset(
      name for name in names if isinstance(name, str)
      and (_IMAGE.fullmatch(name) or _NAME.fullmatch(name)))


def _meta_last(folder):
  """Returns the names in a folder but leftovers, the meta file at the end."""
  names = [
      name for name in os.listdir(folder)
      if not name.startswith(TEMPORARY_PREFIX)]
  return sorted(names, key=lambda name: (name == run_bundle.META_FILE, name))
