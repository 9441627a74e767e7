"""The wheel of this checkout."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def build(folder):
  """Returns the path of the wheel, built in a folder."""
  # From a copy, as a build leaves traces in its source tree.
  files = subprocess.run(
      ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
      capture_output=True, text=True).stdout.split()
  for name in files:
    if not name.startswith("tests/") and (ROOT / name).exists():
      (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
      (folder / "src" / name).write_bytes((ROOT / name).read_bytes())
  subprocess.run(
      [*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder,
       folder / "src"], check=True)
  (wheel,) = folder.glob("*.whl")
  return wheel
