"""The process of a command line: its streams, its log, and what ends it."""

import logging
import os
import signal
import sys
import threading
import warnings

from absl import logging as absl_logging

from tfc_models import fileio


class Interrupted(KeyboardInterrupt):
  """A signal asked this process to end; `code` is the exit code for it."""

  def __init__(self, number):
    super().__init__()
    self.code = 128 + number  # As shells count signals.


# Verbs that have nothing to tidy but files that are being written.
_AT_ONCE = frozenset(["compress", "decompress", "info", "models", "verify"])
# Others are given so long for it.
_GRACE_SECONDS = 10.0


def prepare(verb):
  """Makes streams, log and signals of this process those of a command line.

  Args:
    verb: decides what a signal does: it ends the process at once, or raises
      `Interrupted`.
  """
  _open_streams()
  # Names of files need not be UTF-8.
  sys.stdout.reconfigure(errors="backslashreplace")
  _plain_log()
  for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    number = getattr(signal, name, None)
    # What the caller has switched off, as nohup does, stays off.
    if number and signal.getsignal(number) != signal.SIG_IGN:
      signal.signal(number, _leave if verb in _AT_ONCE else _interrupt)


def printable(text):
  """Returns text without characters that act on a terminal, but for new lines."""
  return "".join(
      char if char.isprintable() or char == "\n"
      else char.encode("unicode_escape").decode() for char in text)


def leave(code):
  """Ends the process at once: other threads too, whatever they are at."""
  fileio.stop_writing()
  sys.stderr.flush()
  os._exit(code)


def _leave(number, frame):
  """Ends the process for a signal, without an exception.

  That would be lost where Python calls back from C, as in a garbage collection.
  """
  del frame
  # Not by print: the signal may have come in the midst of one.
  os.write(2, b"\ntfcm: interrupted\n" if os.isatty(2) else b"tfcm: interrupted\n")
  fileio.stop_writing()
  os._exit(128 + number)


def _interrupt(number, frame):
  """Raises `Interrupted`; a second signal, or what takes too long, ends all."""
  del frame
  for other in (signal.SIGINT, signal.SIGTERM):
    signal.signal(other, _leave)
  late = threading.Timer(_GRACE_SECONDS, _leave, (number, None))
  late.daemon = True
  late.start()
  raise Interrupted(number)


def _open_streams():
  """Puts something at streams that the caller has closed.

  Otherwise the next file that is opened gets their number, and what TensorFlow
  says on stderr goes into it. What cannot be read or written there still fails.
  """
  for number, name, flags, mode in (
      (0, "stdin", os.O_WRONLY, "r"), (1, "stdout", os.O_RDONLY, "w"),
      (2, "stderr", os.O_WRONLY, "w")):
    try:
      os.fstat(number)
    except OSError:
      handle = os.open(os.devnull, flags)
      if handle != number:
        os.dup2(handle, number)
        os.close(handle)
    if getattr(sys, name) is None:
      setattr(sys, name, open(number, mode, closefd=False))


class _Plain(logging.Formatter):
  """The message, with its level where that is more than a note."""

  def format(self, record):
    # A line of a terminal's own, whatever names are in it.
    text = printable(record.getMessage())
    if record.levelno >= logging.WARNING:
      text = f"{record.levelname.lower()}: {text}"
    return text


def _plain_log():
  if not sys.warnoptions:
    # Of Python's own warnings, as for Pillow's metadata, none names a file.
    warnings.simplefilter("ignore")
  absl_logging.get_absl_handler().setFormatter(_Plain())
  # Such as "5 out of the last 5 calls triggered tf.function retracing".
  logging.getLogger("tensorflow").setLevel(logging.ERROR)
