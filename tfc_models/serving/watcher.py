"""Looks for new versions on disk, and for changes of the configuration file."""

import threading
import time

from absl import logging

from tfc_models.errors import TfcmError
from tfc_models.fileio import read_bytes
from tfc_models.serving import model_config


class Watcher:
  """A thread that keeps a manager up to date.

  Args:
    manager: `Manager`.
    disk_seconds: between looks for versions; 0: never.
    config_file: of a `model_config_list`, or None.
    config_seconds: between looks at it; 0: never.
  """

  def __init__(self, manager, disk_seconds, config_file=None, config_seconds=0):
    self._manager = manager
    self._config_file = config_file
    # Of what was applied, or could not be.
    self._config_text = read_bytes(config_file) if config_file else None
    self._stop = threading.Event()
    self._tasks = [
        (seconds, task) for seconds, task in (
            (disk_seconds, manager.reconcile),
            (config_seconds if config_file else 0, self._read_config))
        if seconds > 0]
    self._thread = threading.Thread(target=self._work, name="watcher", daemon=True)

  def start(self):
    """Begins to look."""
    if self._tasks:
      self._thread.start()

  def stop(self):
    """Ends; what is being loaded is loaded first."""
    self._stop.set()
    if self._thread.is_alive():
      self._thread.join()

  def _work(self):
    due = [time.monotonic() + seconds for seconds, _ in self._tasks]
    while not self._stop.wait(max(min(due) - time.monotonic(), 0)):
      for number, (seconds, task) in enumerate(self._tasks):
        if due[number] > time.monotonic():
          continue
        try:
          task()
        except TfcmError as error:
          logging.error("%s", error)
        except Exception:  # The server goes on with what it has.
          logging.exception("looking for models failed")
        due[number] = time.monotonic() + seconds

  def _read_config(self):
    text = read_bytes(self._config_file)
    if text != self._config_text:
      self._config_text = text
      self._manager.apply(model_config.read(self._config_file))
