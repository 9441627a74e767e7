"""The most memory that a process took."""

import platform
import resource


def rusage_mib(usage):
  """Returns the largest resident memory of a `resource` usage, in MiB."""
  return usage.ru_maxrss / (2**20 if platform.system() == "Darwin" else 2**10)


def reset_peak():
  """Lets `peak_mib` count from now on, where the system can (Linux)."""
  try:
    with open("/proc/self/clear_refs", "w") as file:
      file.write("5")
  except OSError:
    pass


def peak_mib():
  """Returns the largest resident memory of this process, in MiB.

  Since `reset_peak`, or, where the system cannot do that, since it started.
  """
  try:
    with open("/proc/self/status") as file:
      for line in file:
        if line.startswith("VmHWM:"):
          return int(line.split()[1]) / 2**10
  except OSError:
    pass
  return rusage_mib(resource.getrusage(resource.RUSAGE_SELF))
