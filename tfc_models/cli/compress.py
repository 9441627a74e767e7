"""`tfcm compress`: images to `.tfcm` files."""

import time

from tfc_models.cli import files
from tfc_models.datasets.files import EXTENSIONS, read_image


def add_arguments(parser):
  files.add_arguments(parser, "images", "a .tfcm file")
  parser.add_argument(
      "--model", default="tfcm-base", help="name of shipped weights, training "
      "directory or weight file (default tfcm-base)")
  parser.add_argument(
      "--quality", type=int, metavar="1..100",
      help="the nearest shipped rate is taken")


def run(arguments):
  pairs = files.expand(arguments, EXTENSIONS, ".tfcm")
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models import codecs
  codec = codecs.load(arguments.model, arguments.quality)

  def work(name, data, output):
    image = read_image(data, name)
    start = time.perf_counter()
    result = codec.encode(image)
    height, width = image.shape[:2]
    return result, {
        "model": codec.model.registered_name, "quality": codec.quality,
        "height": height, "width": width, "bytes": len(result),
        "bpp": round(8 * len(result) / (height * width), 4),
        "source_bytes": len(data),
        "seconds": round(time.perf_counter() - start, 3)}

  return files.process(pairs, work, arguments, _describe)


def _describe(facts):
  quality = facts["quality"]
  return (
      f"{facts['output']}: {facts['width']}x{facts['height']}, "
      f"{facts['bytes']} bytes, {facts['bpp']:.3f} bpp, "
      f"{facts['model']}{'' if quality is None else f' quality {quality}'}, "
      f"{facts['seconds']:.2f} s")
