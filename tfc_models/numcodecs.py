"""Chunks of zarr arrays as `.tfcm` files: the codec `tfcm` of numcodecs.

    import zarr
    from tfc_models.numcodecs import Tfcm

    zarr.create_array(..., chunks=(512, 512, 3), compressor=Tfcm(quality=75))

An installed package is found by its name alone, by an entry point. It is lossy but for
transparency and uint16: a chunk comes back as its decoded picture.
"""

import functools

import numcodecs.abc
import numcodecs.compat
import numcodecs.registry
import numpy as np

from tfc_models.codecs.loading import DEFAULT_MODEL, load
from tfc_models.codecs.stream_decoder import shared_decoder


@functools.lru_cache(maxsize=4)
def _encoder(model, quality, effort):
  more = {} if effort is None else {"effort": effort}
  return load(model, quality, kinds=("image",), **more)


class Tfcm(numcodecs.abc.Codec):
  """Codes chunks of uint8 or uint16 of shape (..., H, W) or (..., H, W, 1 to 4).

  All leading axes have length 1. Of a chunk of 2 or 4 channels the last one is
  transparency.

  Args:
    model, quality, effort: as of `codecs.load`.
  """

  codec_id = "tfcm"

  def __init__(self, model=DEFAULT_MODEL, quality=None, effort=None):
    self.model, self.quality, self.effort = model, quality, effort

  def encode(self, buf):
    """Returns the bytes of a file.

    Raises:
      ImageError: if the chunk is no image.
    """
    image = np.asarray(numcodecs.compat.ensure_ndarray_like(buf))
    while image.ndim > 2 and len(image) == 1:
      image = image[0]
    return _encoder(self.model, self.quality, self.effort).encode(image)

  def decode(self, buf, out=None):
    """Returns the array (H, W, 1 to 4), or fills `out` with it.

    Raises:
      BitstreamError: if the file is damaged or its weights are not found.
    """
    image = shared_decoder().decode(numcodecs.compat.ensure_bytes(buf))
    return numcodecs.compat.ndarray_copy(image, out)


numcodecs.registry.register_codec(Tfcm)
