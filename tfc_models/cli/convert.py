"""`tfcm convert`: published weights of others as training directories."""

import json
import os
import re

from tfc_models.cli.console import printable
from tfc_models.cli.main import report
from tfc_models.errors import TfcmError, UsageError

EPILOG = """\
Takes CompressAI's checkpoints of bmshj2018-factorized, bmshj2018-hyperprior,
mbt2018-mean and mbt2018, which only data is read from, and the graphs that
tensorflow/compression publishes of the first three, of which only arithmetic runs.
The same file gives the same fingerprint everywhere. Weights stay under the licence of
whoever trained them."""


def add_arguments(parser):
  parser.epilog = EPILOG
  parser.add_argument(
      "inputs", nargs="+", metavar="FILE",
      help="checkpoints (.pth.tar) or graphs (.metagraph); their names say quality and "
      "metric, if they are published ones")
  parser.add_argument(
      "-o", "--output", required=True, metavar="DIR",
      help="training directory to write; of several files, a folder each below it")
  parser.add_argument(
      "--model", metavar="NAME", help="refuse files of another network")
  parser.add_argument(
      "--quality", type=int, metavar="1..8",
      help="of CompressAI's zoo, for files whose names do not say it")
  parser.add_argument(
      "--float", action="store_true", dest="is_float",
      help="keep networks of real numbers: all digits, but streams decode only where "
      "they were made")
  parser.add_argument(
      "--images", metavar="GLOB",
      help="photographs of the self-test (default those of scikit-image)")
  parser.add_argument(
      "--json", action="store_true", help="print one JSON object a file")
  parser.add_argument(
      "--overwrite", action="store_true", help="replace existing files")


def run(arguments):
  pairs = _pairs(arguments)
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models.convert import convert
  failed = False
  for path, output in pairs:
    try:
      facts = convert(
          path, output, arguments.model, arguments.quality, arguments.is_float,
          arguments.images, arguments.overwrite)
    except TfcmError as error:
      report(error, path)
      failed = True
      continue
    if arguments.json:
      print(json.dumps({"output": output, **facts}))
    else:
      print(printable(f"{output}: {_describe(facts)}"))
  return 1 if failed else 0


def _pairs(arguments):
  """Returns a list of file and directory."""
  for path in arguments.inputs:
    if not os.path.isfile(path):
      raise UsageError(f"{path}: no such file")
  if len(arguments.inputs) == 1:
    return [(arguments.inputs[0], arguments.output)]
  pairs = [
      # Without the hash, so that the folders of a curve differ in the quality alone.
      (path, os.path.join(arguments.output, re.sub(
          r"(-[0-9a-f]{8})?(\.pth)?(\.tar|\.metagraph)?$", "", os.path.basename(path))))
      for path in arguments.inputs]
  if len(dict(map(reversed, pairs))) < len(pairs):
    raise UsageError("two files of one name; convert them one by one")
  return pairs


def _describe(facts):
  parts = [f"{facts['model']}, {facts['parameters'] / 1e6:.1f} M parameters",
           f"fingerprint {facts['fingerprint']}"]
  test = facts["self_test"]
  if test:
    parts.append(f"integers cost {test['excess']:.2%} and "
                 f"{test['real_psnr'] - test['integer_psnr']:.3f} dB, "
                 f"{test['clipped']:.2%} of activations clipped")
  elif facts["scales"]:
    parts.append("not tested: --images names photographs")
  if "licence" in facts:
    parts.append(facts["licence"])
  return ", ".join(parts)
