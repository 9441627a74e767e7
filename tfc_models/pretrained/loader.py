"""From a name or a fingerprint to a weight file, without TensorFlow."""

import logging
import os

from tfc_models.errors import UsageError, WrongWeightsError
from tfc_models.fileio import find_files, read_json
from tfc_models.weight_info import NotWeightsError, read, read_info

DEFAULT_QUALITY = 50
MODEL_PATH_VARIABLE = "TFCM_MODEL_PATH"
# What weights are trained for; of those for the last, names end in it.
TUNES = ("psnr", "ms-ssim")
# What the names of weights that lose nothing end in.
_LOSSLESS = "-lossless"
# The file that training writes into its directory.
TRAINED_FILE = "model.npz"

_LOG = logging.getLogger(__name__)

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def manifest():
  """Returns the entries of the shipped weights, by name and quality.

  Each is a dict: name, quality, file, sha256, bytes, fingerprint, lmbda, config,
  overrides, steps, seconds, history (before `train.init`), data, parameters,
  arguments, and kodak with bpp, psnr, ms_ssim and more as measured; `zoo` writes
  it.
  """
  entries = read_json(os.path.join(_FOLDER, "manifest.json"))["weights"]
  return sorted(entries, key=lambda entry: (entry["name"], entry["quality"]))


def weight_path(entry):
  """Returns the path of a manifest entry's file."""
  return os.path.join(_FOLDER, entry["file"])


def training_weights(path):
  """Returns the weight file of a training directory, or `path` if it is one.

  Raises:
    UsageError: if a directory holds none yet.
  """
  if not os.path.isdir(path):
    return path
  file = os.path.join(path, TRAINED_FILE)
  if not os.path.isfile(file):
    raise UsageError(
        f"{path}: no {TRAINED_FILE} there; is training past its first epoch?")
  return file


def find_by_name(name, quality=None):
  """Returns the path of weights and the quality that they stand for.

  Args:
    name: registered name of shipped weights, a training directory, or a weight
      file.
    quality: 1..100; the nearest shipped rate is taken. None: `DEFAULT_QUALITY`.

  Returns:
    path, quality; the latter None for weights that are not shipped.

  Raises:
    UsageError: if there are no such weights, or `quality` is out of range.
  """
  if quality is not None and not 1 <= quality <= 100:
    raise UsageError(f"quality must lie in 1..100, got {quality}")
  entries = [entry for entry in manifest() if entry["name"] == name]
  if entries:
    wanted = DEFAULT_QUALITY if quality is None else quality
    entry = min(entries, key=lambda e: abs(e["quality"] - wanted))
    return weight_path(entry), entry["quality"]
  if not os.path.exists(name):
    known = ", ".join(sorted({entry["name"] for entry in manifest()}))
    raise UsageError(
        f"{name}: neither shipped weights ({known}) nor a training directory")
  return training_weights(name), None


def tuned(name, tune=None):
  """Returns the name of the shipped weights of a model that are tuned for a metric.

  Args:
    name: as of `find_by_name`.
    tune: one of `TUNES`; None takes those of the name.

  Raises:
    UsageError: if none are shipped.
  """
  if tune is None:
    return name
  suffix = f"-{TUNES[-1]}"
  plain = name.removesuffix(suffix)
  if tune == TUNES[0]:
    return plain
  names = {entry["name"] for entry in manifest()}
  found = plain + suffix
  if found not in names:
    known = ", ".join(sorted(
        other.removesuffix(suffix) for other in names if other.endswith(suffix)))
    raise UsageError(
        f"{name}: no weights are shipped that are tuned for {tune}; "
        f"there are some of {known or 'no model'}")
  return found


def lossless(name=None):
  """Returns the name of weights that lose nothing.

  Args:
    name: as of `find_by_name`; of a model that such weights are shipped of beside
      others, these. None: any that are shipped.

  Raises:
    UsageError: if none are shipped, and no name says which.
  """
  names = [entry["name"] for entry in manifest() if entry["name"].endswith(_LOSSLESS)]
  if name is None:
    if not names:
      raise UsageError("no lossless weights are shipped", argument="model")
    return names[0]
  return name + _LOSSLESS if name + _LOSSLESS in names else name


def shipped_entry(fingerprint):
  """Returns the manifest's entry with a fingerprint, or None.

  Args:
    fingerprint: 4 bytes, or the first of them.
  """
  wanted = fingerprint.hex()
  return next((entry for entry in manifest()
               if entry["fingerprint"].startswith(wanted)), None)


def find_by_fingerprint(fingerprint, model_path=()):
  """Returns the path of the weights with a fingerprint.

  Args:
    fingerprint: 4 bytes, or the first of them.
    model_path: weight files and folders (searched recursively), after which
      come those of the environment variable TFCM_MODEL_PATH.

  Raises:
    WrongWeightsError: if there are none.
  """
  entry = shipped_entry(fingerprint)
  if entry:
    return weight_path(entry)
  wanted = fingerprint.hex()
  listed = os.environ.get(MODEL_PATH_VARIABLE, "").split(os.pathsep)
  for place in [*model_path, *filter(None, listed)]:
    for path in _weight_files(place):
      if _claims(path, wanted) and _holds(path):
        return path
  raise WrongWeightsError(
      f"the weights with fingerprint {wanted} are not here",
      argument="model_path")


def _claims(path, wanted):
  try:
    return read_info(path)["fingerprint"].startswith(wanted)
  except NotWeightsError:
    return False
  except UsageError as error:
    _LOG.warning("skipped: %s", error)
    return False


def _holds(path):
  """Returns whether a file holds the weights whose fingerprint it claims."""
  try:
    read(path)
  except UsageError as error:
    _LOG.warning("skipped: %s", error)
    return False
  return True


def _weight_files(place):
  return [place] if os.path.isfile(place) else find_files(place, {".npz"})
