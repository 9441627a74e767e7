"""`tfcm decompress`: `.tfcm` files to images."""

import argparse
import time

from tfc_models import bitstream
from tfc_models.cli import clips, files, metadata, outputs, remote
from tfc_models.cli.main import report
from tfc_models.codecs.checks import MAX_PIXELS
from tfc_models.errors import UsageError


def add_arguments(parser):
  files.add_arguments(
      parser, ".tfcm files", "an image file of any type that Pillow writes, of video "
      "a .y4m file")
  parser.add_argument(
      "--model_path", action="append", default=[], metavar="PATH",
      help="training directory, weight file or folder of them to search for "
      "the stream's weights; may be repeated, and TFCM_MODEL_PATH adds more")
  parser.add_argument(
      "--iterations", type=int, metavar="K",
      help="decode the first K iterations of progressive files")
  parser.add_argument(
      "--allow_partial", action="store_true",
      help="decode files that were cut, as far as they go")
  parser.add_argument(
      "--max_pixels", type=int, default=MAX_PIXELS, metavar="N",
      help=f"refuse larger images (default {MAX_PIXELS}); every four iterations of a "
      "progressive file count as an image, one in tiles as an eighth, or a tile")
  parser.add_argument(
      "--region", type=_region, metavar="X,Y,W,H",
      help="only that part of each image, in pixels from its left and top; of files in "
      "tiles nothing else is decoded")
  outputs.add_arguments(parser)
  metadata.add_arguments(parser)
  remote.add_arguments(parser)


def run(arguments):
  client = remote.client(
      arguments, ("model_path", "iterations", "allow_partial", "region"),
      max_pixels=arguments.max_pixels)
  pairs = files.expand(
      arguments, {".tfcm"},
      lambda path: clips.output_extension(path, outputs.extension(arguments)))
  outputs.check(arguments, [
      output for _, output in pairs if not clips.is_clip(output)])
  if client:
    with client:
      return files.process(
          pairs, _at_server(client, arguments), arguments, _describe)
  from tfc_models import codecs
  decoder = codecs.StreamDecoder(arguments.model_path, arguments.max_pixels)

  def work(name, data, output):
    codec, stream = decoder.open(data, arguments.allow_partial)
    if codec.kind == "video":
      if arguments.region:
        raise UsageError("of a video there is no --region")
      return clips.decompressed(codec, stream, arguments, output, len(data))
    start = time.perf_counter()
    image = codec.decode_stream(
        stream, arguments.iterations, arguments.depth, arguments.region,
        files.jobs_each(arguments, pairs))
    return _result(
        image, stream, name, data, output, time.perf_counter() - start, arguments)

  return files.process(pairs, work, arguments, _describe)


def _region(text):
  """Returns the four numbers of a text such as "0,0,640,480".

  Raises:
    argparse.ArgumentTypeError: if it names none.
  """
  try:
    left, top, width, height = map(int, text.split(","))
  except ValueError:
    raise argparse.ArgumentTypeError(
        f"{text!r} is no region; wanted left, top, width and height in pixels, as "
        "0,0,640,480") from None
  return left, top, width, height


def _at_server(client, arguments):
  """Returns what `files.process` does with each file."""
  def work(name, data, output):
    start = time.perf_counter()
    image = client.decompress(data, arguments.depth)
    return _result(image, bitstream.read(data), name, data, output,
                   time.perf_counter() - start, arguments)

  return work


def _result(image, stream, name, data, output, seconds, arguments):
  """Returns the bytes of an image file, and facts."""
  height, width, channels = image.shape
  is_synthesised = "synthesised" in stream.header.settings
  if is_synthesised:
    report("note: details are synthesised, and no evidence of what was there", name)
  result = outputs.file_bytes(
      image, {} if arguments.strip else stream.metadata, arguments, name, output)
  return result, {
      "height": height, "width": width, "channels": channels, "bytes": len(data),
      "verified": stream.verified, "synthesised": is_synthesised,
      "seconds": round(seconds, 3)}


def _describe(facts):
  return (f"{facts['output']}: {facts['width']}x{facts['height']}, "
          f"{clips.frames(facts)}"
          f"{facts['seconds']:.2f} s"
          f"{'' if facts['verified'] else ', unverified: the file was cut'}")
