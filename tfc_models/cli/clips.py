"""Video in the verbs that code: .y4m files in and out, a group of frames at a time."""

import os
import sys
import time

from tfc_models import bitstream
from tfc_models.cli.files import STREAM, read_input
from tfc_models.datasets import y4m
from tfc_models.errors import TfcmError, UsageError


def read(path):
  """Returns the open file of an input, which is read as frames are."""
  try:
    return sys.stdin.buffer if path == STREAM else open(path, "rb")
  except OSError as error:
    raise UsageError(f"{path}: {error.strerror}") from None


def is_clip(path):
  """Returns whether a path is one of a .y4m file, by its name."""
  return os.path.splitext(path)[1].lower() == y4m.EXTENSION


def frames(facts):
  """Returns what a line of text says of frames, nothing of images."""
  return f"{facts['frames']} frames, " if "frames" in facts else ""


def compressing(codec, settings, options):
  """Returns what `files.process` does with each .y4m file.

  Args:
    codec: `codecs.VideoCodec`.
    settings, options: as of its `encode`.
  """
  def work(name, file, output):
    del output
    with file:
      clip = y4m.Reader(file, name)
      start = time.perf_counter()
      result = codec.encode(clip, settings, options, clip.rate)
    seconds = time.perf_counter() - start
    header = bitstream.read(result).header
    frames = header.settings["frames"]
    pixels = frames * header.height * header.width
    return result, {
        "model": codec.model.registered_name,
        "quality": header.settings.get("quality"), "iterations": None,
        "height": header.height, "width": header.width, "frames": frames,
        "bytes": len(result), "bpp": round(8 * len(result) / pixels, 4),
        "seconds": round(seconds, 3)}

  return work


def output_extension(path, of_images):
  """Returns .y4m if a `.tfcm` file holds video, that of images of others and of none."""
  if path == STREAM:
    return of_images
  try:
    header = bitstream.read(read_input(path), allow_partial=True).header
  except TfcmError:
    return of_images  # What is wrong will be said when its turn comes.
  return y4m.EXTENSION if "frames" in header.settings else of_images


def decompressed(codec, stream, arguments, output, size):
  """Returns the pieces of a .y4m file, and facts, complete after the last one.

  Args:
    codec: `codecs.VideoCodec`.
    stream: `bitstream.Stream`, of video.
    arguments: parsed.
    output: path of the file.
    size: bytes of the `.tfcm` file.

  Raises:
    UsageError: if another type of file, or part of the bits, is asked for.
  """
  if output != STREAM and not is_clip(output):
    raise UsageError(f"{output}: the file holds video, which goes into a .y4m file")
  header = stream.header
  settings = header.settings
  rate = settings.get("rate"), settings.get("rate_scale")
  facts = {"height": header.height, "width": header.width, "channels": 3,
           "frames": 0, "bytes": size, "verified": stream.verified}
  decoded = codec.decode_stream(stream, arguments.iterations)

  def counted():
    for frame in decoded:
      facts["frames"] += 1
      yield frame

  def pieces():
    start = time.perf_counter()
    yield from y4m.write(
        counted(), header.height, header.width, rate if all(rate) else None)
    facts["seconds"] = round(time.perf_counter() - start, 3)

  return pieces(), facts
