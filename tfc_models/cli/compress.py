"""`tfcm compress`: images to `.tfcm` files."""

import argparse
import contextlib
import dataclasses
import os
import re
import time

import tqdm

from tfc_models import bitstream, pretrained
from tfc_models.cli import clips, files, metadata, pictures, remote
from tfc_models.codecs import planes, tiles
from tfc_models.codecs.loading import DEFAULT_EFFORT, DEFAULT_MODEL, EFFORTS
from tfc_models.datasets import y4m
from tfc_models.datasets.files import EXTENSIONS
from tfc_models.errors import BitstreamError, ImageError, UsageError

# Flags that choose weights or what they do, which an export has fixed.
_OURS = ("model", "quality", "tune", "lossless", "effort", "iterations", "target_size",
         "target_bpp", "target_psnr", "target_ms_ssim", "tile_psnr", "raw_bits", "thumbnail",
         "tile", "keep")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}


def add_arguments(parser):
  files.add_arguments(parser, "images, or .y4m files for video models", "a .tfcm file, of an editor a .jpg")
  parser.add_argument(
      "--model", help="name of shipped weights, training "
      f"directory or weight file (default {DEFAULT_MODEL})")
  parser.add_argument(
      "--quality", type=int, metavar="1..100",
      help="what the model can vary; of weights for one rate each, the nearest is "
      "taken; of progressive models, the share of iterations in per cent")
  parser.add_argument(
      "--tune", choices=pretrained.TUNES,
      help="of models with weights for both: the metric that pictures should be good "
      "at (default psnr)")
  parser.add_argument(
      "--lossless", action="store_true",
      help="images come back bit by bit: by the shipped weights that can, or those of "
      "--model; without any, where that takes fewer bytes")
  parser.add_argument(
      "--effort", type=int, choices=EFFORTS, metavar="1..9",
      help="of models with a Gaussian latent: how long the encoder looks for symbols that "
      f"suit the decoder (default {DEFAULT_EFFORT}); decoders take the same time")
  parser.add_argument(
      "--iterations", type=int, metavar="K",
      help="of progressive models: at most K iterations")
  parser.add_argument(
      "--target_size", type=_bytes, metavar="BYTES",
      help="of these and of models of variable rate: as many iterations, or the highest "
      "quality, as fit into a file of that size; 24KiB and 1.5MB are understood")
  parser.add_argument(
      "--target_bpp", type=float, metavar="BITS",
      help="likewise, of so many bits a pixel")
  parser.add_argument(
      "--target_psnr", type=float, metavar="DB",
      help="of the same: as few iterations, or the lowest quality, as reach that PSNR")
  parser.add_argument(
      "--target_ms_ssim", type=float, metavar="0..1",
      help="likewise, that MS-SSIM")
  parser.add_argument(
      "--tile_psnr", type=float, metavar="DB",
      help="of progressive models, with an entropy coder or patches: tiles that have reached that PSNR take "
      "no further bits")
  parser.add_argument(
      "--raw_bits", action="store_true",
      help="of these: no entropy coder, a bit a sign")
  parser.add_argument(
      "--thumbnail", action="store_true",
      help="of these: a header of 8 bytes, for images up to 256x256")
  parser.add_argument(
      "--tile", type=int, metavar="PIXELS",
      help="side of tiles that are coded on their own, for --region and little memory; 0 "
      f"for none (default: {tiles.TILE} for images of more than "
      f"{tiles.TILED_ABOVE / 1e6:.1f} megapixels)")
  parser.add_argument(
      "--keep", metavar="MASK",
      help="of models that make up what they are not told: an image of the same size; "
      "what is light in it (128 and more) is coded, the decoder fills in the rest")
  pictures.add_arguments(parser)
  metadata.add_arguments(parser)
  remote.add_arguments(parser)


def run(arguments):
  client = remote.client(arguments, _OURS)
  if client:
    pages = pictures.Pages(arguments)
    pairs = files.expand(arguments, EXTENSIONS, ".tfcm", pages.split)
    with client:
      return files.process(
          pairs, _at_server(client, pages, arguments), arguments, _describe)
  from tfc_models import codecs
  if arguments.lossless and arguments.tune:
    raise UsageError("--lossless and --tune exclude each other")
  model = pretrained.lossless(arguments.model) if arguments.lossless else (
      pretrained.tuned(arguments.model or DEFAULT_MODEL, arguments.tune))
  path, _ = pretrained.find_by_name(model, arguments.quality)
  kind = codecs.kind_of(path)
  pages = pictures.Pages(arguments)
  pairs = files.expand(
      arguments, {y4m.EXTENSION} if kind == "video" else EXTENSIONS,
      codecs.extension_of(kind), pages.split)
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models.modeling.settings import Settings
  codec = codecs.load(model, arguments.quality, lossless=arguments.lossless)
  settings = Settings(
      iterations=arguments.iterations, tile_psnr=arguments.tile_psnr,
      raw_bits=arguments.raw_bits, effort=arguments.effort,
      keep=arguments.keep and pictures.mask(arguments.keep))
  options = codecs.FileOptions(
      target_bytes=arguments.target_size, target_bpp=arguments.target_bpp,
      target_psnr=arguments.target_psnr, target_ms_ssim=arguments.target_ms_ssim,
      thumbnail=arguments.thumbnail, alpha_quality=arguments.alpha_quality,
      tile=arguments.tile)
  capabilities = codec.model.capabilities
  if arguments.quality is not None and options.has_target and (
      "quality" in capabilities and "progressive" not in capabilities):
    raise UsageError("--quality and a target exclude each other")
  if arguments.keep and "keep" not in capabilities:  # Once, not for each image.
    codec.checked_settings(settings, options)
  if kind == "video":
    return files.process(
        pairs, clips.compressing(codec, settings, options), arguments, _describe,
        clips.read)

  def work(name, data, output):
    picture, source_bytes = pages.read(data, name, output), len(data)
    del data  # Large pictures leave little room.
    image = picture.pixels
    try:
      bitstream.check_size(*image.shape[:2])
    except BitstreamError as error:  # It is the image that is wrong here.
      raise ImageError(f"{name}: {error}") from None
    found = metadata.of_picture(picture, name, arguments)
    start = time.perf_counter()
    with _watched(name, arguments.jobs):
      result, header, chunks = codec.encode_file(
          image, settings, dataclasses.replace(options, metadata=found),
          files.jobs_each(arguments, pairs))
    seconds = time.perf_counter() - start
    iterations = len(chunks) if "progressive" in codec.model.capabilities else None
    # Editors write other files, which hold no planes.
    held = bitstream.read(result).planes if kind == "image" else {}
    return result, _facts(
        header.model, header, iterations, result, source_bytes, seconds,
        found, held)

  return files.process(pairs, work, arguments, _describe)


@contextlib.contextmanager
def _watched(name, jobs, delay=1.0):
  """A context with a progress bar of an encoder that takes its time, on terminals.

  Of several files at a time, only how many are done is shown.
  """
  from tfc_models.ops import probe
  with tqdm.tqdm(
      desc=os.path.basename(name), disable=None if jobs == 1 else True, delay=delay,
      unit="step", leave=False, mininterval=0, miniters=1) as bar:
    of_tiles = False

    def tell(kind, value):
      nonlocal of_tiles
      of_tiles |= kind == "tile"
      if kind == "tile" or kind == "refined" and not of_tiles:
        bar.n, bar.total = value
        bar.update(0)

    with probe.telling(tell):
      yield


def _bytes(text):
  """Returns the number of bytes that a text such as "24KiB" names.

  Raises:
    argparse.ArgumentTypeError: if it names none.
  """
  match = re.fullmatch(r"(-?[0-9.]+) ?([a-zA-Z]*)", text)
  try:
    return int(float(match[1]) * _UNITS[match[2].lower()])
  except (TypeError, ValueError, KeyError, OverflowError):
    raise argparse.ArgumentTypeError(
        f"{text!r} is no size; wanted bytes, or a number with kB, MB, KiB or MiB"
    ) from None


def _at_server(client, pages, arguments):
  """Returns what `files.process` does with each image."""
  def work(name, data, output):
    start = time.perf_counter()
    picture = pages.read(data, name, output)
    image, beside = planes.parted(picture.pixels, arguments.alpha_quality)
    is_plain = not (beside or arguments.depth or arguments.srgb or arguments.pages)
    result = client.compress(data if is_plain else image, name)
    seconds = time.perf_counter() - start
    stream = bitstream.read(result)
    found = metadata.of_picture(picture, name, arguments)
    if found or beside:  # No server has seen them.
      result = bitstream.write(stream.header, stream.chunks, found, beside)
    count = sum(chunk.type in bitstream.ITERATIONS for chunk in stream.chunks)
    return result, _facts(
        stream.header.model, stream.header, count or None, result, len(data), seconds,
        found, beside)

  return work


def _facts(model, header, iterations, result, source_bytes, seconds, found,
           planes_held):
  return {
      "model": model, "quality": header.settings.get("quality"),
      "iterations": iterations, "height": header.height, "width": header.width,
      "bytes": len(result),
      "bpp": round(8 * len(result) / (header.height * header.width), 4),
      "metadata": {name: len(value) for name, value in (found or {}).items()},
      "planes": {name: sum(map(len, strings)) for name, strings in planes_held.items()},
      "source_bytes": source_bytes, "seconds": round(seconds, 3)}


def _describe(facts):
  quality, iterations = facts["quality"], facts["iterations"]
  extra = {"metadata": sum(facts.get("metadata", {}).values()), **facts.get("planes", {})}
  extra = ", ".join(f"{size} of {name}" for name, size in extra.items() if size)
  return (
      f"{facts['output']}: {facts['width']}x{facts['height']}, "
      f"{clips.frames(facts)}"
      f"{facts['bytes']} bytes{f' ({extra})' if extra else ''}, "
      f"{facts['bpp']:.3f} bpp, {facts['model']}"
      f"{'' if quality is None else f' quality {quality}'}, "
      f"{'' if iterations is None else f'iterations {iterations}, '}"
      f"{facts['seconds']:.2f} s")
