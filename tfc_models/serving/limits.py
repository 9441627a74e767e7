"""What a request may ask for: so many at once, so many pixels."""

import threading

from tfc_models import bitstream
from tfc_models.bitstream.header import read_header
from tfc_models.datasets.files import JPEG_MAGIC, PNG_MAGIC, claimed_pixels
from tfc_models.errors import BitstreamError
from tfc_models.serving.status import ServingError, invalid

# How images begin that may be of many more pixels than bytes.
_COMPRESSED = (PNG_MAGIC, JPEG_MAGIC, b"GIF8")


class Gate:
  """Counts the requests that are under way and refuses more than a limit.

  Args:
    limit: how many may be under way.

  Attributes:
    inside: how many are.
    passed: how many were.
  """

  def __init__(self, limit):
    self.limit = limit
    self.inside = self.passed = 0
    self._changed = threading.Condition()

  def enter(self):
    """Counts one request more.

    Raises:
      ServingError: if there are too many.
    """
    with self._changed:
      if self.inside >= self.limit:
        raise ServingError(
            "RESOURCE_EXHAUSTED",
            f"{self.limit} requests are under way or queued; try again later")
      self.inside += 1

  def leave(self):
    """Counts one request less."""
    with self._changed:
      self.inside -= 1
      self.passed += 1
      self._changed.notify_all()

  def wait_until_empty(self, seconds):
    """Returns whether none was inside before so many seconds had passed."""
    with self._changed:
      return self._changed.wait_for(lambda: not self.inside, seconds)


def check_pixels(inputs, max_pixels):
  """Raises ServingError if images claim too many pixels, undecoded.

  A few bytes can claim a picture that takes gigabytes. Looked at are images and
  `.tfcm` files in the inputs that hold bytes, those named `*_bytes`.

  Args:
    inputs: dict from name to array.
    max_pixels: of all images of the request together.
  """
  for name, array in inputs.items():
    if array.dtype == object and name.endswith("_bytes"):
      pixels = sum(_pixels(name, data) for data in array.flat)
      if pixels > max_pixels:
        raise invalid(
            f"input {name}: claims {pixels} pixels, more than the {max_pixels} "
            "of a request")


def _pixels(name, data):
  if data.startswith(bitstream.MAGIC):
    try:
      header, _ = read_header(memoryview(data))
    except BitstreamError:
      return 0  # The model says what is wrong with it.
    return header.height * header.width
  pixels = claimed_pixels(data)
  if not pixels and data.startswith(_COMPRESSED):
    # Another decoder may read what Pillow does not.
    raise invalid(f"input {name}: an image whose header cannot be read")
  return pixels
