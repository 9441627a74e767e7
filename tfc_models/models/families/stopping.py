"""Tiles of an image that stop taking bits: spatially adaptive bit rates."""

import dataclasses

import tensorflow as tf

from tfc_models import metrics
from tfc_models.entropy_models import read_flags, write_flags
from tfc_models.errors import BitstreamError
from tfc_models.ops.checks import require


@dataclasses.dataclass(frozen=True)
class Tiles:
  """Which tiles have stopped.

  Attributes:
    stopped: (H, W) bool tensor.
    side: of a tile, in pixels.

  Source: Johnston et al., CVPR 2018, arXiv:1703.10114, section 3.2.
  Departs: the decoder learns of each stop where it happens, not from a map in front,
    so that prefixes of a file stay files.
  """

  stopped: tf.Tensor
  side: int

  @classmethod
  def of(cls, height, width, side):
    """Returns the tiles of an image, none of them stopped."""
    return cls(tf.zeros([height // side, width // side], tf.bool), side)

  def all(self):
    """Returns whether all have stopped, a scalar."""
    return tf.reduce_all(self.stopped)

  def stop(self, x, x_hat, psnr):
    """Stops those that have as many dB.

    Args:
      x, x_hat: (1, H, W, 3) float, in [0, 1] or a little outside.
      psnr: dB.

    Returns:
      bytes that say which, a scalar string, and the new `Tiles`.
    """
    height, width = self.stopped.shape
    error = tf.square(x - tf.clip_by_value(x_hat, 0.0, 1.0))
    error = tf.reduce_mean(
        tf.reshape(error, [height, self.side, width, self.side, 3]),
        axis=(1, 3, 4))
    reached = metrics.psnr_from_mse(255.0**2 * error) >= psnr
    flags = write_flags(tf.boolean_mask(reached, ~self.stopped))
    return flags, dataclasses.replace(self, stopped=self.stopped | reached)

  def read(self, flags):
    """Returns the `Tiles` after those stopped that the bytes of `stop` say.

    Raises:
      BitstreamError: if they can say nothing.
    """
    going = tf.where(~self.stopped)
    require(
        (tf.strings.length(flags) == 0) | (tf.shape(going)[0] > 0), BitstreamError,
        "tiles stop that have stopped before")
    return dataclasses.replace(self, stopped=tf.tensor_scatter_nd_update(
        self.stopped, going, read_flags(flags, tf.shape(going)[0])))

  # Where tiles are sites of the code, those that stop can be left out of it.

  def count(self):
    """Returns how many go on, a scalar."""
    return tf.reduce_sum(tf.cast(~self.stopped, tf.int32))

  def going(self, code):
    """Returns (1, n, 1, D), what goes on of a code, (1, H, W, D)."""
    return tf.boolean_mask(code, ~self.stopped, axis=1)[:, :, None]

  def put_back(self, code):
    """Returns a code of which `going` gives `code`; 1 elsewhere."""
    shape = [*self.stopped.shape, code.shape[-1]]
    return tf.tensor_scatter_nd_update(
        tf.ones(shape), tf.where(~self.stopped), code[0, :, 0])[None]

  def spread(self, factor=1):
    """Returns (1, H, W, 1) bool of the sites that lie `factor` pixels apart."""
    times = self.side // factor
    spread = tf.repeat(tf.repeat(self.stopped, times, axis=0), times, axis=1)
    return spread[None, ..., None]
