"""ICC profiles, EXIF and XMP between image files and ours: which, and how large.

They come from strangers, in images as in `.tfcm` files: both ways pass `checked`.
"""

import re

from PIL import Image, PngImagePlugin

from tfc_models.datasets import exif

LABELS = {"icc": "ICC profile", "exif": "EXIF", "xmp": "XMP"}
# Bytes of each. PNG readers take no larger profile, Pillow among them; the others are
# what a segment of JPEG holds behind its name, so that any output can hold them.
LIMITS = {"icc": 2**20, "exif": 65527, "xmp": 65504}
# The formats into which Pillow writes all of them.
_WRITTEN = frozenset(["AVIF", "JPEG", "PNG", "TIFF", "WEBP"])

_XMP_TAG = 700
_PNG_XMP = "XML:com.adobe.xmp"
# Those of files; device links and named colours describe no picture.
_ICC_CLASSES = (b"mntr", b"prtr", b"scnr", b"spac")
_ICC_HEADER = 128
_ICC_SPACES = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}
_XMP_ORIENTATION = re.compile(
    rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[0-9]")
# Room that editors leave in front of the end of a packet, kilobytes of spaces.
_XMP_PADDING = re.compile(rb"\s{16,}(?=<\?xpacket end)")


def of_image(image, channels):
  """Returns the metadata of an image that has been turned upright.

  Args:
    image: PIL image, as it was opened and loaded.
    channels: 1 to 4, of the pixels that are made of it.

  Returns:
    dict of bytes by name, as of `checked`; list of texts, each why one is missing.
  """
  found, dropped = {}, []
  for name, read in (("icc", _icc), ("exif", _exif), ("xmp", _xmp)):
    try:
      value = read(image)
    except MemoryError:
      raise
    except Exception as error:  # Whatever Pillow raises of it.
      dropped.append(_lost(name, error))
      continue
    if value:
      found[name] = value
  kept, more = checked(found, channels)
  return kept, dropped + more


def checked(metadata, channels):
  """Returns what of metadata may be kept, and why the rest may not.

  An ICC profile is of the colours of the pixels, RGB or grey; EXIF says that they are
  upright and has no preview, see `exif.upright`; XMP is UTF-8, says the same and has
  no padding. None is larger than `LIMITS`.

  Args:
    metadata: dict of bytes by name, some of `LABELS`.
    channels: 1 to 4, of the pixels.

  Returns:
    dict; list of texts.
  """
  kept, dropped = {}, []
  checks = {"icc": lambda value: _check_icc(value, channels), "exif": exif.upright,
            "xmp": _check_xmp}
  for name, value in metadata.items():
    try:
      value = checks[name](value)
      if len(value) > LIMITS[name]:
        raise ValueError(f"{len(value)} bytes, more than {LIMITS[name]}")
    except ValueError as error:
      dropped.append(_lost(name, error))
    else:
      kept[name] = value
  return kept, dropped


def save_options(metadata, format):
  """Returns what Pillow's `save` is to be told, and what the format cannot hold.

  Args:
    metadata: of `checked`.
    format: Pillow's name of it.

  Returns:
    dict of arguments; list of texts.
  """
  options, dropped = {}, []
  if format not in _WRITTEN:
    names = ", ".join(LABELS[name] for name in metadata)
    return {}, [f"{format} files, as Pillow writes them, hold no {names}"] * bool(names)
  if "icc" in metadata:
    options["icc_profile"] = metadata["icc"]
  block, xmp = metadata.get("exif"), metadata.get("xmp")
  if format == "TIFF":
    # Its own directory is that of EXIF: no other tag of a stranger's may get there.
    tags, more = Image.Exif(), [] if xmp is None else [(_XMP_TAG, xmp)]
    try:
      if block is not None:
        tags.load(block)
      block = exif.portable(tags, more)
    except MemoryError:
      raise
    except Exception as error:
      dropped.append(_lost("exif", error))
      block = exif.portable(Image.Exif(), more)
  elif xmp is not None and format == "PNG":
    options["pnginfo"] = PngImagePlugin.PngInfo()
    options["pnginfo"].add_itxt(_PNG_XMP, xmp.decode())
  elif xmp is not None:
    options["xmp"] = xmp
  if block:
    prefix = b"" if block.startswith(exif.PREFIX) else exif.PREFIX
    options["exif"] = prefix + block
  return options, dropped


def _icc(image):
  profile = image.info.get("icc_profile", b"")
  if profile is None:
    raise ValueError("its bytes cannot be unpacked")
  return profile


def _exif(image):
  block = image.info.get("exif")
  if block is None and "Raw profile type exif" in image.info:  # Of older ImageMagick.
    lines = image.info["Raw profile type exif"].split("\n")
    block = bytes.fromhex("".join(lines[3:]))
  if block is None and image.format == "TIFF":
    block = exif.portable(image.getexif())
  return block


def _xmp(image):
  xmp = image.info.get("xmp") or image.info.get(_PNG_XMP)
  return xmp.encode() if isinstance(xmp, str) else xmp


def _check_icc(profile, channels):
  """Returns a profile without what follows it."""
  size = int.from_bytes(profile[:4], "big")
  if not _ICC_HEADER < size <= len(profile) or profile[36:40] != b"acsp":
    raise ValueError("it is broken")
  space, wanted = profile[16:20], _ICC_SPACES[channels]
  if space != wanted:
    raise ValueError(
        f"it is of {_text(space)} colours, the pixels are {_text(wanted)}")
  if profile[12:16] not in _ICC_CLASSES:
    raise ValueError(f"a profile of class {_text(profile[12:16])} is of no picture")
  return profile[:size]


def _check_xmp(packet):
  """Returns a packet of upright pixels."""
  packet = packet.rstrip(b"\0")  # As some end it.
  if b"\0" in packet or not packet.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
    raise ValueError("it is no XML")
  try:
    packet.decode()
  except UnicodeDecodeError:
    raise ValueError("it is not UTF-8") from None
  return _XMP_PADDING.sub(b"\n", _XMP_ORIENTATION.sub(rb"\g<1>1", packet))


def _lost(name, reason):
  return f"{LABELS[name]} is dropped ({reason})"


def _text(signature):
  return signature.decode("latin-1").strip()
