"""`tfcm models`: shipped weights and recipes, without TensorFlow."""

import json
import math

from tfc_models import configs
from tfc_models.pretrained import loader


def add_arguments(parser):
  parser.add_argument(
      "--json", action="store_true", help="print one JSON object")


def run(arguments):
  entries = loader.manifest()
  recipes, kinds = configs.summaries(), configs.kinds()
  if arguments.json:
    print(json.dumps({"weights": entries, "recipes": recipes, "kinds": kinds}, indent=2))
    return 0
  print("Shipped weights (Kodak, mean of 24 images):")
  width = max(len(entry["name"]) for entry in entries)
  print(f"  {'name':<{width}} {'kind':<6} {'quality':>7} {'bpp':>6} {'PSNR':>6} {'MS-SSIM':>8}"
        f" {'MiB':>5}  fingerprint")
  for entry in entries:
    kodak = entry["kodak"]
    kind = kinds[entry["config"].partition(":")[0]]
    print(f"  {entry['name']:<{width}} {kind:<6} {entry['quality']:>7} {kodak['bpp']:>6.3f} "
          f"{kodak.get('psnr', math.inf):>6.2f} {kodak['ms_ssim']:>8.4f} "
          f"{entry['bytes'] / 2**20:>5.2f}  {entry['fingerprint']}")
  print("Recipes (tfcm train --config=NAME):")
  for name, summary in recipes.items():
    print(f"  {name:<22} {kinds[name]:<6} {summary}")
  return 0
