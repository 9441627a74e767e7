"""Flags of `tfcm compress`: what becomes of pictures that are more than 8-bit RGB."""


def add_arguments(parser):
  """Adds the flags."""
  parser.add_argument(
      "--depth", type=int, choices=[8, 16],
      help="of pictures of more than 8 bits a sample: 8 rounds them, 16 keeps all bits, "
      "without loss and at many more bytes, beside the picture of 8")
  parser.add_argument(
      "--alpha_quality", type=int, default=100, metavar="1..100",
      help="of transparency: 100 keeps it as it is (default), less keeps fewer levels")
