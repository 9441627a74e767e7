"""Distances for losses that see more than squared errors, by name."""

from tfc_models import metrics, torch_file
from tfc_models.errors import UsageError

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
    return metrics.wasserstein
  paths = name.removeprefix(_LPIPS).split(",")
  if not name.startswith(_LPIPS) or len(paths) != 2:
    raise UsageError(
        f"perceptual must be {WASSERSTEIN} or {_LPIPS}ALEXNET.pth,LINEAR.pth, got {name!r}")
  try:
    return metrics.Lpips(*(torch_file.read(path).arrays for path in paths))
  except ValueError as error:
    raise UsageError(f"{' and '.join(paths)}: {error}") from None
