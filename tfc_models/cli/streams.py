"""What `info` and `verify` share: reading many streams without TensorFlow."""

import json

from tfc_models import bitstream
from tfc_models.cli.console import printable
from tfc_models.cli.main import report
from tfc_models.fileio import read_bytes, read_stdin


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
      data = read_stdin() if name == "-" else read_bytes(name)
      facts = facts_of(data, bitstream.read(data))
    except Exception as error:
      codes.append(report(error, "<stdin>" if name == "-" else name))
      continue
    if arguments.json:
      print(json.dumps({"file": name, **facts}))
    else:
      print(printable(describe(name, facts)))
  return max(codes)
