"""Learned image compression with TensorFlow Compression.

    import tfc_models

    codec = tfc_models.load("tfcm-base", quality=50)
    data = codec.encode(image)  # uint8 (H, W, 3) to the bytes of a file.
    image = codec.decode(data)
    image = tfc_models.decode(data)  # Finds the weights by itself.

Public names are imported on first use, so that `import tfc_models` does not
load TensorFlow.
"""

import os

from tfc_models import lazy
from tfc_models.version import __version__

# From 2.16 on TensorFlow's Keras is 3 unless this is said before anybody uses it;
# models are of Keras 2.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

__getattr__, __dir__, __all__ = lazy.attach(__name__, {
    "BitstreamError": "tfc_models.errors",
    "ImageError": "tfc_models.errors",
    "LearnedCodec": "tfc_models.codecs",
    "Settings": "tfc_models.modeling.base",
    "StreamDecoder": "tfc_models.codecs",
    "TfcmError": "tfc_models.errors",
    "UsageError": "tfc_models.errors",
    "load": "tfc_models.codecs",
    "read_image": "tfc_models.datasets.files",
    "read_picture": "tfc_models.datasets.files",
})
__all__ += ["__version__", "decode"]


def decode(data, model_path=(), region=None):
  """Returns the image of a `.tfcm` file's bytes, uint8 (H, W, 1 to 4).

  Of a file that was made of uint16 samples, these. Weights stay in memory for the next
  call.

  Args:
    data: bytes.
    model_path: weight files and folders to search besides the shipped ones.
    region: as of `LearnedCodec.decode`, of an image.

  Raises:
    BitstreamError: if the file is damaged or its weights are not found.
  """
  from tfc_models import codecs
  return codecs.shared_decoder(tuple(model_path)).decode(data, region)
