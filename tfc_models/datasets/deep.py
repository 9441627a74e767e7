"""Image files of more than 8 bits a sample, which Pillow reads in part or cuts to 8.

PNG, TIFF, JPEG 2000 and AVIF by imagecodecs, an optional package, and what it gives is
held against what Pillow makes of the same file. Grey PNG and PPM need nothing more.
"""

import numpy as np

from tfc_models.datasets import pixels, turns
from tfc_models.errors import ImageError
from tfc_models.strips import strips

FULL = 65535
_DECODERS = {
    "AVIF": "avif_decode", "JPEG2000": "jpeg2k_decode", "PNG": "png_decode",
    "TIFF": "tiff_decode"}
# Grey levels of 255 by which two decoders may differ, who round or cut, and interpolate
# colours at other precisions.
_TOLERANCE = 3


def read(image, data, bits, orientation, name):
  """Returns the upright pixels of a file: uint16 (H, W, 1 to 4) in 0..`FULL`.

  Args:
    image: PIL image of it, loaded, at the page that is wanted.
    data: bytes of the file.
    bits: a sample, of `depth.bits`, 9..16.
    orientation: of `turns.stored_orientation`.
    name: of the file, for messages.

  Raises:
    ImageError: if nobody here reads such a file, or two readers differ.
  """
  wants_alpha = image.has_transparency_data
  if image.format == "PPM":
    largest, samples = _ppm(data, name)
  elif image.format == "PNG" and image.mode == "I;16" and not wants_alpha:
    largest, samples = FULL, np.asarray(image)
  else:
    largest, samples = 2**bits - 1, _by_imagecodecs(image, data, bits, name)
  if samples.ndim == 2:
    samples = samples[..., None]
  if largest != FULL or samples.dtype != np.uint16 or not samples.flags.writeable:
    samples = converted(samples, np.uint16, lambda part: scaled(part, largest, FULL))
  rounded = turns.upright(samples, orientation)
  known = turns.upright(_by_pillow(image), turns.orientation(image))
  if known.shape[-1] == rounded.shape[-1] + 2:  # Pillow knows no grey of such kinds.
    known = known[..., 2:] if known.shape[-1] == 4 else known[..., :1]
  if rounded.shape != known.shape or any(
      np.abs(np.int32(to_8_bits(rounded[rows])) - known[rows]).max() > _TOLERANCE
      for rows in strips(known)):
    raise ImageError(
        f"{name}: two readers differ in what they make of its {bits} bits a sample; "
        "convert it to a PNG file first")
  return rounded


def scaled(samples, largest, new_largest):
  """Returns integers in 0..largest as such in 0..new_largest, rounded; int64."""
  samples = np.asarray(samples, np.int64)
  if largest == new_largest:
    return samples
  return (samples * new_largest + largest // 2) // largest


def to_8_bits(samples):
  """Returns uint16 samples in 0..`FULL` as uint8, rounded."""
  return converted(samples, np.uint8, lambda part: (part.astype(np.int32) + 128) // 257)


def converted(array, dtype, function):
  """Returns a function of an array, (H, ...), in strips, as another type."""
  result = np.empty(array.shape, dtype)
  for rows in strips(array):
    result[rows] = function(array[rows])
  return result


def _by_pillow(image):
  """Returns what Pillow makes of it, (H, W, 1 to 4) in 0..255."""
  if image.mode.startswith("I"):  # Grey; of 16 bits, transparent values included.
    grey = np.asarray(image).astype(np.int32)[..., None] >> 8
    if image.has_transparency_data:
      seen = np.asarray(image) != image.info["transparency"]
      grey = np.concatenate([grey, 255 * seen[..., None]], axis=-1)
    return grey
  return pixels.of_image(image)


def _by_imagecodecs(image, data, bits, name):
  """Returns the samples of a file, uint16 (H, W) or (H, W, C)."""
  try:
    import imagecodecs
  except ImportError:
    raise ImageError(
        f"{name}: to read {bits} bits a sample of {image.format} files takes the "
        "package imagecodecs (pip install imagecodecs)") from None
  if image.format not in _DECODERS:
    raise ImageError(f"{name}: {bits} bits a sample of {image.format} are not read")
  has_pages = getattr(image, "n_frames", 1) > 1 and image.format in ("AVIF", "TIFF")
  page = {"index": image.tell()} if has_pages else {}
  samples = getattr(imagecodecs, _DECODERS[image.format])(data, **page)
  if samples.dtype != np.uint16:
    raise ImageError(
        f"{name}: {bits} bits a sample, as {samples.dtype}; wanted unsigned integers "
        "of 9 to 16 bits")
  return samples


def _ppm(data, name):
  """Returns the largest value of a PGM or PPM file, and its samples.

  Source: netpbm, pgm(5) and ppm(5): two bytes a sample, the larger first.
  """
  if data[:2] not in (b"P5", b"P6"):
    raise ImageError(f"{name}: of PPM files, P5 and P6 are read at more than 8 bits")
  position, numbers = 2, []
  while len(numbers) < 3:
    while data[position:position + 1].isspace() or data[position:position + 1] == b"#":
      # A comment reaches to the end of its line.
      position = (data.index(b"\n", position) if data[position:position + 1] == b"#"
                  else position + 1)
    end = position
    while data[end:end + 1].isdigit():
      end += 1
    numbers.append(int(data[position:end]))
    position = end
  width, height, largest = numbers
  channels = 1 if data[:2] == b"P5" else 3
  samples = np.frombuffer(
      data, ">u2", height * width * channels, position + 1)
  return largest, np.minimum(samples, largest).reshape(height, width, channels)
