"""`tfcm maps`: attention masks and importance maps of photographs, as pictures."""

import io
import os

from tfc_models.cli import files
from tfc_models.cli.console import printable
from tfc_models.datasets.files import read_image
from tfc_models.errors import UsageError
from tfc_models.fileio import write_atomically

EPILOG = """\
Each photograph becomes FOLDER/NAME.png: itself, and beside it each map, from black where
its network weighs least to white where it weighs most. The weights printed are means of
all channels: of an importance map the share of channels that is coded at a site, of
attention the mask."""


def add_arguments(parser):
  parser.epilog = EPILOG
  parser.add_argument("inputs", nargs="+", metavar="IMAGE", help="photographs")
  parser.add_argument(
      "--model", required=True, metavar="NAME|DIR",
      help="weights of a model with attention or a map, such as balle-li")
  parser.add_argument(
      "--quality", type=int, metavar="1..100",
      help="of shipped weights, the nearest is taken (default 50)")
  parser.add_argument(
      "-o", "--output", default="maps", metavar="FOLDER",
      help="where pictures go (default maps)")
  parser.add_argument(
      "--overwrite", action="store_true", help="replace existing pictures")


def run(arguments):
  outputs = [
      os.path.join(
          arguments.output, os.path.splitext(os.path.basename(path))[0] + ".png")
      for path in arguments.inputs]
  for path in outputs:
    if outputs.count(path) > 1:
      raise UsageError(f"{path}: two inputs would be written there")
  files.check_outputs([*zip(arguments.inputs, outputs)], arguments.overwrite)
  images = [read_image(path) for path in arguments.inputs]
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models import codecs
  from tfc_models.evaluation.pictures import side_by_side
  from tfc_models.inspection import maps
  codec = codecs.load(
      arguments.model, arguments.quality, kinds=("image",), effort=1)
  for path, output, image in zip(arguments.inputs, outputs, images):
    row = [(os.path.basename(path), image)]
    for each in maps.maps(codec, image):
      low, mean, high = (
          f"{value:.3f}" for value in (
              each.weights.min(), each.weights.mean(), each.weights.max()))
      row.append((f"{each.name}  {low} to {high}", each.picture(*image.shape[:2])))
      print(printable(
          f"{path}: {each.name}, {each.weights.shape[0]}x{each.weights.shape[1]} "
          f"sites, {low} to {high}, mean {mean}"))
    buffer = io.BytesIO()
    side_by_side([row]).save(buffer, "PNG")
    write_atomically(output, buffer.getvalue(), overwrite=arguments.overwrite)
    print(printable(output))
  return 0
