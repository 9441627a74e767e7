"""Measures the shipped weights on a folder of images, beside JPEG.

    python -m tfc_models.inspection.shipped FOLDER [NAME ...]

For each rate it codes every image into a file's bytes and back, and checks on
the way that the decoded latents and pixels are those of the model itself. This
is where the tables of docs/WEIGHTS.md and manifest.json come from.
"""

import dataclasses
import json
import sys
from typing import NamedTuple, Optional

import numpy as np

from tfc_models import bitstream, pretrained
from tfc_models.bitstream import jpeg
from tfc_models.codecs import classical, open_weights
from tfc_models.datasets.files import find_images, read_image
from tfc_models.evaluation.record import (
  at_equal_bytes,
  interpolate_psnr,
  measure,
)
from tfc_models.inspection.progressive import measured
from tfc_models.modeling.settings import Settings
from tfc_models.pretrained.loader import weight_path

# By so many grey levels decoders of JPEG differ from ours at most: their cosines are of
# integers, so that Y and Cb may be off by one, which 1.772 of Cb in blue add to.
JPEG_ROUNDING = 1.0 + 1.772 + 0.5
# Where the curve of weights for all rates is looked at.
QUALITIES = (1, 10, 25, 50, 75, 90, 100)


@dataclasses.dataclass(frozen=True)
class Summary:
  """Means over images, and the checks.

  Attributes:
    bpp, psnr, ms_ssim, encode_seconds, decode_seconds: means over images.
    jpeg_psnr: mean of JPEG 4:2:0 at each image's bytes, interpolated.
    jpeg_ms_ssim: likewise, of the larger of the two files around them.
    excess: coded bits of all images over their estimate, less 1.
    overhead: bytes of a file beside the coded strings and the model's name,
      the most over images.
    exact: of how many images all latents and pixels were those of the model; of
      editors, all pixels but for the rounding of JPEG decoders.
    images: their number.
    curve: of progressive models, a dict of lists, one value for each number of
      iterations: bpp, psnr, ssim, ms_ssim, means over images. Of others with the
      capability "quality", likewise for each of `QUALITIES`, and these. Otherwise None.
  """

  bpp: float
  psnr: float
  ms_ssim: float
  encode_seconds: float
  decode_seconds: float
  jpeg_psnr: float
  jpeg_ms_ssim: float
  excess: float
  overhead: int
  exact: int
  images: int
  curve: Optional[dict]


class _Check(NamedTuple):
  """What one image says beside its record.

  Attributes:
    estimate, coded: bits.
    overhead: bytes.
    exact: whether what was decoded is what the model said.
    curve: of progressive models, a list of (bpp, psnr, ssim, ms_ssim).
  """

  estimate: float
  coded: int
  overhead: int
  exact: bool
  curve: Optional[list] = None


def summarize(codec, paths):
  """Returns the `Summary` of a `LearnedCodec` or `EditedCodec` over image files."""
  rows, curves, checks = [], [], []
  model = codec.model
  check = _check_edited if model.kind == "editor" else _check_coded
  for path in paths:
    image = read_image(path)
    record = measure(codec, image)
    below, above = at_equal_bytes(classical.jpeg, image, record.num_bytes)
    rows.append((
        record.bpp, record.psnr, record.ms_ssim, record.encode_seconds,
        record.decode_seconds,
        interpolate_psnr(below, above, record.num_bytes), above.ms_ssim))
    checks.append(check(codec, image, record))
    if checks[-1].curve:
      curves.append(checks[-1].curve)
    elif "quality" in model.capabilities:
      records = [measure(codec, image, Settings(quality=quality))
                 for quality in QUALITIES]
      curves.append([
          (each.bpp, each.psnr, each.ssim, each.ms_ssim)
          for each in records])
  means = [float(mean) for mean in np.mean(rows, axis=0)]
  return Summary(
      *means, sum(c.coded for c in checks) / sum(c.estimate for c in checks) - 1.0,
      max(c.overhead for c in checks), sum(c.exact for c in checks), len(paths),
      _mean_curve(curves, model) if curves else None)


def _check_coded(codec, image, record):
  """Returns the `_Check` of a record of a `LearnedCodec`."""
  model = codec.model
  stream = bitstream.read(record.data)
  header, chunks = stream.header, stream.chunks
  output = model(model.to_batch(image), settings=Settings(
      quality=header.settings.get("quality"), effort=codec.effort))
  # x_hat in floats is equal only if every symbol is.
  exact = np.array_equal(
      record.decoded, model.to_image(output.x_hat, image.shape)) and np.array_equal(
          model.decode(chunks, header), output.x_hat)
  curve = None
  if "progressive" in model.capabilities:
    stages = [model.to_image(x, image.shape) for x in output.stages]
    curve = [
        (8 * num_bytes / (image.shape[0] * image.shape[1]), *found)
        for num_bytes, *found in measured(image, stages, header, chunks)]
  return _Check(
      sum(float(bits[0]) for bits in output.bits.values()),
      8 * bitstream.coded_bytes(chunks), bitstream.overhead(record.data, stream),
      exact, curve)


def _check_edited(codec, image, record):
  """Returns the `_Check` of a record of an `EditedCodec`.

  Bits, estimated and coded, are those of the least effort.
  """
  settings = Settings(quality=codec.quality, effort=codec.effort)
  least = dataclasses.replace(settings, effort=1)
  shown = codec.model.shown(image, settings)
  data = codec.encode(image, least)
  overhead = jpeg.overhead(data)
  return _Check(
      codec.model.estimate(image, least), 8 * (len(data) - overhead), overhead,
      np.abs(record.decoded - shown).max() <= JPEG_ROUNDING)


def _mean_curve(curves, model):
  means = np.mean(curves, axis=0).T.round(4)
  curve = dict(zip(("bpp", "psnr", "ssim", "ms_ssim"), means.tolist()))
  if "progressive" not in model.capabilities:
    curve["quality"] = list(QUALITIES)
  return curve


def main(arguments):
  """Prints a line of JSON for each shipped rate."""
  paths = find_images(arguments[0])
  for entry in pretrained.manifest():
    if len(arguments) > 1 and entry["name"] not in arguments[1:]:
      continue
    codec = open_weights(weight_path(entry), entry["quality"])
    codec.warm_up(read_image(paths[0]))
    print(json.dumps({
        "name": entry["name"], "quality": entry["quality"],
        **dataclasses.asdict(summarize(codec, paths))}), flush=True)


if __name__ == "__main__":
  main(sys.argv[1:])
