"""`tfcm zoo`: shipped weights from a plan, for maintainers in a checkout."""

from tfc_models.cli.train import override


def add_arguments(parser):
  parser.add_argument(
      "plan", help="JSON list of what to train, see data/zoo.json; "
      "--config.data.train=FOLDER and the like apply to all of it")
  parser.add_argument(
      "--work_dir", required=True, metavar="DIR",
      help="training directories; what is finished there is not trained again")
  parser.add_argument(
      "--images", metavar="FOLDER",
      help="measure on these (Kodak) and refresh manifest, docs/WEIGHTS.md, "
      "weights and golden streams; without it nothing is released")
  parser.add_argument(
      "--root", default=".", help="checkout of the project (default .)")
  parser.add_argument(
      "--minutes", type=float, default=0.0,
      help="time for all trainings together; 0 for no bound")
  parser.set_defaults(overrides=[])


def run(arguments):
  # Only now, when the request makes sense: this loads TensorFlow.
  from tfc_models import zoo
  entries = zoo.read_plan(arguments.plan)
  zoo.train(
      entries, arguments.work_dir,
      lambda config: override(config, arguments.overrides), arguments.minutes)
  if arguments.images:
    zoo.release(entries, arguments.work_dir, arguments.images, arguments.root)
  return 0
