"""Features of decoded images by a network that the user has, and what they say."""

import functools
import io
import os

import numpy as np

from tfc_models import metrics
from tfc_models.errors import UsageError
from tfc_models.evaluation.store import identify
from tfc_models.fileio import read_bytes, write_atomically

FOLDER = "features"
# Of the images themselves, where others have the codec's.
ORIGINAL = "original"
_BATCH = 8


class Network:
  """A SavedModel that takes images, (B, H, W, 3) float in [0, 1], to (B, D).

  Args:
    path: its folder. Patches are resized to what it takes, where that is fixed, such as
      299x299 for Inception.

  Raises:
    UsageError: if it is none, or takes or gives something else.
  """

  def __init__(self, path):
    import tensorflow as tf
    try:
      self._keep = tf.saved_model.load(path)
      self._call = self._keep.signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
      raise UsageError(f"{path}: no SavedModel with a serving_default "
                       f"({str(error).splitlines()[0]})") from None
    inputs = list(self._call.structured_input_signature[1].items())
    outputs = list(self._call.structured_outputs.items())
    if len(inputs) != 1 or inputs[0][1].shape.rank != 4 or (
        len(outputs) != 1 or outputs[0][1].shape.rank != 2):
      raise UsageError(f"{path}: must take (B, H, W, 3) and give (B, D), nothing else")
    (self._input, spec), (self._output, _) = inputs[0], outputs[0]
    self._size = spec.shape[1:3]

  def __call__(self, image):
    """Returns the features, (N, D) float32, of the patches of a uint8 image."""
    import tensorflow as tf
    found = []
    patches = metrics.patches(np.broadcast_to(image, (*image.shape[:2], 3)))
    for start in range(0, len(patches), _BATCH):
      x = tf.cast(patches[start:start + _BATCH], tf.float32) / 255.0
      if self._size.is_fully_defined() and self._size != x.shape[1:3]:
        x = tf.image.resize(x, self._size, antialias=True)
      found.append(self._call(**{self._input: x})[self._output].numpy())
    return _joined(found)


_network = functools.lru_cache(maxsize=1)(Network)


class FeatureStore:
  """Files of features, in the folder of an evaluation.

  Args:
    folder: of the evaluation.
    path: of the SavedModel; its files are told from those of others.

  Raises:
    UsageError: if it cannot be read.
  """

  def __init__(self, folder, path):
    self.path = path
    self.folder = os.path.join(
        folder, FOLDER, identify(read_bytes(os.path.join(path, "saved_model.pb"))))

  def has(self, codec_id, image_id):
    """Returns whether features are here of an image, and as a codec decodes it."""
    return all(os.path.exists(self.path_of(name, image_id)) for name in (ORIGINAL, codec_id))

  def add(self, codec_id, image_id, image, decoded):
    """Writes the features of an image, and of what a codec made of it."""
    for name, picture in ((ORIGINAL, image), (codec_id, decoded)):
      if not os.path.exists(self.path_of(name, image_id)):
        buffer = io.BytesIO()
        np.save(buffer, _network(self.path)(picture))
        os.makedirs(os.path.dirname(self.path_of(name, image_id)), exist_ok=True)
        write_atomically(
            self.path_of(name, image_id), buffer.getvalue(), overwrite=True)

  def distances(self, records):
    """Returns Frechet and kernel distance, and of how many patches, of a codec's records.

    None, None and the number where they are fewer than two; None where some are missing.
    """
    if not all(self.has(record["codec_id"], record["image_id"]) for record in records):
      return None, None, None
    features, others = (
        _joined(np.load(self.path_of(name or record["codec_id"], record["image_id"]))
                for record in records) for name in (None, ORIGINAL))
    if len(features) < 2:
      return None, None, len(features)
    return (metrics.frechet_distance(features, others),
            metrics.kernel_distance(features, others), len(features))

  def path_of(self, name, image_id):
    """Returns where features are, of a `codec_id` or `ORIGINAL`."""
    return os.path.join(self.folder, name, f"{image_id}.npy")


def _joined(arrays):
  """Returns arrays one below the other, of which some may have no rows."""
  rows = [array for array in arrays if len(array)]
  return np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)
