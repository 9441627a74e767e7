"""Which versions are served now, and the way from one set of them to another."""

import threading

from absl import logging

from tfc_models.serving import repository, states
from tfc_models.serving.status import (
  ServingError,
  from_exception,
  invalid,
  one_line,
)


class Manager:
  """Loads, hands out and unloads versions of models.

  A version is loaded before the one it replaces is unloaded, and is unloaded when
  the last request that holds it ends.

  Args:
    load: path to a loaded model, see `SavedModel`; the seam for other engines.
    any_labels: whether labels may name versions that are not available.
    on_state: called with a `states.Version` whose state has changed.
  """

  def __init__(self, load, *, any_labels=False, on_state=lambda *_: None):
    self._load = load
    self._any_labels = any_labels
    self._on_state = on_state
    self._models = {}  # Name to `states.Model`.
    # Of `_models` and all below it; never held while a model is loaded.
    self._lock = threading.Lock()
    # Held by the one that changes what is served.
    self._changing = threading.Lock()

  def apply(self, configs):
    """Serves these models instead of those before.

    Returns when their versions are loaded, or have failed.

    Args:
      configs: list of `ModelConfig`.

    Returns:
      The names of those of which no version is available.

    Raises:
      ServingError: if a folder or the version of a label is not there; what was
        served before is served on.
    """
    with self._changing:
      for config in configs:
        try:
          repository.find_versions(config.base_path)
        except OSError as error:
          raise invalid(
              f"{config.name}: base_path {config.base_path}: {error.strerror}"
          ) from None
      wanted = {config.name: config for config in configs}
      before = {name: model.config for name, model in self._models.items()}
      # All at first, so that a model with another name serves before the old one ends.
      self._configure({**before, **wanted})
      try:
        self._label(wanted)
      except ServingError:
        self._configure(before)
        raise
      self._configure(wanted)
      with self._lock:
        return [name for name in wanted if not self._models[name].find()]

  def reconcile(self):
    """Loads what is new on disk, and unloads what is not wanted any more."""
    with self._changing:
      self._reconcile()

  def acquire(self, name, version=None, label=None):
    """Returns a `states.Handle` on a version, which is to be released.

    Args:
      name: of the model.
      version: its number; None: the highest.
      label: that stands for a number, or None.

    Raises:
      ServingError: if it is not served.
    """
    with self._lock:
      model = self._models.get(name)
      found = model and model.config and model.find(version, label)
      if not found:
        which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise ServingError(
            "NOT_FOUND", f"Servable not found for request: {which}")
      found.references += 1
    return states.Handle(found, self._release)

  def versions(self, name, version=None, label=None):
    """Returns the `states.Version`s of a model, the highest first.

    Raises:
      ServingError: if there are none.
    """
    with self._lock:
      model = self._models.get(name)
      found = []
      if model:
        version = model.number(version, label)
        found = [known for known in model.versions
                 if version in (None, known.number)]
        found.sort(key=lambda known: known.number, reverse=True)
    if not found:
      raise ServingError("NOT_FOUND", (
          f"Could not find any versions of model {name}" if version is None
          else f"Could not find version {version} of model {name}"))
    return found

  def names(self):
    """Returns the names of the models."""
    with self._lock:
      return [name for name, model in self._models.items() if model.config]

  def close(self):
    """Unloads everything; to be called when no request is under way."""
    self.apply([])

  def _configure(self, configs):
    with self._lock:
      for name in self._models.keys() | configs.keys():
        self._models.setdefault(name, states.Model()).config = configs.get(name)
    self._reconcile()

  def _reconcile(self):
    for name, model in list(self._models.items()):
      config = model.config
      try:
        found = repository.find_versions(config.base_path) if config else {}
      except OSError as error:
        # Of a file system that is away for a moment; what is loaded stays.
        logging.error("%s: %s: %s", name, config.base_path, error.strerror)
        continue
      wanted = {
          number: found[number] for number in config.choose(found)
      } if config else {}
      for number, path in wanted.items():
        if not any(known.stands_for(number, path) for known in model.versions):
          self._add(model, states.Version(
              name, number, path, repository.fingerprint(path)))
      self._retire(model, wanted)

  def _add(self, model, version):
    """Loads a version and lets requests at it."""
    with self._lock:
      model.add(version)
    self._tell(version)
    try:
      loaded = self._load(version.path)
    # Whatever loading raises, it is about this version; others go on.
    except Exception as error:
      version.error = _load_error(error)
      version.state = states.END
    else:
      with self._lock:
        for known in model.versions:
          known.replaced |= known.number == version.number
        version.replaced = False
        version.model = loaded
        version.state = states.AVAILABLE
    self._tell(version)

  def _retire(self, model, wanted):
    """Unloads versions that others stand in for, or that nobody wants."""
    with self._lock:
      good = [known for known in model.versions if known.is_serving
              and wanted.get(known.number) == known.path]
      leaving = []
      if good or not wanted:
        leaving = [known for known in model.versions
                   if known.state == states.AVAILABLE and known not in good]
      for known in leaving:
        known.state = states.UNLOADING
      # Of the others, the last request does it.
      idle = [known for known in leaving if not known.references]
    for known in leaving:
      self._tell(known)
    for known in idle:
      self._close(known)
    self._forget()

  def _release(self, version):
    with self._lock:
      version.references -= 1
      last = version.state == states.UNLOADING and not version.references
    if last:
      self._close(version)
      self._forget()

  def _close(self, version):
    try:
      version.model.close()
    # It is out of use, and who let it go has an answer to give.
    except Exception as error:
      logging.error("%s version %d: %s", version.name, version.number, error)
    version.model = None
    version.state = states.END
    self._tell(version)

  def _forget(self):
    with self._lock:
      for name, model in list(self._models.items()):
        model.forget()
        if model.config is None and not model.versions:
          del self._models[name]

  def _tell(self, version):
    if version.error:
      logging.error("%s version %d cannot be loaded: %s",
                    version.name, version.number, version.error)
    else:
      logging.info("%s version %d: %s", version.name, version.number, version.state)
    self._on_state(version)

  def _label(self, wanted):
    for name, config in wanted.items():
      for label, number in config.labels.items():
        if not self._any_labels and not self._models[name].find(number):
          raise ServingError(
              "FAILED_PRECONDITION",
              f"{name}: label {label} names version {number}, which is not available")
    with self._lock:
      for name, config in wanted.items():
        self._models[name].labels = dict(config.labels)


def _load_error(error):
  """Returns the `ServingError` for what loading raised."""
  if isinstance(error, (ServingError, MemoryError)) or hasattr(error, "error_code"):
    return from_exception(error)
  return ServingError("FAILED_PRECONDITION", one_line(error))
