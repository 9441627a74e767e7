"""The contract of a codec: all that evaluation sees."""

import abc

import numpy as np

from tfc_models.errors import ImageError


class Codec(abc.ABC):
  """Turns an image into the bytes of a complete file and back.

  Attributes:
    name: what tables and plots call it.
    extension: of its files, with the dot.
  """

  name = None
  extension = None

  @abc.abstractmethod
  def encode(self, image, settings=None):
    """Returns the bytes of a file.

    Args:
      image: uint8 array (H, W, 3), (H, W, 1) or (H, W).
      settings: of the codec; None for what it was made with.
    """

  @abc.abstractmethod
  def decode(self, data):
    """Returns the uint8 array (H, W, 3), or (H, W, 1) for a grey image."""


def check_image(image):
  """Returns `image` as (H, W, 1 or 3).

  Raises:
    ImageError: if it is not a uint8 array of such a shape.
  """
  image = np.asarray(image)
  if image.dtype != np.uint8:
    raise ImageError(
        f"`image` must hold uint8 values in 0..255, got {image.dtype}")
  if image.ndim == 2:
    image = image[..., None]
  if image.ndim != 3 or image.shape[-1] not in (1, 3) or 0 in image.shape:
    raise ImageError(
        f"`image` must have shape (H, W), (H, W, 1) or (H, W, 3), "
        f"got {image.shape}")
  return image
