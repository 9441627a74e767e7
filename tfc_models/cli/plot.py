"""`tfcm plot`: the plots of an evaluation, drawn anew with other choices."""

from tfc_models.cli.evaluate import require_extras


def add_arguments(parser):
  parser.add_argument("folder", help="the --output of tfcm evaluate")
  parser.add_argument(
      "--codecs", nargs="+", metavar="NAME",
      help="curves to draw, published:NAME too (default all of the evaluation)")
  parser.add_argument(
      "--anchor", metavar="NAME",
      help="that the per-image plot refers to (default jpeg)")
  parser.add_argument(
      "--published", nargs="*", metavar="NAME",
      help="published Kodak curves beside ours (default a few)")
  parser.add_argument(
      "--max_bpp", type=float, default=2.0, help="right end (default 2)")
  parser.add_argument(
      "-o", "--output", metavar="FOLDER",
      help="of the plots (default that of the evaluation)")


def run(arguments):
  require_extras()
  from tfc_models.evaluation import plots, published
  from tfc_models.evaluation.report import Report
  from tfc_models.evaluation.store import Store
  names = arguments.published
  if names is None and arguments.codecs:
    names = [name[len(published.PREFIX):] for name in arguments.codecs
             if name.startswith(published.PREFIX)]
  report = Report(
      Store(arguments.folder), arguments.anchor and [arguments.anchor], names)
  for path in plots.draw(
      report, arguments.output or arguments.folder, arguments.codecs,
      arguments.max_bpp):
    print(f"{path} and .svg")
  return 0
