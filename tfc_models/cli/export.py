"""`tfcm export`: weights as numbered versions that servers and runtimes load."""

import json

from tfc_models.cli.console import printable
from tfc_models.codecs.checks import MAX_PIXELS
from tfc_models.codecs.loading import DEFAULT_MODEL

# As `export.FLAVORS`, which would load TensorFlow.
_FLAVORS = ("full", "split", "onnx", "tflite")
EPILOG = """\
full: images to .tfcm streams and back, for servers with the operations of
tensorflow_compression, such as `tfcm serve`. split: networks alone, for any server of
TensorFlow; clients run the range coder (tfc_models.serving.Client). onnx, tflite: the
networks of split for other runtimes."""


def add_arguments(parser):
  parser.epilog = EPILOG
  parser.add_argument(
      "--model", default=DEFAULT_MODEL, metavar="NAME|DIR",
      help="shipped weights, training directory or weight file "
      f"(default {DEFAULT_MODEL})")
  parser.add_argument(
      "--quality", type=int, metavar="1..100",
      help="of shipped weights, the nearest is taken (default 50)")
  parser.add_argument(
      "-o", "--output", required=True, metavar="BASE",
      help="folder of all models; BASE/NAME/VERSION is written, with the next free "
      "number")
  parser.add_argument(
      "--flavor", choices=_FLAVORS, default="full", help="what to write (default full)")
  parser.add_argument(
      "--name", metavar="NAME",
      help="of the model at the server (default its registered name)")
  parser.add_argument(
      "--max_pixels", type=int, default=MAX_PIXELS, metavar="N",
      help=f"the export refuses larger images (default {MAX_PIXELS})")
  parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments):
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models.export import export
  path, facts = export(
      arguments.model, arguments.quality, arguments.output, arguments.flavor,
      arguments.name, arguments.max_pixels)
  if arguments.json:
    print(json.dumps({"path": path, **facts}))
  else:
    print(printable(
        f"{path}: {facts['model']}"
        + ("" if facts["quality"] is None else f" q{facts['quality']}")
        + f", {facts['flavor']}, fingerprint {facts['fingerprint']}"))
  return 0
