"""What each iteration of a progressive model brings on a folder of images.

    python -m tfc_models.inspection.progressive MODEL FOLDER [TILE_PSNR ...]

Prints for each number of iterations: bytes of raw signs and of those that the
entropy coder wrote, what it saved of that iteration alone, PSNR, SSIM and MS-SSIM,
means over images. For each TILE_PSNR in dB then the same of files whose tiles stop
there, and the bytes that this saves against files of equal iterations everywhere at
the same mean PSNR, between two numbers of iterations on a straight line.
"""

import sys
from typing import NamedTuple

import numpy as np

from tfc_models import bitstream, codecs, metrics
from tfc_models.datasets.files import find_images, read_image
from tfc_models.modeling.settings import Settings


class Stages(NamedTuple):
  """Means over images, each an array of one value for each number of iterations.

  Attributes:
    raw_bytes: of signs of a bit each, with all else of a file.
    num_bytes: of the file.
    psnr, ssim, ms_ssim: of the image; the latter NaN where one is too small.
  """

  raw_bytes: np.ndarray
  num_bytes: np.ndarray
  psnr: np.ndarray
  ssim: np.ndarray
  ms_ssim: np.ndarray


def stages(codec, images, tile_psnr=None):
  """Returns the `Stages` of a progressive `LearnedCodec`.

  Args:
    codec: of a progressive model.
    images: uint8 arrays (H, W, 3).
    tile_psnr: see `Settings`. A file that ends early counts as it is from there on.
  """
  rows = [_stages_of(codec, image, tile_psnr) for image in images]
  return Stages(*np.mean(rows, axis=0).T)


def saved_at_equal_psnr(plain, adaptive):
  """Returns the share of bytes that `adaptive` saves in its last iteration.

  Args:
    plain, adaptive: `Stages`; NaN where plain does not reach that PSNR.
  """
  needed = np.interp(
      adaptive.psnr[-1], plain.psnr, plain.num_bytes, right=np.nan)
  return 1.0 - adaptive.num_bytes[-1] / needed


def _stages_of(codec, image, tile_psnr):
  """Returns (iterations, fields of `Stages`) of one image."""
  model = codec.model
  height, width, channels = image.shape
  header = bitstream.Header(
      model.registered_name, codec.fingerprint, height, width, channels)
  chunks, decoded = zip(*model.compress_progressively(
      image, Settings(tile_psnr=tile_psnr)))
  rows = []
  for count, row in enumerate(measured(image, decoded, header, chunks), 1):
    raw = count * model.iteration_bytes(height, width)
    rows.append([row[0] - bitstream.coded_bytes(chunks[:count]) + raw, *row])
  return rows + rows[-1:] * (model.iterations - len(rows))


def measured(image, decoded, header, chunks):
  """Yields what each number of iterations comes to.

  Args:
    image: uint8 (H, W, 3).
    decoded: its reconstructions after 1, 2, ... iterations, likewise.
    header, chunks: of the file.

  Yields:
    (bytes of the file, PSNR, SSIM, MS-SSIM), NaN where an image is too small.
  """
  for count, picture in enumerate(decoded, 1):
    found = metrics.compare(image, picture)
    yield (len(bitstream.write(header, chunks[:count])), *(
        np.nan if value is None else value
        for value in (found.psnr, found.ssim, found.ms_ssim)))


def table(found, pixels):
  """Returns lines of Markdown.

  Args:
    found: `Stages`.
    pixels: of an image, mean.
  """
  lines = ["| iterations | bytes, raw | bytes | of it saved | bpp | PSNR dB | "
           "SSIM | MS-SSIM |", "|---|---|---|---|---|---|---|---|"]
  before = 0.0, 0.0
  for count, (raw, coded, psnr, ssim, ms_ssim) in enumerate(zip(*found), 1):
    saved = 1.0 - (coded - before[1]) / (raw - before[0])
    before = raw, coded
    lines.append(
        f"| {count} | {raw:.0f} | {coded:.0f} | {saved:.1%} | "
        f"{8 * coded / pixels:.3f} | {psnr:.2f} | {ssim:.4f} | {ms_ssim:.4f} |")
  return lines


def main(name, folder, *tile_psnrs):
  """Prints the tables."""
  codec = codecs.load(name, kinds=("image",))
  images = [read_image(path) for path in find_images(folder)]
  pixels = np.mean([image.shape[0] * image.shape[1] for image in images])
  plain = stages(codec, images)
  print("\n".join(table(plain, pixels)), flush=True)
  for tile_psnr in tile_psnrs:
    adaptive = stages(codec, images, float(tile_psnr))
    print(f"\nTiles stop at {tile_psnr} dB:\n")
    print("\n".join(table(adaptive, pixels)))
    print(f"\nSaved at {adaptive.psnr[-1]:.2f} dB: "
          f"{saved_at_equal_psnr(plain, adaptive):.1%}", flush=True)


if __name__ == "__main__":
  main(*sys.argv[1:])
