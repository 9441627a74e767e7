"""What a file holds beside the picture of a model: its transparency.

Both ways: an image to the picture that a model codes and planes, and back.
"""

import numpy as np

from tfc_models.bitstream import plane
from tfc_models.codecs.base import check_image
from tfc_models.codecs.transparency import filled
from tfc_models.errors import BitstreamError, ImageError, UsageError

LOSSLESS = 100


def parted(image, alpha_quality=LOSSLESS):
  """Returns the uint8 picture (H, W, 1 or 3) of an image, and its planes by name.

  Args:
    image: uint8 array (H, W) or (H, W, 1 to 4); of 2 and 4 channels the last one is
      transparency, 0 where nothing is seen.
    alpha_quality: 1..100, as of `FileOptions`.

  Raises:
    ImageError: if it is another.
    UsageError: if `alpha_quality` lies outside.
  """
  if alpha_quality not in range(1, LOSSLESS + 1):
    raise UsageError(f"alpha_quality must lie in 1..{LOSSLESS}, got {alpha_quality}")
  image = np.asarray(image)
  if not has_alpha(image):
    return check_image(image), {}
  alpha = image[..., -1]
  picture = filled(check_image(image[..., :-1]), alpha)
  return picture, {"alpha": (plane.write(quantised(alpha, alpha_quality)),)}


def has_alpha(image):
  """Returns whether the last channel of an array is transparency.

  Raises:
    ImageError: if it is no image.
  """
  if image.ndim not in (2, 3) or image.ndim == 3 and image.shape[-1] not in range(
      1, 5) or 0 in image.shape:
    raise ImageError(
        "`image` must have shape (H, W) or (H, W, 1 to 4 channels), got "
        f"{image.shape}")
  return image.ndim == 3 and image.shape[-1] in (2, 4)


def quantised(alpha, quality):
  """Returns transparency of fewer levels, as many as WebP keeps at a quality.

  They are evenly spaced, with 0 and 255 among them: an error is at most half a step,
  9 of 255 at quality 70, which has 16 levels.

  Source: libwebp, `alpha_q` of cwebp.

  Args:
    alpha: uint8 (H, W).
    quality: 1..100; 100 keeps all.
  """
  if quality == LOSSLESS:
    return alpha
  steps = (2 + quality // 5 if quality <= 70 else 16 + (quality - 70) * 8) - 1
  level = (alpha.astype(np.int32) * steps + 127) // 255
  return ((level * 255 + steps // 2) // steps).astype(np.uint8)


def joined(picture, stream):
  """Returns the image of a picture and the planes of its stream.

  Args:
    picture: uint8 (H, W, 1 or 3).
    stream: `bitstream.Stream`.

  Returns:
    uint8 array (H, W, 1 to 4).

  Raises:
    BitstreamError: if a plane is damaged.
  """
  alpha = alpha_of(stream)
  return picture if alpha is None else np.concatenate(
      [picture, alpha[..., None]], axis=-1)


def alpha_of(stream):
  """Returns the uint8 transparency (H, W) of a stream; None if all is seen.

  Raises:
    BitstreamError: if it is damaged.
  """
  strings = stream.planes.get("alpha")
  if strings is None:
    return None
  if len(strings) != 1:
    raise BitstreamError(f"the stream holds transparency in {len(strings)} strings")
  alpha, bits = plane.read(strings[0], stream.header.height, stream.header.width)
  if bits != 8:
    raise BitstreamError(f"the stream holds transparency of {bits} bits, wanted 8")
  return alpha.astype(np.uint8)
