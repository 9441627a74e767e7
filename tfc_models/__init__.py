"""Learned image compression with TensorFlow Compression.

    import tfc_models

    codec = tfc_models.load("tfcm-base", quality=50)
    data = codec.encode(image)  # uint8 (H, W, 3) to the bytes of a file.
    image = codec.decode(data)
    image = tfc_models.decode(data)  # Finds the weights by itself.

Public names are imported on first use, so that `import tfc_models` does not
load TensorFlow.
"""

import importlib

from tfc_models.version import __version__

_PUBLIC = {
    "BitstreamError": "tfc_models.errors",
    "ImageError": "tfc_models.errors",
    "LearnedCodec": "tfc_models.codecs",
    "Settings": "tfc_models.models.base",
    "StreamDecoder": "tfc_models.codecs",
    "TfcmError": "tfc_models.errors",
    "UsageError": "tfc_models.errors",
    "load": "tfc_models.codecs",
    "read_image": "tfc_models.datasets.files",
}

__all__ = [*_PUBLIC, "__version__", "decode"]


def decode(data, model_path=()):
  """Returns the uint8 image (H, W, 1 or 3) of a `.tfcm` file's bytes.

  Args:
    data: bytes.
    model_path: weight files and folders to search besides the shipped ones.

  Raises:
    BitstreamError: if the file is damaged or its weights are not found.
  """
  return importlib.import_module("tfc_models.codecs").StreamDecoder(
      model_path).decode(data)


def __getattr__(name):
  if name not in _PUBLIC:
    raise AttributeError(f"module 'tfc_models' has no attribute {name!r}")
  return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__():
  return sorted([*globals(), *_PUBLIC])
