"""What a file holds beside the picture of a model: transparency, and deeper samples.

Both ways: an image to the 8-bit picture that a model codes and planes, and back.
"""

from typing import NamedTuple

import numpy as np

from tfc_models.bitstream import plane
from tfc_models.codecs.base import check_image
from tfc_models.codecs.transparency import filled
from tfc_models.datasets.deep import scaled
from tfc_models.errors import BitstreamError, ImageError, UsageError
from tfc_models.strips import strips

LOSSLESS = 100
# Channels in the order of their planes, by how many there are: green comes first.
_ORDERS = {1: (0,), 3: (1, 0, 2)}


class Parts(NamedTuple):
  """An image, taken apart.

  Attributes:
    picture: uint8 (H, W, 1 or 3), for a model.
    colours: the same with all that shall come back, of `bits` a sample.
    bits: 8..16.
    is_deep: whether the image is of uint16.
    alpha: dict of the coded transparency by its name; empty without.
  """

  picture: np.ndarray
  colours: np.ndarray
  bits: int
  is_deep: bool
  alpha: dict


def parted(image, alpha_quality=LOSSLESS):
  """Returns the uint8 picture (H, W, 1 or 3) of an image, and its planes by name.

  Arguments and errors as of `taken_apart`.
  """
  parts = taken_apart(image, alpha_quality)
  return parts.picture, beside(parts)


def beside(parts):
  """Returns a dict of the coded planes that go with the picture of `Parts`."""
  if not parts.is_deep:
    return parts.alpha
  return {"samples": tuple(
      plane.write(part, parts.bits)
      for part in _differences(parts.colours, parts.bits)), **parts.alpha}


def taken_apart(image, alpha_quality=LOSSLESS):
  """Returns the `Parts` of an image.

  Args:
    image: uint8 or uint16 array (H, W) or (H, W, 1 to 4); of 2 and 4 channels the last
      one is transparency, 0 where nothing is seen. The samples of uint16 are kept as
      they are, beside the picture.
    alpha_quality: 1..100, as of `FileOptions`.

  Raises:
    ImageError: if it is another.
    UsageError: if `alpha_quality` lies outside.
  """
  if alpha_quality not in range(1, LOSSLESS + 1):
    raise UsageError(f"alpha_quality must lie in 1..{LOSSLESS}, got {alpha_quality}")
  image = np.asarray(image)
  if image.ndim == 2:
    image = image[..., None]
  if image.ndim != 3 or image.shape[-1] not in range(1, 5) or 0 in image.shape:
    raise ImageError(
        "`image` must have shape (H, W) or (H, W, 1 to 4 channels), got "
        f"{image.shape}")
  if image.dtype not in (np.uint8, np.uint16):
    raise ImageError(
        "`image` must hold uint8 values in 0..255, or uint16 values in 0..65535, got "
        f"{image.dtype}")
  is_deep, has_alpha = image.dtype == np.uint16, image.shape[-1] in (2, 4)
  colours = image[..., :-1] if has_alpha else image
  picture = check_image(rescaled(colours, np.uint8))
  if has_alpha:
    picture = filled(picture, image[..., -1])
  bits = 8
  if is_deep:
    bits = _fewest_bits(image)
    colours = rescaled(colours, np.uint16, 65535, 2**bits - 1)
    if has_alpha:
      colours = _covered(colours, image[..., -1:], picture, 2**bits - 1)
  found = {}
  if has_alpha:
    alpha = rescaled(image[..., -1], image.dtype, None, 2**bits - 1)
    found["alpha"] = (
        plane.write(quantised(alpha, alpha_quality, 2**bits - 1), bits),)
  return Parts(picture, colours if is_deep else picture, bits, is_deep, found)


def quantised(alpha, quality, largest=255):
  """Returns transparency of fewer levels, as many as WebP keeps at a quality.

  They are evenly spaced, with 0 and the largest among them: an error is at most half a
  step, 9 of 255 at quality 70, which has 16 levels.

  Source: libwebp, `alpha_q` of cwebp.

  Args:
    alpha: integers (H, W) in 0..largest.
    quality: 1..100; 100 keeps all.
    largest: what is seen wholly.
  """
  if quality == LOSSLESS:
    return alpha
  steps = (2 + quality // 5 if quality <= 70 else 16 + (quality - 70) * 8) - 1
  return rescaled(
      rescaled(alpha, np.uint16, largest, steps), np.uint16, steps, largest)


def joined(picture, stream, box=None):
  """Returns the image of a picture and the transparency of its stream.

  Args:
    picture: uint8 or uint16 (H, W, 1 or 3).
    stream: `bitstream.Stream`.
    box: `bitstream.Box` of the whole that the picture is; None if it is that.

  Returns:
    array (H, W, 1 to 4) of the same type.

  Raises:
    BitstreamError: if a plane is damaged.
  """
  strings = stream.planes.get("alpha")
  if strings is None:
    return picture
  (alpha,), largest = _planes("alpha", strings, 1, stream.header, box)
  alpha = rescaled(alpha, picture.dtype, largest)
  return np.concatenate([picture, alpha[..., None]], axis=-1)


def deep_picture(stream, box=None):
  """Returns the uint16 picture (H, W, 1 or 3) of a stream, or a `bitstream.Box` of it.

  None if it has none.

  It does not depend on what a model decodes, so that it is the same on all machines.

  Raises:
    BitstreamError: if it is damaged.
  """
  strings = stream.planes.get("samples")
  if strings is None:
    return None
  channels = stream.header.channels
  parts, largest = _planes("samples", strings, channels, stream.header, box)
  picture, (first, *others) = None, _ORDERS[channels]
  for channel, part in zip((first, *others), parts):
    if picture is None:
      picture = np.empty((*part.shape, channels), np.uint16)
    picture[..., channel] = part
  for channel in others:
    # Sums are modulo 2**16, of which 2**bits is a part.
    picture[..., channel] += picture[..., first]
    picture[..., channel] &= largest
  return rescaled(picture, np.uint16, largest)


def rescaled(image, dtype, largest=None, new_largest=None):
  """Returns an image in other units, its whole range as the whole of these, rounded.

  Args:
    image: array of unsigned integers.
    dtype: of the result.
    largest: its largest value; None for that of its type.
    new_largest: likewise of the result.
  """
  largest = largest or np.iinfo(image.dtype).max
  new_largest = new_largest or np.iinfo(dtype).max
  if largest == new_largest:
    return image.astype(dtype, copy=False)
  result = np.empty(image.shape, dtype)
  for rows in strips(image):
    result[rows] = scaled(image[rows], largest, new_largest)
  return result


def _fewest_bits(image):
  """Returns how many bits keep all of a uint16 image, 8..16.

  A picture of 10 bits, say, that was spread over all 16 is one of 10.
  """
  def keep_all(bits, part):
    largest = 2**bits - 1
    return (scaled(scaled(part, 65535, largest), largest, 65535) == part).all()

  return next((bits for bits in range(8, 16) if all(
      keep_all(bits, image[rows]) for rows in strips(image))), 16)


def _covered(colours, alpha, picture, largest):
  """Returns colours (H, W, C) in 0..largest: those of a picture where alpha is 0."""
  result = np.empty_like(colours)
  for rows in strips(colours):
    hidden = rescaled(picture[rows], np.uint16, 255, largest)
    result[rows] = np.where(alpha[rows] == 0, hidden, colours[rows])
  return result


def _differences(colours, bits):
  """Yields planes (H, W) of an image: grey, or green and what others differ by."""
  first, *others = _ORDERS[colours.shape[-1]]
  yield colours[..., first]
  for channel in others:
    part = colours[..., channel] - colours[..., first]
    part &= 2**bits - 1
    yield part


def _planes(name, strings, count, header, box):
  """Returns an iterator of planes (H, W), or of a part, and their largest value.

  Raises:
    BitstreamError: if they are damaged.
  """
  if len(strings) != count:
    raise BitstreamError(
        f"the stream holds {name} in {len(strings)} strings, wanted {count}")
  depths = {plane.depth(string) for string in strings}
  if len(depths) != 1 or min(depths) < 8:
    text = ", ".join(map(str, sorted(depths)))
    raise BitstreamError(f"the stream holds {name} of {text} bits, wanted 8 to 16")
  parts = (plane.read(string, header.height, header.width)[0] for string in strings)
  if box:
    # Copies, so that the whole goes.
    parts = (box.of(part).copy() for part in parts)
  return parts, 2**depths.pop() - 1
