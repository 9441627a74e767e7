"""Distances for losses that see more than squared errors, by name."""

from tfc_models import torch_file
from tfc_models.errors import UsageError
from tfc_models.metrics.lpips import Lpips
from tfc_models.metrics.wasserstein import wasserstein

WASSERSTEIN = "wasserstein"
_LPIPS = "lpips:"


def create(name):
  """Returns a function of x, x_hat, (B, H, W, 3) in [0, 1], to their distances, (B,).

  Args:
    name: "wasserstein", see `metrics.wasserstein`, which needs nothing; or
      "lpips:ALEXNET,LINEAR", see `metrics.Lpips`, with the paths of two files of torch:
      torchvision's AlexNet (alexnet-owt-7be5be79.pth), and alex.pth of the authors.

  Raises:
    UsageError: if there is no such distance, or no such files.
  """
  if name == WASSERSTEIN:
    return wasserstein
  if not name.startswith(_LPIPS):
    raise UsageError(
        f"perceptual must be {WASSERSTEIN} or {_LPIPS}ALEXNET.pth,LINEAR.pth, got {name!r}")
  return lpips_of(name.removeprefix(_LPIPS))


def lpips_of(files):
  """Returns `Lpips` of "ALEXNET,LINEAR", see `create`."""
  paths = files.split(",")
  if len(paths) != 2:
    raise UsageError(f"LPIPS needs ALEXNET.pth,LINEAR.pth, got {files!r}")
  try:
    return Lpips(*(torch_file.read(path).arrays for path in paths))
  except ValueError as error:
    raise UsageError(f"{' and '.join(paths)}: {error}") from None
