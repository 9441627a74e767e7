"""Other toolkits, timed in processes and environments of their own."""

import json
import os
import subprocess

from tfc_models.errors import UsageError

_SCRIPT = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "compressai_peer.py")
# What CompressAI has under the same name and of the same structure.
COMPRESSAI_MODELS = frozenset([
    "bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean", "mbt2018"])


class CompressAI:
  """A model of CompressAI in a process that waits to be timed.

  Args:
    python: interpreter of an environment with compressai.
    **request: see `compressai_peer`.

  Attributes:
    versions: dict.

  Raises:
    UsageError: if it does not start.
  """

  def __init__(self, python, **request):
    try:
      self._process = subprocess.Popen(
          [python, _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
          stderr=subprocess.PIPE, text=True)
    except OSError as error:
      raise UsageError(f"{python}: {error.strerror}") from None
    self.versions = self._ask(json.dumps(request))

  def seconds(self, work):
    """Returns the seconds that "encode", "decode" or "train" takes once."""
    return self._ask(work)

  def close(self):
    """Ends the process."""
    self._process.communicate()

  def _ask(self, line):
    try:
      self._process.stdin.write(line + "\n")
      self._process.stdin.flush()
      return json.loads(self._process.stdout.readline())
    except (OSError, ValueError):
      _, error = self._process.communicate()
      reason = (error.strip().splitlines() or ["it ended"])[-1]
      raise UsageError(f"{self._process.args[0]}: {reason}") from None
