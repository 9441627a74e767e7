"""`tfcm benchmark`: seconds by stage, training step, memory."""

import concurrent.futures
import json
import multiprocessing

from tfc_models.codecs.loading import DEFAULT_EFFORT, DEFAULT_MODEL, EFFORTS
from tfc_models.errors import UsageError
from tfc_models.fileio import write_json


def add_arguments(parser):
  parser.add_argument(
      "--models", default=DEFAULT_MODEL, metavar="NAME,...",
      help="shipped weights, training directories or RECIPE[:VARIANT] "
      f"(default {DEFAULT_MODEL})")
  parser.add_argument(
      "--sizes", default="768x512", metavar="WxH,...",
      help="of the image (default 768x512)")
  parser.add_argument(
      "--effort", type=int, choices=EFFORTS, default=DEFAULT_EFFORT, metavar="1..9",
      help=f"of encoders (default {DEFAULT_EFFORT})")
  parser.add_argument(
      "--image", help="photograph to resize; made-up colours by default")
  parser.add_argument(
      "--repeat", type=int, default=10, help="medians of so many (default 10)")
  parser.add_argument(
      "--train", action="store_true", help="also time a training step")
  parser.add_argument("--batch", type=int, default=8, help="of that step")
  parser.add_argument("--patch", type=int, default=256, help="of that step")
  parser.add_argument(
      "--peer", metavar="PYTHON",
      help="interpreter of an environment with compressai, whose models of the "
      "same names and widths are timed in turn with ours")
  parser.add_argument("--json", metavar="FILE", help="write all figures there")


def run(arguments):
  sizes = [_size(text) for text in arguments.sizes.split(",")]
  results = []
  for name in arguments.models.split(","):
    for width, height in sizes:
      # A process each: the most memory that a process ever took only grows.
      with concurrent.futures.ProcessPoolExecutor(
          1, multiprocessing.get_context("spawn")) as pool:
        results.append(pool.submit(
            _benchmark, name, height, width, repeat=arguments.repeat,
            train=arguments.train, batch=arguments.batch,
            patch=arguments.patch, peer_python=arguments.peer,
            image=arguments.image, effort=arguments.effort).result())
      _show(results[-1])
  if arguments.json:
    write_json(arguments.json, results)
  return 0


def _benchmark(*args, **kwargs):
  from tfc_models.inspection import benchmark
  return benchmark.benchmark(*args, **kwargs)


def _size(text):
  try:
    width, height = map(int, text.split("x"))
  except ValueError:
    raise UsageError(f"--sizes: {text!r} is not WIDTHxHEIGHT") from None
  if width < 1 or height < 1:
    raise UsageError(f"--sizes: {text!r} has no pixels")
  return width, height


def _show(result):
  """Prints one result as a table."""
  print(f"{result['recipe']} {json.dumps(result['arguments'])}, "
        f"{'trained' if result['trained'] else 'random'} weights, "
        f"effort {result['effort']}, "
        f"{result['width']}x{result['height']}, {result['bpp']:.3f} bpp, "
        f"peak {result['peak_mib']:.0f} MiB")
  print(f"  {'seconds':<16} {'encode':>8} {'decode':>8}")
  for stage in result["encode"]:
    print(f"  {stage:<16} {result['encode'][stage]:>8.4f} "
          f"{result['decode'][stage]:>8.4f}")
  print(f"  {'Mpixel/s':<16} {result['encode_pixels_per_second'] / 1e6:>8.3f} "
        f"{result['decode_pixels_per_second'] / 1e6:>8.3f}")
  for walk in result["walks"]:
    print(f"  decoding by {walk['fronts']} fronts: arithmetic "
          f"{walk['arithmetic']:.4f} s, range coder {walk['range coder']:.4f} s, "
          f"overhead {walk['overhead']:.4f} s")
  if "train_step" in result:
    step = result["train_step"]
    print(f"  training step of {step['batch']} patches of {step['patch']}: "
          f"{step['seconds']:.3f} s, {step['patches_per_second']:.2f} patches/s,"
          f" peak {step['peak_mib']:.0f} MiB")
  if "peer" in result:
    peer = result["peer"]
    for work in ("encode", "decode", "train"):
      if work in peer:
        print(f"  CompressAI {peer['compressai']} {work}: "
              f"{peer[work]['seconds']:.3f} s, ours takes "
              f"{peer[work]['ratio']:.2f} of it (without image I/O)")
