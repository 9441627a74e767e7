"""Programs of other people as codecs, by templates of their command lines."""

import dataclasses
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from typing import Optional

from PIL import Image

from tfc_models import memory
from tfc_models.codecs.base import Codec, Family, plain
from tfc_models.datasets.files import FORMATS, read_image
from tfc_models.errors import CodecError, UsageError
from tfc_models.fileio import read_bytes

PREFIX = "cmd:"

_PLACEHOLDER = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_KNOWN = {"in", "out", "q", "width", "height"}


# Of a program, for one image; what takes longer has hung.
TIMEOUT_SECONDS = 3600.0


def parse(text, name=None, settings=(None,), timeout=TIMEOUT_SECONDS):
  """Returns the family of a template.

  Args:
    text: "cmd:ENCODER" or "cmd:ENCODER => DECODER", words quoted as in a shell,
      though none runs. Placeholders: {in} and {out}, files, with an extension
      where a program wants one: {in.ppm}, {out.jxl}; an image that goes in or
      comes out is a PNG unless that says something else. {q}, the setting;
      {width} and {height} of the image. Without DECODER, Pillow reads what
      ENCODER wrote.
    name: for tables; by default the encoder's name.
    settings: what {q} stands for, one point of the curve each.
    timeout: seconds after which a program is ended; None for no limit.

  Raises:
    UsageError: if it is no such template.
  """
  encoder, _, decoder = text.removeprefix(PREFIX).partition("=>")
  try:
    encoder, decoder = shlex.split(encoder), shlex.split(decoder)
  except ValueError as error:
    raise UsageError(f"{text}: {error}") from None
  for side, command in (("encoder", encoder), ("decoder", decoder)):
    found = [match[1] for word in command for match in
             _PLACEHOLDER.finditer(word)]
    if set(found) - _KNOWN:
      raise UsageError(
          f"{text}: {{{sorted(set(found) - _KNOWN)[0]}}} is none of "
          f"{', '.join('{' + known + '}' for known in sorted(_KNOWN))}")
    if (command or side == "encoder") and not {"in", "out"} <= set(found):
      raise UsageError(f"{text}: the {side} needs {{in}} and {{out}}")
  varies = any("{q}" in word for word in encoder)
  if varies and settings == (None,):
    raise UsageError(f"{text}: say what {{q}} takes, as in '... @20,40,60,80'")
  if not varies and settings != (None,):
    raise UsageError(f"{text}: settings, but no {{q}} to put them")
  formats = Image.registered_extensions()
  for command, placeholder, known in (
      (encoder, "in", formats.values()), (decoder, "out", FORMATS)):
    extension = _extension(command, placeholder) or ".png"
    if command and formats.get(extension) not in known:
      raise UsageError(
          f"{text}: no image format that is "
          f"{'written' if placeholder == 'in' else 'read'} here has the "
          f"extension {extension}")
  return ExternalFamily(
      name or os.path.basename(encoder[0]), tuple(encoder), tuple(decoder),
      settings, timeout)


@dataclasses.dataclass(frozen=True)
class ExternalFamily(Family):
  """A pair of programs; `encoder` and `decoder` are words with placeholders."""

  name: str
  encoder: tuple
  decoder: tuple
  settings: tuple = (None,)
  timeout: Optional[float] = TIMEOUT_SECONDS

  def make(self, setting):
    return ExternalCodec(
        self.name, self.encoder, self.decoder, setting, self.timeout)

  def facts(self, setting):
    programs = {}
    for command in filter(None, (self.encoder, self.decoder)):
      path = shutil.which(command[0])
      programs[path] = hashlib.sha256(read_bytes(path)).hexdigest()
    return {
        "encoder": shlex.join(self.encoder),
        "decoder": shlex.join(self.decoder) or "Pillow", "q": setting,
        "sha256": programs}

  def missing(self):
    for command in filter(None, (self.encoder, self.decoder)):
      if shutil.which(command[0]) is None:
        return f"{command[0]} is not on the PATH"
    return None


class ExternalCodec(Codec):
  """Runs an encoder and a decoder on temporary files.

  Its seconds include starting the programs and their reading and writing of
  images.
  """

  def __init__(self, name, encoder, decoder, setting, timeout=None):
    self.name = name
    self.extension = _extension(encoder, "out") or ".bin"
    self._encoder = encoder
    self._decoder = decoder
    self._values = {"q": setting}
    self._timeout = timeout

  def encode(self, image, settings=None):
    image = plain(image)
    self._values.update(height=image.shape[0], width=image.shape[1])
    with tempfile.TemporaryDirectory(prefix="tfcm-") as folder:
      source = os.path.join(
          folder, "image" + (_extension(self._encoder, "in") or ".png"))
      # Fast rather than small: the encoder reads it once.
      Image.fromarray(image).save(source, compress_level=1)
      result = os.path.join(folder, "coded" + self.extension)
      self._run(self._encoder, source, result)
      return read_bytes(result)

  def decode(self, data):
    if not self._decoder:
      return read_image(data, self.name)
    with tempfile.TemporaryDirectory(prefix="tfcm-") as folder:
      source = os.path.join(folder, "coded" + self.extension)
      with open(source, "wb") as file:
        file.write(data)
      result = os.path.join(
          folder, "image" + (_extension(self._decoder, "out") or ".png"))
      self._run(self._decoder, source, result)
      return read_image(result, self.name)

  def warm_up(self, image):
    """Does nothing: each call starts a program anew."""

  def _run(self, command, source, result):
    """Runs a command.

    Raises:
      CodecError: unless it succeeds in time and writes `result`.
    """
    values = {**self._values, "in": source, "out": result}
    words = [
        _PLACEHOLDER.sub(lambda match: str(values[match[1]]), word)
        for word in command]
    with tempfile.TemporaryFile() as output:
      process = subprocess.Popen(
          words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
      late = threading.Event()
      timer = threading.Timer(
          self._timeout or threading.TIMEOUT_MAX,
          lambda: (late.set(), os.kill(process.pid, signal.SIGKILL)))
      timer.daemon = True
      timer.start()
      try:
        _, status, usage = os.wait4(process.pid, 0)
      except BaseException:
        process.kill()
        raise
      finally:
        timer.cancel()
      process.returncode = os.waitstatus_to_exitcode(status)
      output.seek(0)
      said = output.read().decode(errors="replace").strip().splitlines()
    self.program_mib = memory.rusage_mib(usage)
    last = f": {said[-1]}" if said else ""
    if late.is_set():
      raise CodecError(
          f"{words[0]} took more than {self._timeout:g} seconds{last}",
          argument="timeout")
    if process.returncode:
      raise CodecError(f"{words[0]} ended with {process.returncode}{last}")
    if not os.path.exists(result):
      raise CodecError(f"{words[0]} wrote no output file{last}")


def _extension(command, placeholder):
  """Returns the extension that a template gives `placeholder`, or None."""
  for word in command:
    for match in _PLACEHOLDER.finditer(word):
      if match[1] == placeholder and match[2]:
        return "." + match[2]
  return None
