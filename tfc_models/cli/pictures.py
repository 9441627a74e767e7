"""Flags of `tfcm compress`: what becomes of pictures that are more than 8-bit RGB."""


def add_arguments(parser):
  """Adds the flags."""
  parser.add_argument(
      "--alpha_quality", type=int, default=100, metavar="1..100",
      help="of transparency: 100 keeps it as it is (default), less keeps fewer levels")
