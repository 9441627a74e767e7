"""`tfcm evaluate`: codecs on images, as records, averages, BD-rates and plots."""

import sys

import tqdm

from tfc_models.cli.main import report as report_error
from tfc_models.codecs import external, lineup
from tfc_models.datasets.files import find_images
from tfc_models.errors import UsageError

EPILOG = """\
A CODEC is one of --list, a training directory or a glob of them, or
'cmd:ENCODER => DECODER' with {in}, {out}, {q}, as in
  'cmd:cjxl {in} {out.jxl} -q {q} => djxl {in} {out} @30,60,90'
NAME=CODEC renames it, CODEC@10,20 or CODEC@10:90:20 sets what makes the points of
its curve. Finished records in --output are not measured again."""


def add_arguments(parser):
  parser.epilog = EPILOG
  parser.add_argument(
      "--codecs", nargs="+", action="extend", metavar="CODEC",
      help="what to compare, with spaces or commas between; by default all "
      "shipped weights and all classical codecs that are installed")
  parser.add_argument(
      "--images", nargs="+", action="extend", metavar="GLOB",
      help="files, folders or globs")
  parser.add_argument(
      "-o", "--output", metavar="FOLDER", help="of records, tables and plots")
  parser.add_argument(
      "--anchor", nargs="+", action="extend", metavar="NAME",
      help="codecs, or published:NAME, that BD-rates refer to (default jpeg, "
      "and published:tfc/bpg444 on Kodak)")
  parser.add_argument(
      "--published", nargs="*", metavar="NAME",
      help="published Kodak curves beside ours (default a few, see --list)")
  parser.add_argument(
      "--jobs", type=int, default=1, metavar="N",
      help="images at a time (default 1; seconds mean little with more)")
  parser.add_argument(
      "--timeout", type=float, default=external.TIMEOUT_SECONDS,
      metavar="SECONDS", help="end programs of cmd: codecs that take longer for an "
      f"image (default {external.TIMEOUT_SECONDS:g})")
  parser.add_argument(
      "--lpips", default="", metavar="ALEXNET.pth,LINEAR.pth",
      help="measure LPIPS too, with torchvision's file and that of its authors")
  parser.add_argument(
      "--features", metavar="SAVEDMODEL",
      help="measure Frechet and kernel distances of the features that it gives of "
      "patches: FID and KID, if it is Inception")
  parser.add_argument(
      "--list", action="store_true",
      help="list codecs and published curves, and end")
  parser.add_argument(
      "--verbose", action="store_true", help="where in the code a codec failed")


def run(arguments):
  if arguments.list:
    _list()
    return 0
  for name in ("images", "output"):
    if not getattr(arguments, name):
      raise UsageError(f"evaluate: --{name} is missing")
  if arguments.jobs < 1:
    raise UsageError(f"--jobs must be at least 1, got {arguments.jobs}")
  if arguments.timeout <= 0:
    raise UsageError(f"--timeout must be above 0, got {arguments.timeout:g}")
  require_extras()
  families, missing = [], []
  for family in (lineup.parse(arguments.codecs, arguments.timeout) if arguments.codecs
                 else lineup.everything().values()):
    reason = family.missing()
    if reason is None:
      families.append(family)
    else:
      missing.append(f"{family.name}: {reason}")
  if not families:
    raise UsageError(f"no codec left: {', '.join(missing)}")
  paths = list(dict.fromkeys(
      path for pattern in arguments.images for path in find_images(pattern)))
  for line in missing:
    print(f"missing: {line}", file=sys.stderr)
  if arguments.lpips:
    from tfc_models.metrics.perceptual import lpips_of
    lpips_of(arguments.lpips)  # Before hours of coding.
  features = None
  if arguments.features:
    from tfc_models.evaluation import features as features_lib
    features_lib.Network(arguments.features)
    features = features_lib.FeatureStore(arguments.output, arguments.features)
  from tfc_models.evaluation import evaluate, plots
  from tfc_models.evaluation.report import Report
  from tfc_models.evaluation.store import Store

  def tell(failure):
    with tqdm.tqdm.external_write_mode():
      report_error(str(failure))
      if arguments.verbose and failure.trace:
        print(failure.trace, file=sys.stderr)

  failures = evaluate(
      families, paths, arguments.output, jobs=arguments.jobs, report=tell,
      lpips=arguments.lpips, features=features,
      progress=lambda tasks, total: tqdm.tqdm(
          tasks, total=total, disable=None, unit="file", leave=False))
  report = Report(
      Store(arguments.output), arguments.anchor, arguments.published, features)
  plots.draw(report, arguments.output)
  report.write(failures)
  for anchor in report.anchors:
    print(f"Against {anchor}:\n{report.delta_table(anchor)}\n")
  print(f"{arguments.output}: report.md, summary.json, averages.csv, bd.csv, "
        "records.csv, plots")
  return 1 if failures else 0


def require_extras():
  """Raises UsageError unless what tables and plots need is installed."""
  try:
    import bjontegaard  # noqa: F401
    import matplotlib  # noqa: F401
  except ImportError as error:
    raise UsageError(
        f"{error.name} is missing: pip install 'tfc_models[evaluate]'"
    ) from None


def _list():
  from tfc_models.evaluation import published
  print("Codecs:")
  for family in lineup.everything().values():
    reason = family.missing()
    settings = " ".join(
        str(setting) for setting in family.settings if setting is not None)
    print(f"  {family.name:<22} "
          + (f"missing: {reason}" if reason else settings or "-"))
  print("Published curves (means over Kodak):")
  for name in published.names():
    print(f"  {published.PREFIX + name:<52} {published.describe(name)}")
