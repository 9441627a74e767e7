"""Batches of training patches from a folder or glob of images."""

import logging
import threading

import numpy as np
import tensorflow as tf

from tfc_models.datasets import patches
from tfc_models.datasets.files import (
    find_images,
    image_size,
    read_image,
    rgb_image,
)
from tfc_models.errors import ImageError, UsageError

_LOG = logging.getLogger(__name__)


class ImageStore:
  """The usable images of a folder or glob, kept decoded while memory lasts.

  Args:
    pattern: folder (searched recursively) or glob.
    min_size: int, images with a shorter side are skipped and counted, broken
      ones too.
    cache_mib: decoded images are kept up to this many MiB.

  Raises:
    UsageError: if no usable image is left.
  """

  def __init__(self, pattern, min_size, cache_mib=2048):
    self.pattern = pattern
    self.paths = []
    self.too_small = self.broken = 0
    for path in find_images(pattern):
      try:
        if min(image_size(path)) < min_size:
          self.too_small += 1
        else:
          self.paths.append(path)
      except ImageError as error:
        _LOG.warning("skipped: %s", error)
        self.broken += 1
    skipped = (f"{self.too_small} below {min_size} pixels a side, "
               f"{self.broken} unreadable")
    if not self.paths:
      raise UsageError(f"{pattern}: no usable image ({skipped})")
    _LOG.info("%s: %d images (skipped: %s)", pattern, len(self.paths), skipped)
    self._budget = cache_mib * 2**20
    self._cache = {}
    self._lock = threading.Lock()

  def __len__(self):
    return len(self.paths)

  def get(self, index):
    """Returns image `index` as a PIL image in RGB; None if it is broken inside."""
    if index in self._cache:
      return self._cache[index]
    try:
      image = rgb_image(read_image(self.paths[index]))
    except ImageError as error:
      _LOG.warning("skipped: %s", error)
      image = None
    with self._lock:
      size = 0 if image is None else 3 * image.width * image.height
      if index not in self._cache and size <= self._budget:
        self._budget -= size
        self._cache[index] = image
    return image

  def pictures(self, seed):
    """Yields every image once as a PIL image in RGB, in an order of chance."""
    for number in np.random.default_rng(seed).permutation(len(self)):
      image = self.get(int(number))
      if image is not None:
        yield image

  def patch(self, index, *, patch_size, seed, max_downscale):
    """Returns patch number `index`, see `patches.cut`.

    Raises:
      UsageError: if every image turns out to be broken.
    """
    number = patches.locate(index, len(self), seed)
    for _ in range(len(self)):
      image = self.get(number)
      if image is not None:
        return patches.cut(
            image, index, patch_size=patch_size, seed=seed,
            max_downscale=max_downscale)
      number = (number + 1) % len(self)
    raise UsageError(f"{self.pattern}: no usable image (all are broken inside)")

  def batches(self, *, batch_size, patch_size, first_batch=0, num_batches=None,
              seed=0, max_downscale=1.0):
    """Returns a `tf.data.Dataset` of uint8 (batch_size, patch, patch, 3).

    Batch n does not depend on where the sequence starts, so an interrupted
    training continues with the data that it would have seen.

    Args:
      batch_size: patches a batch.
      patch_size, seed, max_downscale: see `patches.cut`.
      first_batch: number of the first batch.
      num_batches: length, None for no end.
    """
    def patch(index):
      return np.ascontiguousarray(self.patch(
          int(index), patch_size=patch_size, seed=seed,
          max_downscale=max_downscale))

    return numbered_batches(
        patch, batch_size, (patch_size, patch_size, 3), first_batch, num_batches)


def numbered_batches(patch, batch_size, shape, first_batch, num_batches):
  """Returns a dataset of batches of what `patch` makes of each number.

  Args:
    patch: function of a number to a uint8 array.
    batch_size: patches a batch.
    shape: of that array.
    first_batch: number of the first batch.
    num_batches: length, None for no end.
  """
  end = (tf.int64.max if num_batches is None
         else (first_batch + num_batches) * batch_size)
  indexes = tf.data.Dataset.range(first_batch * batch_size, end)
  return batch_patches(indexes, patch, batch_size, shape).prefetch(4)


def batch_patches(dataset, patch, batch_size, shape):
  """Returns a dataset of batches of what `patch` makes of each element.

  Args:
    dataset: `tf.data.Dataset` of tensors, or of tuples of them.
    patch: function of their NumPy values to a uint8 array.
    batch_size: patches a batch.
    shape: of that array.
  """
  return (
      dataset
      .map(lambda *element: tf.ensure_shape(
          tf.numpy_function(patch, element, tf.uint8), shape),
           num_parallel_calls=2, deterministic=True)
      .batch(batch_size, drop_remainder=True))
