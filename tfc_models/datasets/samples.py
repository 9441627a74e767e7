"""Photographs that are there without a download."""

from tfc_models.errors import UsageError

# Inside the scikit-image wheel.
_PHOTOGRAPHS = ("astronaut", "coffee", "chelsea")


def photographs():
  """Returns a dict from name to uint8 image (H, W, 3).

  Raises:
    UsageError: if scikit-image is not installed.
  """
  try:
    from skimage import data
  except ImportError:
    raise UsageError(
        "the demo photographs need scikit-image: pip install 'tfc_models[demo]'"
        ", or name photographs of your own") from None
  return {name: getattr(data, name)() for name in _PHOTOGRAPHS}
