"""Editors in front of JPEG: files that any decoder reads."""

import io

import numpy as np
from PIL import Image

from tfc_models.bitstream import Header
from tfc_models.codecs import rate_control
from tfc_models.codecs.base import Codec, check_image
from tfc_models.codecs.file_options import File, FileOptions
from tfc_models.codecs.model_codec import ModelCodec
from tfc_models.errors import BitstreamError, UsageError
from tfc_models.modeling.settings import Settings


class EditedCodec(ModelCodec, Codec):
  """Writes JPEG files whose integers a trained model has chosen; see `ModelCodec`."""

  extension = ".jpg"

  def encode(self, image, settings=None, options=None):
    """As of `Codec`; arguments as of `LearnedCodec.encode_file`."""
    return self.encode_file(image, settings, options).data

  def encode_file(self, image, settings=None, options=None, jobs=1):
    """As of `LearnedCodec`; nothing of the header is in the file, chunks are none."""
    image = check_image(image)
    options = options or FileOptions()
    if options.has_target:
      self.checked_settings(settings or Settings(), options)
      return rate_control.encode(self, image, settings or Settings(), options, jobs)
    settings, noted = self.checked_settings(settings or Settings(), options)
    header = Header(
        self.model.registered_name, self.fingerprint, *image.shape,
        settings=noted)
    with self.coding(UsageError, header):
      data = self.model.compress(image, settings, options.metadata)
    return File(data, header, [])

  def decode(self, data):
    """As of `Codec`."""
    image = np.asarray(Image.open(io.BytesIO(data)))
    return image[..., None] if image.ndim == 2 else image

  def picture(self, file, jobs=1):
    """As of `LearnedCodec`."""
    return self.decode(file.data)

  def unpack(self, stream, max_pixels=None):
    """Raises BitstreamError: no `.tfcm` file is of an editor."""
    raise BitstreamError(
        f"the stream names {stream.header.model}, which writes plain JPEG files")
