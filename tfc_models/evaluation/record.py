"""One codec on one image: bytes, distortion, seconds."""

import dataclasses
from typing import Optional

import numpy as np

from tfc_models import metrics
from tfc_models.evaluation.coding import code


@dataclasses.dataclass(frozen=True)
class Record:
  """What a codec made of an image, and how good it is.

  Attributes:
    codec: its name.
    num_bytes: of the complete file.
    bpp: bits per pixel of the complete file.
    mse, psnr, psnr_y, ms_ssim, ssim: as of `metrics.Comparison`.
    encode_seconds, decode_seconds, peak_mib: as of `coding.Coded`.
    wasserstein, lpips: as of `metrics.Likeness`.
    data: the file's bytes.
    decoded: uint8 array.
  """

  codec: str
  num_bytes: int
  bpp: float
  mse: float
  psnr: float
  psnr_y: float
  ms_ssim: Optional[float]
  ssim: Optional[float]
  encode_seconds: float
  decode_seconds: float
  peak_mib: float
  data: bytes = dataclasses.field(repr=False)
  decoded: np.ndarray = dataclasses.field(repr=False)
  wasserstein: Optional[float] = None
  lpips: Optional[float] = None


def measure(codec, image, settings=None):
  """Returns the `Record` of a `codecs.Codec` on a uint8 image (H, W, C)."""
  return judge(codec.name, image, code(codec, image, settings))


def judge(name, image, coded, lpips=""):
  """Returns the `Record` of what a codec of that name made of an image.

  Args:
    name: of the codec.
    image: uint8 array (H, W, C).
    coded: `Coded`.
    lpips: files as of `metrics.likeness`.

  Raises:
    ImageError: if the decoded image has another size.
    UsageError: if there are no such files.
  """
  height, width = image.shape[:2]
  return Record(
      codec=name, num_bytes=len(coded.data),
      bpp=metrics.bits_per_pixel(len(coded.data), height, width),
      **dataclasses.asdict(metrics.compare(image, coded.decoded)),
      encode_seconds=coded.encode_seconds,
      decode_seconds=coded.decode_seconds, peak_mib=coded.peak_mib,
      data=coded.data, decoded=coded.decoded,
      **dataclasses.asdict(metrics.likeness(image, coded.decoded, lpips)))


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
