"""`tfcm compare`: metrics of images, and a picture of where they differ."""

import io
import json
import math
import os

from tfc_models.datasets.files import read_image
from tfc_models.errors import CodecError, UsageError
from tfc_models.fileio import read_bytes, write_atomically


def add_arguments(parser):
  parser.add_argument("original", metavar="A", help="the original image")
  parser.add_argument(
      "others", nargs="*", metavar="B",
      help="images of the same size, .tfcm files too")
  parser.add_argument(
      "--codec", nargs="+", action="extend", metavar="CODEC",
      help="code A and compare, as of tfcm evaluate: tfcm-base@50 jpeg@30,60")
  parser.add_argument(
      "-o", "--output", default="compare.png", metavar="FILE",
      help="the picture (default compare.png)")
  parser.add_argument(
      "--overwrite", action="store_true", help="replace an existing picture")
  parser.add_argument(
      "--crop", metavar="X,Y,WxH", help="show this part (metrics are of all)")
  parser.add_argument(
      "--gain", type=float, default=4.0,
      help="of the differences in the picture (default 4)")
  parser.add_argument(
      "--lpips", default="", metavar="ALEXNET.pth,LINEAR.pth",
      help="measure LPIPS too, with torchvision's file and that of its authors")
  parser.add_argument(
      "--json", action="store_true", help="print one JSON object an image")


def run(arguments):
  if not arguments.others and not arguments.codec:
    raise UsageError("compare: name a second image, or --codec")
  if os.path.exists(arguments.output) and not arguments.overwrite:
    raise UsageError(
        f"{arguments.output}: exists already; --overwrite replaces it")
  original = read_image(arguments.original)
  crop = _crop(arguments.crop, original)
  from tfc_models.evaluation.pictures import difference, side_by_side
  rows = [[(os.path.basename(arguments.original), original[crop])]]
  for name, num_bytes, image in _candidates(arguments, original):
    facts = _facts(
        arguments.original, original, name, num_bytes, image, arguments.lpips)
    print(_to_json(facts) if arguments.json else _describe(facts), flush=True)
    rows.append([
        (f"{name}  {facts['bpp']:.3f} bpp  {facts['psnr']:.2f} dB", image[crop]),
        (f"difference x {arguments.gain:g}", difference(
            original[crop], image[crop], arguments.gain))])
  # One other image: all in a row, as people look at them.
  if len(rows) == 2:
    rows = [rows[0] + rows[1]]
  buffer = io.BytesIO()
  side_by_side(rows).save(buffer, "PNG")
  write_atomically(
      arguments.output, buffer.getvalue(), overwrite=arguments.overwrite)
  if not arguments.json:
    print(arguments.output)
  return 0


def _candidates(arguments, original):
  """Yields (name, size of the file in bytes, uint8 image)."""
  for path in arguments.others:
    data = read_bytes(path)
    if path.endswith(".tfcm"):
      from tfc_models import codecs
      image = codecs.StreamDecoder().decode(data)
    else:
      image = read_image(path)
    yield os.path.basename(path), len(data), image
  from tfc_models.codecs import lineup
  for family in lineup.parse(arguments.codec or []):
    if family.missing():
      raise UsageError(f"{family.name}: {family.missing()}")
    for setting in family.settings:
      name = family.label(setting)
      codec = family.make(setting)
      try:
        data = codec.encode(original)
        image = codec.decode(data)
      except (OSError, ValueError, RuntimeError) as error:
        raise CodecError(f"{name}: {error}") from None
      yield name, len(data), image


def _facts(path, original, name, num_bytes, image, lpips):
  """Returns a dict of an image's size and metrics."""
  from tfc_models import metrics
  try:
    comparison = metrics.compare(original, image)
  except UsageError as error:
    raise UsageError(f"{path} and {name}: {error}") from None
  return {
      "image": name, "bytes": num_bytes,
      "bpp": metrics.bits_per_pixel(num_bytes, *original.shape[:2]),
      **vars(comparison), **vars(metrics.likeness(original, image, lpips))}


def _to_json(facts):
  """Returns JSON, which knows no infinity: null, where `mse` is 0."""
  return json.dumps({
      name: None if value == math.inf else value
      for name, value in facts.items()})


def _describe(facts):
  def figure(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"

  return (f"{facts['image']}: {facts['bytes']} bytes, {facts['bpp']:.3f} bpp, "
          f"MSE {facts['mse']:.3f}, PSNR {facts['psnr']:.2f} dB "
          f"(Y {facts['psnr_y']:.2f}), MS-SSIM {figure(facts['ms_ssim'], 4)}, "
          f"SSIM {figure(facts['ssim'], 4)}, "
          f"Wasserstein {figure(facts['wasserstein'], 4)}"
          + (f", LPIPS {figure(facts['lpips'], 4)}" if facts["lpips"] is not None else ""))


def _crop(text, image):
  """Returns the slices of "X,Y,WxH", of everything if there is none."""
  height, width = image.shape[:2]
  if text is None:
    return slice(0, height), slice(0, width)
  try:
    left, top, size = text.split(",")
    columns, rows = map(int, size.split("x"))
    left, top = int(left), int(top)
  except ValueError:
    raise UsageError(f"--crop: {text!r} is not X,Y,WIDTHxHEIGHT") from None
  if not (0 <= left < left + columns <= width
          and 0 <= top < top + rows <= height):
    raise UsageError(f"--crop: {text} is not inside {width}x{height} pixels")
  return slice(top, top + rows), slice(left, left + columns)
