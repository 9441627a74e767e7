"""Entry point: finds the verb, turns errors into a line and an exit code.

Exit codes: 0 success; 1 usage or input and output, as far as it goes the rest
is still done; 2 a damaged stream, or one whose model or weights are missing;
130 interrupted, 143 told to end.
"""

import importlib
import os
import sys

from absl import logging
from absl.flags import argparse_flags

from tfc_models.cli import console
from tfc_models.errors import BitstreamError, TfcmError

VERBS = {
    "compress": "code images into .tfcm files",
    "decompress": "turn .tfcm files back into images",
    "info": "say what a .tfcm file holds, without decoding it",
    "verify": "check .tfcm files for damage, without decoding them",
    "models": "list the shipped weights and the recipes",
    "train": "train a model on your own images",
    "convert": "make weights of CompressAI and tfc ours",
    "evaluate": "compare codecs on images: rate, distortion, time, BD-rate",
    "plot": "draw an evaluation",
    "compare": "compare two images, or what codecs make of one",
    "maps": "show where attention and importance maps lie",
    "thumbnails": "compare codecs on 32x32 images at a few bytes",
    "benchmark": "time coding and training, stage by stage",
    "export": "write weights for TensorFlow Serving and other runtimes",
    "serve": "serve SavedModels as TensorFlow Serving does",
    "zoo": "train and release shipped weights (maintainers)",
    "demo": "compress photographs and compare with JPEG",
}

# What the command line calls arguments of the library that errors name.
HINTS = {
    "anchors": "--anchor names one",
    "codecs": "--codecs names some",
    "flavor": "--flavor=full carries any image model",
    "config": "see `tfcm models`",
    "depth": "--depth 8 rounds it, --depth 16 keeps it",
    "keep": "light pixels of the --keep image are kept",
    "is_float": "--float keeps them real",
    "limit_mib": "--bundle_mib sets the limit",
    "max_pixels": "--max_pixels raises it",
    "model": "--model names others, a training directory too",
    "model_path": "--model_path or TFCM_MODEL_PATH names their folder",
    "name": "--name gives it another",
    "overwrite": "--overwrite replaces it",
    "page": "--pages codes each into a file of its own",
    "region": "--region is X,Y,W,H",
    "tile": "--tile 0 codes it in one piece",
    "timeout": "--timeout sets the limit",
}


class _Parser(argparse_flags.ArgumentParser):
  """Usage errors take one line and exit code 1."""

  def error(self, message):
    print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
    sys.exit(1)


def parse(argv):
  """Returns the parsed arguments; `run` is the function of the verb."""
  parser = _Parser(
      prog="tfcm", description="Learned image compression.",
      epilog="`tfcm VERB --help` explains a verb. Exit codes: 0 success, "
      "1 usage or input and output, 2 a damaged or unknown stream.")
  verbs = parser.add_subparsers(
      title="verbs", dest="verb", metavar="VERB", required=True,
      parser_class=_Parser)
  # Only the verb in use is imported, so that the others cost nothing.
  chosen = _verb(argv)
  for verb, summary in VERBS.items():
    sub = verbs.add_parser(
        verb, help=summary, description=summary[0].upper() + summary[1:] + ".",
        inherited_absl_flags=None)
    if verb == chosen:
      module = importlib.import_module(f"tfc_models.cli.{verb}")
      module.add_arguments(sub)
      sub.set_defaults(run=module.run)
  arguments, rest = parser.parse_known_args(argv[1:])
  if rest and not hasattr(arguments, "overrides"):
    parser.error(f"unknown arguments: {' '.join(rest)}")
  if rest:
    arguments.overrides = rest
  return arguments


def _verb(argv):
  return next((word for word in argv[1:] if not word.startswith("-")), None)


def main(arguments):
  """Runs a verb and returns the exit code."""
  try:
    return arguments.run(arguments)
  except TfcmError as error:
    return report(error)
  except KeyboardInterrupt as error:
    print("tfcm: interrupted", file=sys.stderr)
    return getattr(error, "code", 130)
  except BrokenPipeError:
    return 1  # The reader of our output has gone, as `head` does.
  except OSError as error:
    return report(error.strerror or error, error.filename or "output")
  except Exception as error:
    if not _is_memory(error):
      raise
    return report(error)


def report(error, name=None):
  """Prints an error in one line on stderr and returns its exit code.

  Args:
    error: exception or text.
    name: file that it concerns, put in front unless the text begins with it.
  """
  text = " ".join(_text(error).split())
  if name and not text.startswith((f"{name}:", f"{name} (page ", "<stdin>:")):
    text = f"{name}: {text}"
  hint = HINTS.get(getattr(error, "argument", None))
  print(console.printable(f"tfcm: {text}{f'; {hint}' if hint else ''}"),
        file=sys.stderr)
  return 2 if isinstance(error, BitstreamError) else 1


def _text(error):
  """Returns what an error says, with its kind where it is not one of ours."""
  if isinstance(error, (str, TfcmError)):
    return str(error)
  if _is_memory(error):
    return "not enough memory for it"
  lines = str(error).strip().splitlines()
  return f"unexpected {type(error).__name__}: {lines[0] if lines else 'no reason'}"


def _is_memory(error):
  """Returns whether an error, of TensorFlow too, says that memory is used up."""
  return isinstance(error, MemoryError) or (
      type(error).__name__ == "ResourceExhaustedError")


def run(verb=None):
  """Runs the command line of this process, for one verb if given."""
  # TensorFlow's start-up notes are of no use to those who code images.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  argv = sys.argv if verb is None else [sys.argv[0], verb, *sys.argv[1:]]
  console.prepare(_verb(argv))
  # Not by `app.run`: a module of TensorFlow that is imported within it, as verbs do,
  # creates the context before eager execution is on, and then tensors in graphs have
  # no `==` and `init_scope` is not eager.
  logging.use_absl_handler()
  try:
    sys.exit(_main_and_leave(parse(argv)))
  except KeyboardInterrupt as error:  # While a verb was loaded.
    print("tfcm: interrupted", file=sys.stderr)
    console.leave(getattr(error, "code", 130))


def _main_and_leave(arguments):
  """Ends the process without TensorFlow's teardown, which takes a second."""
  code = main(arguments)
  if arguments.verb in ("train", "zoo"):
    return code  # Whatever a training framework does on its way out.
  try:
    sys.stdout.flush()
  except OSError as error:
    code = code or report(error.strerror, "stdout")
  console.leave(code)
