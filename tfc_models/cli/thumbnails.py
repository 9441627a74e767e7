"""`tfcm thumbnails`: 32x32 images at a few bytes, without headers."""

from tfc_models.cli.evaluate import require_extras
from tfc_models.datasets.files import find_images
from tfc_models.errors import UsageError


def add_arguments(parser):
  parser.add_argument(
      "--images", required=True, metavar="FOLDER",
      help="photographs to cut thumbnails from")
  parser.add_argument(
      "--codecs", nargs="+", default=["jpeg", "jpeg2000", "webp"],
      metavar="NAME", help="jpeg, jpeg2000, webp, progressive shipped weights or "
      "training directories (default the former three)")
  parser.add_argument(
      "--budgets", default="32,48,64,96,128,192,256", metavar="BYTES,...",
      help="(default 32,48,64,96,128,192,256)")
  parser.add_argument(
      "--crops", type=int, default=5, help="of each photograph (default 5)")
  parser.add_argument(
      "-o", "--output", default="thumbnails", metavar="FOLDER",
      help="of table and plots (default thumbnails)")


def run(arguments):
  require_extras()
  try:
    budgets = [int(word) for word in arguments.budgets.split(",")]
  except ValueError:
    raise UsageError(
        f"--budgets: {arguments.budgets!r} is not BYTES,...") from None
  if arguments.crops < 1 or min(budgets) < 1:
    raise UsageError("--crops and --budgets must be positive")
  paths = find_images(arguments.images)
  from tfc_models.inspection import thumbnails
  images = thumbnails.cut(paths, arguments.crops)
  points = thumbnails.evaluate(arguments.codecs, images, budgets)
  print(f"{len(images)} thumbnails of {len(paths)} photographs\n")
  print("| codec | budget | bytes | over budget | SSIM 7x7 | PSNR dB "
        "| MSE |\n|---|---|---|---|---|---|---|")
  for point in points:
    print(f"| {point.codec} | {point.budget} | {point.num_bytes:.1f} "
          f"| {point.over} | {point.ssim:.4f} | {point.psnr:.2f} "
          f"| {point.mse:.1f} |")
  print()
  for path in thumbnails.write(points, arguments.output):
    print(path)
  return 0
