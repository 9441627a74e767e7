"""The versions of a model on disk: folders whose names are integers."""

import os

from tfc_models.export import versions


def find_versions(base_path):
  """Returns a dict from version number to path.

  What is no folder, has another name, or no graph yet is passed over: half of a
  version is none.

  Raises:
    OSError: if the folder cannot be read; nothing is known then.
  """
  found = {}
  with os.scandir(base_path) as entries:
    for entry in sorted(entries, key=lambda entry: entry.name):
      number = versions.number_of(entry.name)
      if number is not None and os.path.isfile(
          os.path.join(entry.path, "saved_model.pb")):
        found.setdefault(number, os.path.abspath(entry.path))
  return found


def fingerprint(path):
  """Returns what changes when anything below a folder does: sizes and times."""
  facts = []
  for place, _, names in os.walk(path):
    for name in names:
      try:
        state = os.stat(os.path.join(place, name))
      except OSError:
        continue  # Removed meanwhile; the next look tells.
      facts.append((place, name, state.st_size, state.st_mtime_ns, state.st_ino))
  return sorted(facts)
