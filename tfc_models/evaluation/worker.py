"""A process for work that may take much memory, crash, or have to be killed.

Of `concurrent.futures` nothing does: its workers cannot be killed, and outlive a
parent that was.
"""

import logging
import multiprocessing
import os
import signal
import tempfile
import traceback

from tfc_models.errors import TfcmError


class WorkerError(TfcmError):
  """A call failed in its process; `trace` tells where."""

  def __init__(self, message, trace=""):
    super().__init__(message)
    self.trace = trace


class Worker:
  """A process that makes one call at a time, and ends with its parent.

  Args:
    scratch: folder for temporary files of the calls; the caller removes it.
  """

  def __init__(self, scratch):
    context = multiprocessing.get_context("spawn")
    self._pipe, theirs = context.Pipe()
    self._process = context.Process(
        target=_serve, args=(theirs, scratch), daemon=True)
    # Only the parent answers Ctrl-C; the mask is inherited until `_serve` has
    # left the group of processes that a terminal interrupts.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
      self._process.start()
    finally:
      signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()

  def call(self, function, *args):
    """Returns `function(*args)`, which travel there and back.

    Raises:
      WorkerError: if it raised, or ended the process.
    """
    try:
      self._pipe.send((function, args))
      failed, result = self._pipe.recv()
    except (EOFError, OSError):
      self._process.join()
      code = self._process.exitcode
      how = f"signal {-code}" if code < 0 else f"exit code {code}"
      raise WorkerError(f"the process that ran it ended with {how}") from None
    if failed:
      raise WorkerError(*result)
    return result

  @property
  def alive(self):
    """Whether it can take another call."""
    return self._process.is_alive()

  def kill(self):
    """Ends the process, whatever it does, and the programs it has started."""
    if self._process.is_alive():
      try:
        os.killpg(self._process.pid, signal.SIGKILL)
      except ProcessLookupError:
        self._process.kill()  # It has no group of its own yet.
    self._process.join()
    self._pipe.close()


def _serve(pipe, scratch):
  """Answers calls until the other end of the pipe is gone."""
  os.setpgrp()
  signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
  # TensorFlow's notes are of no use to those who compare codecs.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  logging.getLogger("tensorflow").setLevel(logging.ERROR)
  tempfile.tempdir = scratch
  while True:
    try:
      function, args = pipe.recv()
    except EOFError:
      return
    try:
      answer = False, function(*args)
    # Whatever a codec that is not ours raises concerns one image only.
    except Exception as error:
      text = str(error) if isinstance(error, TfcmError) else (
          f"{type(error).__name__}: {error}")
      answer = True, (text, traceback.format_exc())
    try:
      pipe.send(answer)
    except OSError:
      return
