"""What went wrong, as gRPC and HTTP call it."""

import re

from absl import logging

from tfc_models.errors import TfcmError

# Code of gRPC to status of HTTP, as TensorFlow Serving answers.
HTTP = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
# The numbers of gRPC, of TensorFlow's errors and of `tensorflow.error.Code`.
NUMBERS = {name: number for number, name in enumerate((
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND "
    "ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION "
    "ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED").split())}
_NAMES = {number: name for name, number in NUMBERS.items()}

# Beyond it, messages of TensorFlow tell what only its authors understand, and clients of
# gRPC do not take what they tell of clients' own long names.
_MAX_MESSAGE = 400
# What TensorFlow puts around the text of a check in a graph.
_ASSERTION = re.compile(r"assertion failed: \[(.*)\]$")


class ServingError(TfcmError):
  """A request cannot be answered.

  Its message may repeat what a client sent: it is one line of bounded length.

  Attributes:
    code: name of a code of gRPC, see `HTTP`.
  """

  def __init__(self, code, message):
    super().__init__(_printable(message))
    self.code = code


def invalid(message):
  """Returns the error of a request that is wrong in itself."""
  return ServingError("INVALID_ARGUMENT", message)


def deadline_exceeded():
  """Returns the error of a request whose time is over."""
  return ServingError(
      "DEADLINE_EXCEEDED", "the deadline passed before the answer was there")


def from_exception(error):
  """Returns what to tell a client: one line, printable, of bounded length.

  What nobody foresaw is logged with its traceback and told without details.
  """
  if isinstance(error, ServingError):
    return error
  if isinstance(error, MemoryError):
    return ServingError("RESOURCE_EXHAUSTED", "not enough memory for it")
  if isinstance(error, UnicodeDecodeError):
    # TensorFlow's, of an assertion whose text holds the bytes of an input.
    return invalid("the model refuses the input")
  number = getattr(error, "error_code", None)
  if isinstance(number, int) and number in _NAMES:
    return ServingError(_NAMES[number], one_line(getattr(error, "message", error)))
  logging.error("unexpected %s", type(error).__name__, exc_info=error)
  return ServingError("INTERNAL", f"unexpected {type(error).__name__}")


def one_line(text):
  """Returns the line of a message of TensorFlow that says what is wrong."""
  lines = [
      line.strip() for line in str(text).splitlines()
      if line.strip() and line.strip() != "Graph execution error:"]
  line = lines[0] if lines else "no reason given"
  if "root error(s) found" in line and len(lines) > 1:
    line = lines[1]  # "(0) INVALID_ARGUMENT: what is wrong"
  return _printable(_ASSERTION.sub(r"\1", line.split(" [[{{", 1)[0].strip()))


def _printable(text):
  """Returns a text as one line of bounded length."""
  text = "".join(char if char.isprintable() else "?" for char in text)
  return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE - 3] + "..."
