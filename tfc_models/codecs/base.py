"""The contracts of a codec and of a family of them: all that evaluation sees."""

import abc
import importlib.metadata
from typing import Optional

import numpy as np

from tfc_models.errors import ImageError, UsageError


class Codec(abc.ABC):
  """Turns an image into the bytes of a complete file and back.

  Attributes:
    name: what tables and plots call it.
    extension: of its files, with the dot.
    program_mib: the most memory that programs took which the last call ran; 0
      for codecs inside this process.
  """

  name: str = None
  extension: str = None
  program_mib: float = 0.0

  @abc.abstractmethod
  def encode(self, image, settings=None):
    """Returns the bytes of a file.

    Args:
      image: uint8 array (H, W, 3), (H, W, 1) or (H, W); learned codecs of images
        take transparency too.
      settings: of the codec; None for what it was made with.
    """

  @abc.abstractmethod
  def decode(self, data: bytes) -> np.ndarray:
    """Returns the uint8 array (H, W, 3), or (H, W, 1) for a grey image.

    Of an image with transparency, (H, W, 4) or (H, W, 2).
    """

  def warm_up(self, image):
    """Makes later calls take their usual time."""
    for _ in range(2):  # Models that code a first image eagerly trace at the second.
      self.decode(self.encode(image))


class Family(abc.ABC):
  """A codec at several settings, which make the points of one curve.

  Subclasses are frozen dataclasses, which travel to other processes.

  Attributes:
    name: what tables and plots call it.
    settings: tuple of numbers or texts, each a point of the curve; (None,)
      where there is nothing to set.
  """

  @abc.abstractmethod
  def make(self, setting) -> Codec:
    """Returns the `Codec` at a setting."""

  @abc.abstractmethod
  def facts(self, setting) -> dict:
    """Returns a dict, for JSON, of all that the bytes depend on.

    Tools with their versions, options, weights. Cheap, and without TensorFlow.
    """

  def label(self, setting) -> str:
    """Returns what messages and pictures call the codec at a setting."""
    return self.name if setting is None else f"{self.name}@{setting}"

  def missing(self) -> Optional[str]:
    """Returns what has to be installed first, or None."""
    return None

  def check(self, setting):  # noqa: B027
    """Raises UsageError unless the codec can be made at `setting`."""


def check_nothing(name, setting):
  """Raises UsageError unless `setting` is None."""
  if setting is not None:
    raise UsageError(f"{name} has nothing to set, got {setting!r}")


def check_range(name, setting, low, high):
  """Raises UsageError unless `setting` is a number in `low`..`high`."""
  if not isinstance(setting, (int, float)) or not low <= setting <= high:
    raise UsageError(f"{name} takes settings from {low} to {high}, got {setting!r}")


def version_of(package):
  """Returns the version of an installed package, or None."""
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return None


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
  if image.ndim == 3 and image.shape[-1] in (2, 4):
    raise ImageError(
        f"an `image` of shape {image.shape} has transparency, which this codec does "
        "not keep; flatten it onto a background first")
  if image.ndim != 3 or image.shape[-1] not in (1, 3) or 0 in image.shape:
    raise ImageError(
        f"`image` must have shape (H, W), (H, W, 1) or (H, W, 3), "
        f"got {image.shape}")
  return image


def plain(image):
  """Returns `image` as imaging libraries take it: grey ones as (H, W)."""
  image = check_image(image)
  return image[..., 0] if image.shape[-1] == 1 else image
