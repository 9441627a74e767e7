"""Inputs and outputs of the verbs that take many files."""

import collections
import concurrent.futures
import json
import os
import sys
import traceback

import tqdm

from tfc_models.cli.console import printable
from tfc_models.cli.main import report
from tfc_models.errors import TfcmError, UsageError
from tfc_models.fileio import (
    check_output,
    find_files,
    read_bytes,
    read_stdin,
    remove_leftovers,
    write_atomically,
    write_pieces,
)

STREAM = "-"


def add_arguments(parser, inputs, output):
  """Adds the arguments that all such verbs share."""
  parser.add_argument(
      "inputs", nargs="+", metavar="INPUT",
      help=f"{inputs}, folders of them, or - for stdin")
  parser.add_argument(
      "-o", "--output", help=f"{output}, a folder, or - for stdout; by default "
      "beside the input with another extension")
  parser.add_argument(
      "--overwrite", action="store_true", help="replace existing files")
  parser.add_argument(
      "--recursive", action="store_true", help="search folders to the bottom")
  parser.add_argument(
      "--jobs", type=int, default=1, metavar="N",
      help="files at a time, or tiles of a large image (default 1)")
  parser.add_argument(
      "--json", action="store_true", help="print one JSON object a file")
  parser.add_argument(
      "--verbose", action="store_true", help="print a line a file")


def expand(arguments, extensions, extension, split=None):
  """Returns the list of (input path, output path) that are asked for.

  Args:
    arguments: parsed, see `add_arguments`.
    extensions: of the files that are picked from folders, lower case.
    extension: of the outputs; or a function from the path of an input to it.
    split: function of a pair to the list of pairs in its place.

  Raises:
    UsageError: if inputs are missing, or outputs collide or exist.
  """
  if arguments.jobs < 1:
    raise UsageError(f"--jobs must be at least 1, got {arguments.jobs}")
  found = []  # (path, name below the output folder)
  for path in arguments.inputs:
    if path == STREAM:
      found.append((STREAM, STREAM))
    elif os.path.isdir(path):
      found += _walk(path, extensions, arguments.recursive)
    elif os.path.exists(path):
      found.append((path, os.path.basename(path)))
    else:
      raise UsageError(f"{path}: no such file or folder")
  pairs = [
      (path, _output(path, name, arguments.output,
                     extension(path) if callable(extension) else extension,
                     len(found)))
      for path, name in found]
  if split:
    pairs = [made for pair in pairs for made in split(*pair)]
  check_outputs(pairs, arguments.overwrite)
  return pairs


def jobs_each(arguments, pairs):
  """Returns how many jobs are left for each file of `expand`."""
  return max(1, arguments.jobs // len(pairs))


def _walk(folder, extensions, recursive):
  found = [
      (path, os.path.relpath(path, folder))
      for path in find_files(folder, extensions, recursive)]
  if not found:
    below = "" if recursive else " (--recursive searches below it)"
    raise UsageError(f"{folder}: no input files in this folder{below}")
  return found


def _output(path, name, output, extension, count):
  if output is None:
    return STREAM if path == STREAM else os.path.splitext(path)[0] + extension
  if output == STREAM:
    return STREAM
  if count > 1 or os.path.isdir(output) or output.endswith(os.sep):
    if path == STREAM:
      raise UsageError("-o must name a file for input from stdin")
    return os.path.join(output, os.path.splitext(name)[0] + extension)
  return output


def check_outputs(pairs, overwrite):
  """Refuses before any work what would lose data.

  Args:
    pairs: list of (input path, output path).
    overwrite: whether existing files may be replaced.

  Raises:
    UsageError: if outputs exist, collide, or would replace an input.
  """
  # Spelt as the file system does: ./x and x are one file.
  inputs = {os.path.realpath(path) for path, _ in pairs if path != STREAM}
  outputs = [
      output if output == STREAM else os.path.realpath(output)
      for _, output in pairs]
  counts = collections.Counter(outputs)
  for (path, output), real in zip(pairs, outputs):
    if output == STREAM:
      if counts[real] > 1:
        raise UsageError(f"{path}: another input writes {output} too")
      continue
    if real in inputs or os.path.exists(output) and os.path.exists(
        path) and os.path.samefile(path, output):
      raise UsageError(f"{path}: the output would replace the input")
    check_output(output, overwrite)
    if counts[real] > 1 and (
        os.path.isfile(output) or not os.path.exists(output)):
      raise UsageError(f"{path}: another input writes {output} too")


def read_input(path):
  """Returns the bytes of a file, or of stdin."""
  return read_stdin() if path == STREAM else read_bytes(path)


def process(pairs, work, arguments, describe, read=read_input):
  """Runs `work` on all files; one failure does not stop the others.

  An interruption stops all at once: who catches it should end the process, whose
  threads may still be at a file each.

  Args:
    pairs: of `expand`.
    work: (name, bytes, output path) to (bytes, dict of facts). Instead of bytes it
      may give an iterable of them, during which facts may still change.
    arguments: parsed.
    describe: dict of facts to a line of text.
    read: path of an input to what `work` gets for its bytes.

  Returns:
    The exit code: 0, or the highest of all failures.
  """
  # What is said must not mix with the data.
  out = sys.stderr if any(o == STREAM for _, o in pairs) else sys.stdout
  for folder in {os.path.dirname(output) or "." for _, output in pairs}:
    remove_leftovers(folder)
  codes = [0]
  pool = concurrent.futures.ThreadPoolExecutor(arguments.jobs)
  try:
    futures = [
        pool.submit(_one, path, output, work, arguments.overwrite, read)
        for path, output in pairs]
    bar = tqdm.tqdm(futures, disable=None, unit="file", leave=False)
    for (path, _), future in zip(pairs, bar):
      try:
        facts = future.result()
      except BrokenPipeError:
        raise
      except Exception as error:
        codes.append(report(error, "<stdin>" if path == STREAM else path))
        if arguments.verbose and not isinstance(error, TfcmError):
          traceback.print_exception(error)
        continue
      if arguments.json:
        tqdm.tqdm.write(json.dumps(facts), file=out)
      elif arguments.verbose or len(pairs) == 1:
        tqdm.tqdm.write(printable(describe(facts)), file=out)
  except BaseException:
    pool.shutdown(wait=False, cancel_futures=True)
    raise
  pool.shutdown()
  return max(codes)


def _one(path, output, work, overwrite, read):
  name = "<stdin>" if path == STREAM else path
  result, facts = work(name, read(path), output)
  if output == STREAM:
    _write_stdout(result)
  else:
    write_atomically(output, result, overwrite)
  return {"input": name, "output": output, **facts}


def _write_stdout(data):
  try:
    write_pieces(sys.stdout.buffer, data)
    sys.stdout.buffer.flush()
  except BrokenPipeError:
    raise  # Of no use to go on.
  except OSError as error:
    raise UsageError(f"stdout: {error.strerror}") from None
