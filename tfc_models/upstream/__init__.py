"""TensorFlow Compression: `tfc`, the package as a whole or what coding needs of it.

The whole is frozen on TensorFlow 2.14, which Python 3.12 has not. For later ones its
operations alone are published; with these and stand-ins for a few classes models code,
but neither train nor build tables. Nothing else imports either package.
"""

import platform

from tfc_models.errors import UsageError

try:
  import tensorflow_compression as tfc
  IS_WHOLE = True
except ModuleNotFoundError as error:
  if error.name != "tensorflow_compression":
    raise
  from tfc_models.upstream import coding_only as tfc
  IS_WHOLE = False

__all__ = ["IS_WHOLE", "require_whole", "tfc"]


def require_whole():
  """Returns where models can train and build tables.

  Raises:
    UsageError: where they can only code.
  """
  if not IS_WHOLE:
    raise UsageError(
        f"Python {platform.python_version()} has of tensorflow-compression the "
        "operations alone, with which models code; training and building tables "
        "need all of it: pip install tfc_models on Python 3.9, 3.10 or 3.11")
