"""What is known of the versions of a model, and the hold that requests have on one."""

import dataclasses
from typing import Any, Optional

from tfc_models.serving import repository
from tfc_models.serving.status import invalid

# As `ModelVersionStatus.State` calls them.
LOADING, AVAILABLE, UNLOADING, END = "LOADING", "AVAILABLE", "UNLOADING", "END"

# Of those that have ended, so many are remembered.
_REMEMBERED = 32


@dataclasses.dataclass(eq=False)
class Version:
  """A version that is, was or could not be loaded.

  Attributes:
    name: of its model.
    number: of the version.
    path: its folder.
    fingerprint: of the folder, when loading began.
    state: one of the names above.
    error: `ServingError` that kept it from loading, or None.
    model: what answers requests, while it is loaded.
    references: how many requests hold it.
    replaced: whether another of its number has come.
  """

  name: str
  number: int
  path: str
  fingerprint: list
  state: str = LOADING
  error: Optional[Exception] = None
  model: Any = None
  references: int = 0
  replaced: bool = False

  @property
  def is_serving(self):
    return self.state == AVAILABLE and not self.replaced

  def stands_for(self, number, path):
    """Returns whether to load nothing for this number and folder.

    A version that failed is tried again when anything in its folder has changed.
    """
    if (self.number, self.path) != (number, path):
      return False
    if self.state == END:
      return bool(self.error) and (
          self.fingerprint == repository.fingerprint(path))
    return self.is_serving or self.state == LOADING


class Model:
  """The versions of a model.

  Attributes:
    config: its `ModelConfig`; None: it is not to be served any more.
    versions: list of `Version`.
    labels: dict from label to number.
  """

  def __init__(self):
    self.config = None
    self.versions = []
    self.labels = {}

  def number(self, number=None, label=None):
    """Returns the number that is meant, or None: any.

    A 0 is none where there is no version 0: what OpenVINO's clients send for the
    latest.

    Raises:
      ServingError: if there is no such label.
    """
    if label is not None:
      if label not in self.labels:
        raise invalid(f"Unrecognized servable version label: {label}")
      return self.labels[label]
    if number == 0 and all(known.number for known in self.versions):
      return None
    return number

  def find(self, number=None, label=None):
    """Returns the `Version` that serves, the highest by default, or None."""
    number = self.number(number, label)
    serving = [known for known in self.versions
               if known.is_serving and number in (None, known.number)]
    return max(serving, key=lambda known: known.number, default=None)

  def add(self, version):
    """Puts a version in the place of those of its number that have ended."""
    self.versions = [
        known for known in self.versions
        if known.number != version.number or known.state != END] + [version]

  def forget(self):
    """Drops the eldest that have ended; all, if the model is not served."""
    ended = [known for known in self.versions if known.state == END]
    if self.config is not None:
      ended = ended[:-_REMEMBERED]
    self.versions = [known for known in self.versions if known not in ended]


class Handle:
  """The hold of one request on a version.

  Attributes:
    version: its number.
    model: what answers.
  """

  def __init__(self, version, release):
    self.version = version.number
    self.model = version.model
    self._version = version
    self._release = release

  def release(self):
    """Lets the version go, once."""
    release, self._release = self._release, lambda _: None
    release(self._version)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.release()
