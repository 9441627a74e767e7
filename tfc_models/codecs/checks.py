"""What decoders accept, by the header alone and without TensorFlow."""

from tfc_models.errors import TooLargeError, WrongWeightsError

# What decoders accept unless told otherwise: a few bytes may claim a picture that
# takes minutes and all memory. A file of iterations takes as long as so many
# pictures; the first four are free.
MAX_PIXELS = 2**25
_FREE_ITERATIONS = 4
# A picture in tiles takes memory for a few of them at a time, and its bytes. Planes
# beside it are decoded whole, each at about as many bytes a pixel.
_TILED_SHARE = 1 / 8


def check_pixels(header, iterations, max_pixels, plane_count=0):
  """Raises TooLargeError if an image is more work than a limit allows.

  Args:
    header: `bitstream.Header`.
    iterations: of its file.
    max_pixels: of an image that is decoded once.
    plane_count: of planes of samples beside it.
  """
  height, width, side = header.height, header.width, header.settings.get("tile")
  if side:
    share = _TILED_SHARE * (1 + plane_count)
    work = max(share * height * width, min(side, height) * min(side, width))
    times = 1
  else:
    times = max(1, iterations / _FREE_ITERATIONS)
    work = height * width * times
  if work > max_pixels:
    more = f" in {iterations} iterations" if times > 1 else (
        f" in tiles of {side}" if side else "")
    raise TooLargeError(
        f"an image of {width}x{height}{more} is beyond the limit "
        f"of {max_pixels} pixels", argument="max_pixels")


def check_planes(header, count, max_pixels):
  """Raises TooLargeError if planes of samples alone are more than a limit allows.

  Args:
    header: `bitstream.Header`.
    count: of planes.
    max_pixels: of an image that a model decodes.
  """
  if _TILED_SHARE * count * header.height * header.width > max_pixels:
    raise TooLargeError(
        f"an image of {header.width}x{header.height} in {count} planes is beyond the "
        f"limit of {max_pixels} pixels", argument="max_pixels")


def check_weights(header, model, fingerprint):
  """Raises WrongWeightsError unless a header names these weights.

  Args:
    header: `bitstream.Header`.
    model: registered name.
    fingerprint: 4 bytes.
  """
  if not fingerprint.startswith(header.fingerprint):
    raise WrongWeightsError(
        f"the stream was made with weights {header.fingerprint.hex()}, "
        f"these are {fingerprint.hex()}")
  if header.model not in (model, ""):
    raise WrongWeightsError(
        f"the stream names the model {header.model}, its weights are of {model}")
