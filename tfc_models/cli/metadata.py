"""ICC profiles, EXIF and XMP on the command line: kept, unless `--strip` is given."""

from tfc_models.cli.main import report
from tfc_models.datasets import metadata
from tfc_models.datasets.files import image_bytes
from tfc_models.errors import ImageError


def add_arguments(parser):
  """Adds the flag that leaves metadata out."""
  parser.add_argument(
      "--strip", action="store_true",
      help="leave out the ICC profile, EXIF and XMP (by default they are kept)")


def of_picture(picture, name, arguments):
  """Returns the metadata for a file of an image, or None; warns of what is lost.

  Args:
    picture: `datasets.files.Picture`.
    name: of its file.
    arguments: parsed.
  """
  if arguments.strip:
    return None
  dropped, kept = list(picture.dropped), picture.metadata
  if arguments.thumbnail and kept:
    names = ", ".join(metadata.LABELS[name] for name in kept)
    dropped.append(f"a thumbnail has no room for {names}; --strip drops it unsaid")
    kept = None
  _warn(dropped, name)
  return kept or None


def file_bytes(image, found, format, name, **how):
  """Returns the bytes of an image file with the metadata of a stream.

  Warns of what it cannot hold; the picture is written all the same.

  Args:
    image: uint8 (H, W, 1 to 4).
    found: dict of bytes by name, of a `bitstream.Stream`: anybody may have made it.
    format: Pillow's name of the format.
    name: of the file, for messages.
    **how: options of Pillow's `save` beside metadata.

  Raises:
    ImageError: if Pillow cannot write such an image.
  """
  kept, dropped = metadata.checked(found, image.shape[-1])
  options, more = metadata.save_options(kept, format)
  dropped += more
  try:
    data = image_bytes(image, format, name, **how, **options)
  except ImageError as error:
    if not options:
      raise
    # Unless it is the image that cannot be written, which raises again.
    data = image_bytes(image, format, name, **how)
    dropped.append(f"metadata are dropped ({error})")
  _warn(dropped, name)
  return data


def _warn(texts, name):
  """Says what is lost in one line, if anything is."""
  if texts:
    report(f"warning: {'; '.join(texts)}", name)
