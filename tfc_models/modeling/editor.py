"""The contract of an editor: it chooses what a plain format stores."""

import abc
import io
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf
from PIL import Image

from tfc_models.bitstream import jpeg
from tfc_models.modeling.model import Model, Trial
from tfc_models.modeling.settings import Settings
from tfc_models.ops import jpeg as jpeg_ops


class Edited(NamedTuple):
  """What a JPEG file stores of an image, not subsampled.

  Attributes:
    coefficients: (1, H / 8, W / 8, 3, 8, 8) whole numbers, quantised, of Y, Cb,
      Cr; see `ops.jpeg.coefficients_of`.
    tables: (2, 8, 8) whole numbers in 1..255, the steps of Y and of Cb and Cr.
  """

  coefficients: tf.Tensor
  tables: tf.Tensor


class EditorModel(Model):
  """Edits images so that a JPEG of them is smaller or better; any decoder reads it.

  A paper writes `call`, `edit` and the class facts of `Model`; the rest follows.
  """

  downsampling_factor = 8
  latents = ("jpeg",)

  @abc.abstractmethod
  def edit(self, x, settings: Settings) -> Edited:
    """Returns the `Edited` of one image.

    In `call`, not training, x_hat is what a decoder makes of it, before it rounds,
    and the bits of "jpeg" estimate the file without its header.

    Args:
      x: (1, H, W, 3) float in [0, 1], padded.
      settings: `Settings`.
    """

  def compress(self, image: np.ndarray, settings: Settings = Settings(),
               metadata: Optional[dict] = None) -> bytes:
    """Returns the bytes of a JPEG of a uint8 image (H, W, 1 or 3).

    Args:
      image: what to code; of a grey one only Y is written.
      settings: `Settings`.
      metadata: as of `bitstream.jpeg.write`.

    Raises:
      UsageError: if baseline JPEG cannot hold it.
    """
    height, width, channels = image.shape
    edited = self.edit(self.to_batch(image), settings)
    # Only what was padded further than to whole blocks is left out.
    rows, columns = (-(-side // jpeg.BLOCK) for side in (height, width))
    coefficients, tables = (
        np.rint(value).astype(np.int64) for value in edited)
    return jpeg.write(
        coefficients[0, :rows, :columns, :channels], tables, height, width,
        metadata)

  def shown(self, image: np.ndarray, settings: Settings = Settings()) -> np.ndarray:
    """Returns what a decoder makes of `compress`, before it rounds colours.

    Args:
      image: uint8 (H, W, 3).
      settings: `Settings`.

    Returns:
      float (H, W, 3), 0 to 255.
    """
    height, width, _ = image.shape
    coefficients, tables = self.edit(self.to_batch(image), settings)
    x_hat = jpeg_ops.image_of(
        coefficients * tf.gather(tables, jpeg_ops.TABLES)[None, None, None],
        limited=True)
    return np.clip(255.0 * x_hat[0, :height, :width].numpy(), 0.0, 255.0)

  def estimate(self, image: np.ndarray, settings: Settings = Settings()) -> float:
    """Returns the bits that `call` estimates of a uint8 image (H, W, 3)."""
    output = self(self.to_batch(image), settings=settings)
    return sum(float(bits[0]) for bits in output.bits.values())

  def trial(self, sample: np.ndarray) -> Trial:
    data = self.compress(sample)
    decoded = np.asarray(Image.open(io.BytesIO(data)))
    return Trial(
        np.concatenate([sample, decoded], axis=1),
        self.estimate(sample), 8 * len(data))
