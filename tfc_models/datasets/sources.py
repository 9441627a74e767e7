"""A name to the images behind it."""

from tfc_models.datasets import crops, tfds_images


def open_images(pattern, min_size, *, cache_mib=2048, image_key="image",
                download=False):
  """Returns the images behind a name, an object with `batches`.

  Args:
    pattern: folder (recursive), glob, or "tfds:NAME[:SPLIT]".
    min_size: int, images with a shorter side are skipped.
    cache_mib: of a folder, see `crops.ImageStore`.
    image_key, download: of a tfds set, see `tfds_images.TfdsImages`.

  Raises:
    UsageError: if there is no usable image.
  """
  if pattern.startswith(tfds_images.PREFIX):
    return tfds_images.TfdsImages(pattern, min_size, image_key, download)
  return crops.ImageStore(pattern, min_size, cache_mib)
