"""Tiles of an image that stop taking bits: spatially adaptive bit rates."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfc_models import metrics
from tfc_models.entropy_models import read_flags, write_flags
from tfc_models.errors import BitstreamError


@dataclasses.dataclass(frozen=True)
class Tiles:
  """Which tiles have stopped.

  Attributes:
    stopped: (H, W) bool.
    side: of a tile, in pixels.

  Source: Johnston et al., CVPR 2018, arXiv:1703.10114, section 3.3.
  Departs: the decoder learns of each stop where it happens, not from a map in front,
    so that prefixes of a file stay files.
  """

  stopped: np.ndarray
  side: int

  @classmethod
  def of(cls, height, width, side):
    """Returns the tiles of an image, none of them stopped."""
    return cls(np.zeros([height // side, width // side], bool), side)

  def any(self):
    """Returns whether one has stopped."""
    return bool(self.stopped.any())

  def all(self):
    """Returns whether all have."""
    return bool(self.stopped.all())

  def stop(self, x, x_hat, psnr):
    """Stops those that have as many dB.

    Args:
      x, x_hat: (1, H, W, 3) float, in [0, 1] or a little outside.
      psnr: dB.

    Returns:
      bytes that say which, and the new `Tiles`.
    """
    height, width = self.stopped.shape
    error = tf.square(x - tf.clip_by_value(x_hat, 0.0, 1.0))
    error = tf.reduce_mean(
        tf.reshape(error, [height, self.side, width, self.side, 3]),
        axis=(1, 3, 4))
    reached = metrics.psnr_from_mse(255.0**2 * error).numpy() >= psnr
    flags = write_flags(reached[~self.stopped])
    return flags, dataclasses.replace(self, stopped=self.stopped | reached)

  def read(self, flags):
    """Returns the `Tiles` after those stopped that the bytes of `stop` say.

    Raises:
      BitstreamError: if they can say nothing.
    """
    if not flags:
      return self
    stopped = self.stopped.copy()
    if stopped.all():
      raise BitstreamError("tiles stop that have stopped before")
    stopped[~stopped] = read_flags(flags, np.sum(~stopped))
    return dataclasses.replace(self, stopped=stopped)

  def spread(self, factor=1):
    """Returns (1, H, W, 1) bool of the sites that lie `factor` pixels apart."""
    times = self.side // factor
    return self.stopped.repeat(times, axis=0).repeat(times, axis=1)[None, ..., None]
