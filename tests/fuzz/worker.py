"""A process that decodes cases, and one that watches it."""

import collections
import multiprocessing
import time
import traceback

# Cases that are reported at once.
_BATCHES = {"structured": 1, "raw": 200, "requests": 20}


class Worker:
  """A process that works through cases, and is watched.

  Args:
    arguments: parsed.
    first: number of its first case.
  """

  def __init__(self, arguments, first):
    context = multiprocessing.get_context("spawn")
    self._pipe, other = context.Pipe()
    self._limit = arguments.limit
    self._case = None
    self._process = context.Process(
        target=_work, args=(other, arguments, first), daemon=True)
    self._process.start()
    other.close()

  def next(self):
    """Returns what happened next.

    Returns:
      ("ready", MiB of good files); ("done", last case, outcomes, seconds and number
      of the slowest, MiB); or ("error" | "hang" | "crash", case, bytes, text).
    """
    while True:
      # Loading weights takes its time.
      limit = 900.0 if self._case is None else self._limit
      try:
        if not self._pipe.poll(limit):
          return ("hang", *self._case, f"took more than {limit} s")
        report = self._pipe.recv()
      except (EOFError, ConnectionError):
        self._process.join()
        if self._case is None:
          raise SystemExit("the target could not be made") from None
        return ("crash", *self._case, f"exit code {self._process.exitcode}")
      if report[0] != "case":
        return report
      self._case = report[1:]

  def stop(self):
    """Ends the process."""
    self._process.kill()
    self._process.join()


def _work(pipe, arguments, first):
  from tests.fuzz.targets import KINDS
  from tfc_models import memory
  target = KINDS[arguments.kind](arguments.models)
  pipe.send(("ready", target.honest_mib))
  batch = _BATCHES[arguments.kind]
  for start in range(first, 2**62, batch):
    outcomes, slowest = collections.Counter(), (0.0, start)
    memory.reset_peak()
    for number in range(start, start + batch):
      data = target.make(f"{arguments.seed} {number}")
      pipe.send(("case", number, data))
      begin = time.perf_counter()
      try:
        outcomes[target.take(data)] += 1
      except Exception:
        pipe.send(("error", number, data, traceback.format_exc()))
      slowest = max(slowest, (time.perf_counter() - begin, number))
    pipe.send(("done", number, outcomes, *slowest, memory.peak_mib()))
