"""Batches of training patches from a `tensorflow_datasets` set."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from tfc_models.datasets import patches
from tfc_models.datasets.crops import batch_patches
from tfc_models.datasets.files import read_image, rgb_image
from tfc_models.errors import ImageError, UsageError

PREFIX = "tfds:"

# Encoded images that wait to be drawn from at random.
_SHUFFLE = 512


class TfdsImages:
  """The usable images of a `tensorflow_datasets` set, read as a stream.

  Args:
    pattern: "tfds:NAME[:SPLIT]", such as "tfds:clic" or "tfds:div2k:validation";
      the split is "train" if not given.
    min_size: int, images with a shorter side are skipped, broken ones too.
    image_key: feature that holds the image ("hr" for div2k).
    download: whether a set that is not on this machine is fetched.

  Raises:
    UsageError: if there is no such set, split or key, or no usable image.
  """

  def __init__(self, pattern, min_size, image_key="image", download=False):
    # Two seconds that those who train on a folder need not wait.
    import tensorflow_datasets as tfds
    name, _, split = pattern.removeprefix(PREFIX).partition(":")
    split = split or "train"
    try:
      builder = tfds.builder(name)
      if download:
        builder.download_and_prepare()
      if image_key not in builder.info.features:
        raise UsageError(
            f"{pattern}: no feature {image_key!r}; data.image_key may be one "
            f"of {', '.join(sorted(builder.info.features))}")
      encoded = builder.as_dataset(
          split=split, decoders=tfds.decode.PartialDecoding(
              {image_key: True},
              decoders={image_key: tfds.decode.SkipDecoding()}))
    except (tfds.core.DatasetNotFoundError, ValueError, KeyError,
            AssertionError) as error:
      reason = str(error).strip().split("\n", maxsplit=1)[0]
      hint = "" if download else (
          " (data.download=True fetches a set that is not here yet)")
      raise UsageError(f"{pattern}: {reason}{hint}") from None
    self.pattern = pattern
    self.min_size = min_size
    self._encoded = encoded.map(lambda example: example[image_key])
    if not any(True for _ in self._usable().take(1)):
      raise UsageError(
          f"{pattern}: no usable image (all are below {min_size} pixels a "
          "side or unreadable)")

  def pictures(self, seed):
    """Yields every image once, see `crops.ImageStore.pictures`."""
    usable = self._usable().shuffle(_SHUFFLE, seed=seed)
    for encoded in usable.as_numpy_iterator():
      yield _decode(encoded)

  def batches(self, *, batch_size, patch_size, first_batch=0, num_batches=None,
              seed=0, max_downscale=1.0):
    """Returns a `tf.data.Dataset`, see `crops.ImageStore.batches`.

    To start at a later batch the stream is read from its beginning, undecoded.
    """
    def patch(index, encoded):
      return np.ascontiguousarray(patches.cut(
          _decode(encoded), int(index), patch_size=patch_size, seed=seed,
          max_downscale=max_downscale))

    stream = (
        self._usable()
        .shuffle(_SHUFFLE, seed=seed)
        .repeat()
        .enumerate()
        .skip(first_batch * batch_size))
    dataset = batch_patches(stream, patch, batch_size, patch_size)
    if num_batches is not None:
      dataset = dataset.take(num_batches)
    return dataset.prefetch(4)

  def _usable(self):
    def check(encoded):
      try:
        return min(Image.open(io.BytesIO(encoded)).size) >= self.min_size
      except OSError:
        return False

    return self._encoded.filter(
        lambda encoded: tf.ensure_shape(
            tf.numpy_function(check, [encoded], tf.bool), []))


def _decode(encoded):
  """Returns a PIL image in RGB from the bytes of a file."""
  try:
    return rgb_image(read_image(bytes(encoded)))
  except ImageError:
    # Alpha, 16 bits and the like, which training need not refuse.
    return Image.open(io.BytesIO(encoded)).convert("RGB")
