"""Exceptions of the toolkit: what went wrong, told to the one who can mend it.

Two families, with the exit codes of the command line:

- `UsageError` (exit 1): a wrong argument, an unreadable or unsuitable input,
  a file that must not be overwritten.
- `BitstreamError` (exit 2): the compressed file itself. Subclasses say why.
"""


class TfcmError(Exception):
  """Base of all errors that the toolkit raises on purpose.

  Attributes:
    argument: name of the argument of ours that would serve the request, or None;
      the command line says what it calls it.
  """

  def __init__(self, *args, argument=None):
    super().__init__(*args)
    self.argument = argument


class UsageError(TfcmError):
  """The request cannot be served as it stands; the message says what to do."""


class ImageError(UsageError):
  """An input image cannot be read, or holds what a codec would drop."""


class CodecError(TfcmError):
  """A codec that is not ours failed on an image; others may do."""


class BitstreamError(TfcmError):
  """A compressed file is not what it should be."""


class TruncatedError(BitstreamError):
  """The file ends too early: copy or download it again."""


class ChecksumError(BitstreamError):
  """The bytes were changed on their way: copy or download the file again."""


class TooLargeError(BitstreamError):
  """The file claims a picture beyond what the caller accepts: raise the limit."""


class UnknownModelError(BitstreamError):
  """The file names a model that this version does not know: upgrade."""


class WrongWeightsError(BitstreamError):
  """The weights that wrote the file are not here: point to them."""


class DesyncError(BitstreamError):
  """The entropy model here differs from that of the encoder."""
