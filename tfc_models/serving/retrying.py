"""Deadlines, and second attempts at what may have been a moment's trouble."""

import random
import time

from tfc_models.serving.status import ServingError

# The server is not there, or has too much to do. All else would fail again.
_RETRIED = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
# What gRPC says of a message beyond the limits of one side.
_TOO_LARGE = "larger than max"
# Seconds before the second attempt, doubled each time, and the most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


def call(function, deadline, retries):
  """Returns what a function gives, at the latest at its last attempt.

  Predictions change nothing at a server, so asking twice does no harm.

  Args:
    function: of no arguments.
    deadline: of `time.monotonic()`; no pause goes beyond it.
    retries: how many attempts follow the first.

  Raises:
    ServingError: of the last attempt.
  """
  pause = _FIRST_PAUSE
  while True:
    try:
      return function()
    except ServingError as error:
      # Not all at a time, if a server has lost many clients.
      wait = pause * random.uniform(0.5, 1.0)
      if (error.code not in _RETRIED or _TOO_LARGE in str(error) or retries <= 0
          or time.monotonic() + wait >= deadline):
        raise
    time.sleep(wait)
    retries -= 1
    pause = min(2 * pause, _LONGEST_PAUSE)


def left(deadline):
  """Returns the seconds until a deadline.

  Raises:
    ServingError: if there are none.
  """
  seconds = deadline - time.monotonic()
  if seconds <= 0:
    raise ServingError("DEADLINE_EXCEEDED", "no answer in time")
  return seconds
