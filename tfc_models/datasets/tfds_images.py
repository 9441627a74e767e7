"""Batches of training patches from a `tensorflow_datasets` set."""

import logging

import numpy as np
import tensorflow as tf

from tfc_models.datasets import patches
from tfc_models.datasets.crops import batch_patches
from tfc_models.datasets.files import any_rgb_image, image_size
from tfc_models.errors import ImageError, UsageError

PREFIX = "tfds:"

_LOG = logging.getLogger(__name__)

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
    self._verdicts = {}  # By number: whether an image is of use.
    if not any(True for _ in self._usable().take(1)):
      raise UsageError(
          f"{pattern}: no usable image (all are below {min_size} pixels a "
          "side or unreadable)")

  @property
  def num_skipped(self):
    """How many images, of those seen so far, are too small or broken."""
    return sum(not usable for usable in self._verdicts.values())

  def pictures(self, seed):
    """Yields every image once, see `crops.ImageStore.pictures`."""
    usable = self._usable().shuffle(_SHUFFLE, seed=seed)
    for encoded in usable.as_numpy_iterator():
      yield any_rgb_image(encoded)

  def batches(self, *, batch_size, patch_size, first_batch=0, num_batches=None,
              seed=0, max_downscale=1.0):
    """Returns a `tf.data.Dataset`, see `crops.ImageStore.batches`.

    To start at a later batch the stream is read from its beginning, undecoded.
    """
    def patch(index, encoded):
      return np.ascontiguousarray(patches.cut(
          any_rgb_image(bytes(encoded)), int(index), patch_size=patch_size, seed=seed,
          max_downscale=max_downscale))

    stream = (
        self._usable()
        .shuffle(_SHUFFLE, seed=seed)
        .repeat()
        .enumerate()
        .skip(first_batch * batch_size))
    dataset = batch_patches(
        stream, patch, batch_size, (patch_size, patch_size, 3))
    if num_batches is not None:
      dataset = dataset.take(num_batches)
    return dataset.prefetch(4)

  def _usable(self):
    """Returns the dataset of encoded images that can be decoded."""
    def check(number, encoded):
      # Once for each image: later rounds have the verdict.
      if number not in self._verdicts:
        self._verdicts[number] = self._check(int(number), bytes(encoded))
      return self._verdicts[number]

    return self._encoded.enumerate().filter(
        lambda number, encoded: tf.ensure_shape(
            tf.numpy_function(check, [number, encoded], tf.bool), [])
    ).map(lambda number, encoded: encoded)

  def _check(self, number, encoded):
    """Returns whether an image is large enough and whole; says if it is not."""
    name = f"{self.pattern}, image {number}"
    try:
      if min(image_size(encoded, name)) < self.min_size:
        return False
      any_rgb_image(encoded, name)
    except ImageError as error:
      _LOG.warning("skipped: %s", error)
      return False
    return True
