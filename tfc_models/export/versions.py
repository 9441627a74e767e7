"""Numbered versions of a model in a folder, as TensorFlow Serving watches them."""

import contextlib
import os
import secrets
import shutil

from tfc_models.errors import UsageError
from tfc_models.fileio import TEMPORARY_PREFIX


@contextlib.contextmanager
def new(base, name):
  """Yields a folder to fill, which then becomes the next version of a model.

  It is renamed as a whole, so that no server ever sees a part of it; of two exports at
  a time each gets a number. If anything fails nothing stays.

  Args:
    base: folder of all models.
    name: of the model.

  Yields:
    `Version`; its `path` is known when the context has ended.

  Raises:
    UsageError: if nothing can be written there.
  """
  folder = os.path.join(base, name)
  version = Version(os.path.join(folder, TEMPORARY_PREFIX + secrets.token_hex(8)))
  try:
    os.makedirs(version.filling)
    yield version
    version.path = _rename(version.filling, folder)
  except OSError as error:
    raise UsageError(f"{error.filename or folder}: {error.strerror}") from None
  finally:
    shutil.rmtree(version.filling, ignore_errors=True)


class Version:
  """A version that is being written.

  Attributes:
    filling: the folder to write into.
    path: where it is once it is complete; None before.
  """

  def __init__(self, filling):
    self.filling = filling
    self.path = None


def number_of(name):
  """Returns the number of the version in a folder of that name, or None.

  "007" is 7, as for TensorFlow Serving; an int64 holds all of 18 digits.
  """
  is_number = name.isascii() and name.isdigit() and len(name) < 19
  return int(name) if is_number else None


def numbers(folder):
  """Returns the sorted numbers of the versions in a folder."""
  return sorted(number_of(entry.name) for entry in os.scandir(folder)
                if number_of(entry.name) is not None and entry.is_dir())


def _rename(source, folder):
  number = max(numbers(folder), default=0) + 1
  while True:
    path = os.path.join(folder, str(number))
    try:
      # Nothing but an empty folder would be replaced.
      os.rename(source, path)
      return path
    except OSError:
      if not os.path.lexists(path):
        raise
      number += 1
