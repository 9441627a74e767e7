"""What a weight file says of itself, read without TensorFlow."""

import io
import json
import zipfile

import numpy as np

from tfc_models.errors import UsageError

# Entry of the npz archive that holds JSON as bytes.
INFO_KEY = "info"


def read_info(path):
  """Returns the info dict of a weight file: model, arguments, fingerprint ...

  Raises:
    UsageError: if there is no readable weight file.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      array = np.load(io.BytesIO(archive.read(INFO_KEY + ".npy")))
    return json.loads(array.tobytes())
  except OSError as error:
    raise UsageError(f"{path}: {error.strerror or error}") from None
  except (zipfile.BadZipFile, KeyError, ValueError) as error:
    raise UsageError(f"{path}: not a weight file ({error})") from None
