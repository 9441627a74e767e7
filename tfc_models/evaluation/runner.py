"""One codec on one image: bytes, distortion, seconds."""

import dataclasses
import time
from typing import Optional

import numpy as np

from tfc_models import metrics
from tfc_models.ops import image as image_ops


@dataclasses.dataclass(frozen=True)
class Record:
  """What a codec made of an image.

  Attributes:
    codec: its name.
    num_bytes: of the complete file.
    bpp: bits per pixel of the complete file.
    psnr: dB, over all samples of the 8-bit images.
    ms_ssim: 0 to 1; None where a side is below `metrics.MS_SSIM_MIN_SIZE`.
    encode_seconds, decode_seconds: wall clock.
    data: the file's bytes.
    decoded: uint8 array.
  """

  codec: str
  num_bytes: int
  bpp: float
  psnr: float
  ms_ssim: Optional[float]
  encode_seconds: float
  decode_seconds: float
  data: bytes = dataclasses.field(repr=False)
  decoded: np.ndarray = dataclasses.field(repr=False)


def measure(codec, image, settings=None):
  """Returns the `Record` of a `codecs.Codec` on a uint8 image (H, W, C)."""
  start = time.perf_counter()
  data = codec.encode(image, settings)
  encoded = time.perf_counter()
  decoded = codec.decode(data)
  done = time.perf_counter()
  height, width = image.shape[:2]
  return Record(
      codec.name, len(data), metrics.bits_per_pixel(len(data), height, width),
      float(metrics.psnr(image, decoded)), _ms_ssim(image, decoded),
      encoded - start, done - encoded, data, decoded)


def at_equal_bytes(make_codec, image, num_bytes, low=1, high=95):
  """Returns the records of the two qualities whose sizes enclose `num_bytes`.

  Args:
    make_codec: quality, an int, to `Codec`; sizes grow with quality.
    image: uint8 array (H, W, C).
    num_bytes: of the complete file.
    low, high: qualities to search.

  Returns:
    The `Record` not above `num_bytes` and the next larger one; both the
    smallest if even that is larger, both the largest if that is smaller.
  """
  sizes = {}

  def size(quality):
    if quality not in sizes:
      sizes[quality] = len(make_codec(quality).encode(image))
    return sizes[quality]

  if size(low) > num_bytes:
    high = low
  elif size(high) <= num_bytes:
    low = high
  while high - low > 1:
    middle = (low + high) // 2
    if size(middle) > num_bytes:
      high = middle
    else:
      low = middle
  return measure(make_codec(low), image), measure(make_codec(high), image)


def interpolate_psnr(below, above, num_bytes):
  """Returns the PSNR between two records at a size, linear in log bytes."""
  if below.num_bytes == above.num_bytes:
    return below.psnr
  return float(np.interp(
      np.log(num_bytes), np.log([below.num_bytes, above.num_bytes]),
      [below.psnr, above.psnr]))


def _ms_ssim(image, decoded):
  if min(image.shape[:2]) < metrics.MS_SSIM_MIN_SIZE:
    return None
  return float(metrics.ms_ssim(
      image_ops.to_float(image[None]), image_ops.to_float(decoded[None]))[0])
