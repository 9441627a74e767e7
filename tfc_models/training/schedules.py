"""Learning rates; needs nothing but Python, since bundles carry this file."""

import math

SCHEDULES = ("constant", "cosine", "step")

# Where the cosine ends, as a fraction of where it starts.
COSINE_FLOOR = 0.01


def learning_rate(start, schedule, decay_at, progress):
  """Returns the learning rate at a point of the run.

  Args:
    start: rate at the beginning.
    schedule: "constant"; "cosine": half a cosine down to a hundredth; "step":
      a tenth after each of `decay_at`.
    decay_at: fractions of the run.
    progress: 0 at the beginning, 1 at the end and after it.
  """
  progress = min(progress, 1.0)
  if schedule == "cosine":
    fall = 0.5 + 0.5 * math.cos(math.pi * progress)
    return start * (COSINE_FLOOR + (1.0 - COSINE_FLOOR) * fall)
  if schedule == "step":
    return start * 0.1 ** sum(progress >= point for point in decay_at)
  return start


def progress(step, steps, seconds=0.0, minutes=0.0):
  """Returns how much of a run is behind, by steps or by time: the larger."""
  done = step / steps
  return max(done, seconds / (60.0 * minutes)) if minutes else done
