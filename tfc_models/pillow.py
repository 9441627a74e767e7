"""Pillow opens and saves `.tfcm` files after `import tfc_models.pillow`.

    import tfc_models.pillow
    from PIL import Image

    image = Image.open("photo.tfcm")  # Size, mode and info, without TensorFlow.
    image.show()                      # Decodes.
    image.save("small.tfcm", quality=30)

Pillow knows no entry points: a program has to import this module, once.

`save` takes model, quality, effort, tune, keep, alpha_quality, the targets of `FileOptions`,
and icc_profile, exif and xmp as Pillow's AVIF does: the profile is that of the image
unless another is given, the others are written if they are given. Pixels are stored
upright, so EXIF with an orientation turns them. Weights are loaded once a process.
"""

import functools
import threading
import warnings

import PIL.Image
import PIL.ImageFile

from tfc_models import bitstream
from tfc_models.datasets import exif, metadata
from tfc_models.errors import BitstreamError, ImageError, TfcmError, UsageError

FORMAT = "TFCM"
MIME = "image/x-tfcm"
_EXTENSION = ".tfcm"
_MODES = {1: "L", 3: "RGB"}
# What of Pillow's modes means something as it is, or is converted to what does.
_SAVED = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa")
_OPTIONS = ("target_bytes", "target_bpp", "target_psnr", "target_ms_ssim",
            "alpha_quality")

_lock = threading.Lock()


class TfcmImageFile(PIL.ImageFile.ImageFile):
  """An image of a `.tfcm` file, decoded when its pixels are touched.

  Of samples of more than 8 bits, grey ones alone are of a mode that Pillow has, I;16;
  of others this is the picture of 8 bits.
  """

  format = FORMAT
  format_description = "TensorFlow compression models"

  def _open(self):
    try:
      stream = bitstream.read(self.fp.read())
    except BitstreamError as error:
      raise SyntaxError(str(error)) from None  # As Pillow wants to hear it.
    header = stream.header
    if "frames" in header.settings:
      raise SyntaxError("a video is no image")
    self._stream = stream
    self._size = header.width, header.height
    has_alpha, channels = "alpha" in stream.planes, header.channels
    self._is_deep = bool(stream.sample_bits) and channels == 1 and not has_alpha
    self._mode = "I;16" if self._is_deep else _MODES[channels] + "A" * has_alpha
    kept, _ = metadata.checked(stream.metadata, channels)
    if "icc" in kept:
      self.info["icc_profile"] = kept["icc"]
    if "exif" in kept:
      self.info["exif"] = exif.PREFIX + kept["exif"]
    if "xmp" in kept:
      self.info["xmp"] = kept["xmp"]
    self.info.update(model=header.model, fingerprint=header.fingerprint.hex())
    if "quality" in header.settings:
      self.info["quality"] = header.settings["quality"]
    if "synthesised" in header.settings:
      self.info["synthesised"] = True
    self.tile = []

  def load(self):
    """Decodes, the first time.

    Raises:
      OSError: if the file is damaged, or its weights are not found.
    """
    if self._stream is not None:
      try:
        array = _decoded(self._stream, None if self._is_deep else 8)
      except TfcmError as error:
        raise OSError(str(error)) from error
      self.im = PIL.Image.fromarray(
          array[..., 0] if array.shape[-1] == 1 else array).im
      self._stream = None
    return super().load()


def _accept(prefix):
  """Returns whether a file is of ours; thumbnails do not begin as nothing else does."""
  return prefix.startswith(bitstream.MAGIC)


def _decoder():
  from tfc_models import codecs
  return codecs.shared_decoder()


def _decoded(stream, depth):
  codec, stream = _decoder().prepared(stream)
  return codec.decode_stream(stream, depth=depth)


@functools.lru_cache(maxsize=4)
def _codec(path, quality):
  """Returns the codec of a weight file that stands for a quality, or for none."""
  from tfc_models import codecs
  return codecs.open_weights(path, quality)


def _save(image, file, filename):
  """Writes an image.

  Raises:
    OSError: if no file holds it.
    ValueError: if an option is wrong.
  """
  del filename
  try:
    file.write(_encoded(image, dict(image.encoderinfo)))
  except ImageError as error:
    raise OSError(str(error)) from error
  except UsageError as error:
    raise ValueError(str(error)) from error


def _encoded(image, info):
  import numpy as np

  from tfc_models import pretrained
  from tfc_models.codecs import FileOptions
  from tfc_models.codecs.loading import DEFAULT_MODEL
  from tfc_models.datasets import pixels, turns
  from tfc_models.modeling.settings import Settings
  if image.mode == "I;16":
    array = np.asarray(image)[..., None]
  elif image.mode in _SAVED:
    array = pixels.of_image(image)
  else:
    raise ImageError(
        f"cannot write mode {image.mode} as {FORMAT}; convert it to RGB first")
  block, xmp = info.get("exif"), info.get("xmp")
  tags = block if isinstance(block, PIL.Image.Exif) else PIL.Image.Exif()
  if tags is not block and block:
    tags.load(block)
  array = turns.upright(array, tags.get(exif.ORIENTATION, 1))
  found = {
      "icc": info.get("icc_profile", image.info.get("icc_profile")),
      "exif": block.tobytes() if isinstance(block, PIL.Image.Exif) else block,
      "xmp": xmp.encode() if isinstance(xmp, str) else xmp}
  kept, dropped = metadata.checked(
      {name: value for name, value in found.items() if value}, array.shape[-1])
  for text in dropped:
    warnings.warn(text, stacklevel=6)
  quality = info.get("quality")
  path, stands_for = pretrained.find_by_name(
      pretrained.tuned(info.get("model", DEFAULT_MODEL), info.get("tune")), quality)
  with _lock:
    codec = _codec(path, stands_for)
  varies = "quality" in codec.model.capabilities
  if quality is not None and stands_for is None and not varies:
    raise UsageError(f"{path}: a model trained for one rate takes no quality")
  return codec.encode(
      array, Settings(quality=quality if varies else None, effort=info.get("effort"),
                      keep=info.get("keep")),
      FileOptions(metadata=kept, **{
          name: info[name] for name in _OPTIONS if name in info}))


PIL.Image.register_open(FORMAT, TfcmImageFile, _accept)
PIL.Image.register_save(FORMAT, _save)
PIL.Image.register_extension(FORMAT, _EXTENSION)
PIL.Image.register_mime(FORMAT, MIME)
