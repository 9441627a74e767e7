"""What `info` and `verify` share: reading many streams without TensorFlow."""

import json
import sys

from tfc_models import bitstream
from tfc_models.cli.main import report
from tfc_models.errors import TfcmError
from tfc_models.fileio import read_bytes


def add_arguments(parser):
  parser.add_argument(
      "inputs", nargs="+", metavar="FILE", help=".tfcm files, or - for stdin")
  parser.add_argument(
      "--json", action="store_true", help="print one JSON object a file")


def each(arguments, facts_of, describe):
  """Prints the facts of each file, an error line for others; the exit code.

  Args:
    arguments: parsed.
    facts_of: (data, `bitstream.Stream`) to dict.
    describe: (name, facts) to text.
  """
  codes = [0]
  for name in arguments.inputs:
    try:
      data = sys.stdin.buffer.read() if name == "-" else read_bytes(name)
      facts = facts_of(data, bitstream.read(data))
    except TfcmError as error:
      codes.append(report(error, name))
      continue
    if arguments.json:
      print(json.dumps({"file": name, **facts}))
    else:
      print(describe(name, facts))
  return max(codes)
