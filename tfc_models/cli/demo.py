"""`tfcm demo`: photographs, shipped weights, and other formats at equal bytes."""

import io
import os

from tfc_models.codecs.loading import DEFAULT_MODEL
from tfc_models.datasets.files import read_image
from tfc_models.datasets.samples import photographs
from tfc_models.errors import UsageError
from tfc_models.fileio import write_atomically

_WINDOW = 256  # Side of the detail that the picture shows.
# Of weights for all rates, those that it shows.
_QUALITIES = (25, 50, 75)
_RIVALS = ("jpeg-optimized", "webp-m6", "avif")


def add_arguments(parser):
  parser.add_argument(
      "inputs", nargs="*", metavar="IMAGE",
      help="photographs; by default those of scikit-image")
  parser.add_argument(
      "-o", "--output", default="demo", metavar="FOLDER",
      help="where files and pictures go (default demo)")
  parser.add_argument("--model", default=DEFAULT_MODEL, help="shipped weights")


def run(arguments):
  images = _images(arguments.inputs)
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models import codecs
  from tfc_models.codecs import classical
  from tfc_models.evaluation import at_equal_bytes, measure
  from tfc_models.evaluation.pictures import side_by_side
  qualities = _qualities(arguments.model)
  rivals = [
      family for family in (classical.FAMILIES[name] for name in _RIVALS)
      if not family.missing()]
  print(f"{'photograph':<12} {'codec':<22} {'bytes':>7} {'bpp':>6} {'PSNR':>6} "
        f"{'MS-SSIM':>8} {'encode':>8} {'decode':>8}")
  pictures = {name: [] for name in images}
  for quality in qualities:
    codec = codecs.load(arguments.model, quality)
    codec.warm_up(images[next(iter(images))])
    for name, image in images.items():
      ours = measure(codec, image)
      # The next larger files, so that no advantage comes from bytes.
      theirs = [
          at_equal_bytes(family.make, image, ours.num_bytes, *_limits(family))[1]
          for family in rivals]
      _print(name, ours)
      for record in theirs:
        _print("", record)
      stream = os.path.join(arguments.output, f"{name}-q{quality}.tfcm")
      write_atomically(stream, ours.data, overwrite=True)
      pictures[name].append([
          (_label(record), _detail(record.decoded)) for record in (ours, *theirs)])
  for name, image in images.items():
    rows = [[("original", _detail(image)), *row] for row in pictures[name]]
    path = os.path.join(arguments.output, f"{name}.png")
    buffer = io.BytesIO()
    side_by_side(rows).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue(), overwrite=True)
    print(f"{path}: original, {arguments.model} and others at equal bytes")
  return 0


def _qualities(model):
  """Returns what to show of shipped weights.

  Raises:
    UsageError: if there are none.
  """
  from tfc_models import pretrained
  entries = [
      entry for entry in pretrained.manifest() if entry["name"] == model]
  if not entries:
    raise UsageError(f"--model={model}: no shipped weights")
  if "quality" in entries[0]["kodak"].get("curve", ()):
    return _QUALITIES
  return [entry["quality"] for entry in entries]


def _limits(family):
  """Returns the qualities to search; beyond 95, JPEG files only grow."""
  low, high = family.limits
  return max(low, 1), min(high, 95)


def _images(paths):
  """Returns a dict from name to uint8 image."""
  if paths:
    return {
        os.path.splitext(os.path.basename(path))[0]: read_image(path)
        for path in paths}
  return photographs()


def _detail(image):
  """Returns the central window of an image."""
  height, width = image.shape[:2]
  top = max(height - _WINDOW, 0) // 2
  left = max(width - _WINDOW, 0) // 2
  return image[top:top + _WINDOW, left:left + _WINDOW]


def _label(record):
  return f"{record.codec.split(' ')[0]} {record.bpp:.3f} bpp {record.psnr:.2f} dB"


def _print(name, record):
  ssim = "-" if record.ms_ssim is None else f"{record.ms_ssim:.4f}"
  # Without the options of other formats: their name and quality.
  codec = " ".join(
      word for word in record.codec.split() if "=" not in word or "quality" in word)
  print(f"{name:<12} {codec:<22} {record.num_bytes:>7} {record.bpp:>6.3f} "
        f"{record.psnr:>6.2f} {ssim:>8} {record.encode_seconds:>7.3f}s "
        f"{record.decode_seconds:>7.3f}s", flush=True)
