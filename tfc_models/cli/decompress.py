"""`tfcm decompress`: `.tfcm` files to images."""

import os
import time

from PIL import Image

from tfc_models.cli import clips, files
from tfc_models.datasets.files import image_bytes
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
      "--max_pixels", type=int, default=2**25, metavar="N",
      help="refuse larger images (default 33554432); every four iterations of a "
      "progressive file count as an image")


def run(arguments):
  pairs = files.expand(arguments, {".tfcm"}, clips.output_extension)
  for _, output in pairs:
    if not clips.is_clip(output):
      _format(output)
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models import codecs
  decoder = codecs.StreamDecoder(arguments.model_path, arguments.max_pixels)

  def work(name, data, output):
    codec, stream = decoder.open(data, arguments.allow_partial)
    if codec.model.kind == "video":
      return clips.decompressed(codec, stream, arguments, output, len(data))
    format = _format(output)
    start = time.perf_counter()
    image = codec.decode_stream(stream, arguments.iterations)
    seconds = time.perf_counter() - start
    height, width, channels = image.shape
    shown = name if output == files.STREAM else output
    result = image_bytes(
        image, format, shown, icc_profile=stream.metadata.get("icc"))
    return result, {
        "height": height, "width": width, "channels": channels,
        "bytes": len(data), "verified": stream.verified,
        "seconds": round(seconds, 3)}

  return files.process(pairs, work, arguments, _describe)


def _format(output):
  """Returns Pillow's name of the format that an output file asks for."""
  if output == files.STREAM:
    return "PNG"
  extension = os.path.splitext(output)[1].lower()
  known = Image.registered_extensions()
  if known.get(extension) not in Image.SAVE:
    raise UsageError(
        f"{output}: Pillow writes no {extension or 'nameless'} images; "
        "try .png")
  return known[extension]


def _describe(facts):
  return (f"{facts['output']}: {facts['width']}x{facts['height']}, "
          f"{clips.frames(facts)}"
          f"{facts['seconds']:.2f} s"
          f"{'' if facts['verified'] else ', unverified: the file was cut'}")
