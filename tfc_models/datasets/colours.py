"""ICC profiles applied: pixels of other colours to sRGB."""

import io

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"CMYK": "CMYK", "L": "GRAY", "RGB": "RGB"}
# Colours by which a profile is told from sRGB: 9 steps of each channel.
_PROBE = np.stack(np.meshgrid(*[np.linspace(0, 255, 9).round()] * 3), axis=-1).reshape(
    1, -1, 3).astype(np.uint8)


def to_srgb(image, profile):
  """Returns uint8 sRGB pixels of an image, (H, W, 1) of grey ones, otherwise (H, W, 3).

  By relative colorimetric intent with black point compensation; colours outside sRGB
  become the nearest at its edge. Where the profile is that of sRGB, within a level, the
  pixels stay as they are.

  Args:
    image: PIL image of mode CMYK, L or RGB.
    profile: bytes of its profile.

  Raises:
    ValueError: if the profile is broken, or of other colours than the image.
  """
  try:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip()
    if space != _SPACES[image.mode]:
      raise ValueError(f"it is of {space} colours, the pixels are {image.mode}")
    transform = ImageCms.buildTransform(
        source, ImageCms.createProfile("sRGB"), image.mode, "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION)
  except (ImageCms.PyCMSError, OSError):
    raise ValueError("it is broken") from None
  if image.mode == "RGB":
    probe = np.asarray(ImageCms.applyTransform(Image.fromarray(_PROBE), transform))
    if np.abs(probe.astype(np.int32) - _PROBE).max() <= 1:
      return np.asarray(image)
  array = np.asarray(ImageCms.applyTransform(image, transform))
  return array[..., 1:2] if image.mode == "L" else array
