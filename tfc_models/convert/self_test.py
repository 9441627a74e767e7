"""What integers cost: a converted network beside the real one it comes from."""

import numpy as np

from tfc_models import metrics
from tfc_models.entropy_models import AutoregressiveCodec
from tfc_models.layers import (
    ACTIVATION_LIMIT,
    ExactConv2D,
    ExactConv2DTranspose,
)

# Sides of the middle of a photograph that is coded.
_WINDOW = 256


def compare(real, integer, images):
  """Returns a dict of figures, means over images.

  Args:
    real, integer: models of one network, the latter `exact`.
    images: dict from name to uint8 image.

  Returns:
    images: their names; real_bpp, integer_bpp: as estimated; excess: of the bits of
    the latter, as a part of those of the former; real_psnr, integer_psnr: in dB;
    clipped: the share of all activations of its integer layers that are at the limit.
  """
  rows, clipped = [], []
  for image in images.values():
    image = _middle(image)
    found = []
    for model in (real, integer):
      decoded, bits = model.reconstruct(image)
      found += [bits / image[..., 0].size, metrics.psnr(image, decoded)]
    rows.append(found)
    clipped.append(_clipped(integer, image))
  real_bpp, real_psnr, integer_bpp, integer_psnr = map(float, np.mean(rows, axis=0))
  return {
      "images": sorted(images), "real_bpp": real_bpp, "integer_bpp": integer_bpp,
      "excess": integer_bpp / real_bpp - 1.0, "real_psnr": real_psnr,
      "integer_psnr": integer_psnr, "clipped": float(np.mean(clipped))}


def _middle(image):
  top, left = (max(side - _WINDOW, 0) // 2 for side in image.shape[:2])
  return image[top:top + _WINDOW, left:left + _WINDOW]


def _clipped(model, image):
  """Returns the share of activations that are at the limit."""
  layers = [layer for layer in model.submodules if _is_bounded(layer)]
  at_limit, total = [], []

  def watched(call):
    def counted(x):
      y = call(x)
      at_limit.append(np.count_nonzero(np.abs(y) >= ACTIVATION_LIMIT))
      total.append(np.size(y))
      return y
    return counted

  calls = [layer.call for layer in layers]
  try:
    for layer, call in zip(layers, calls):
      layer.call = watched(call)
    codec = model.latent_codec
    y = model.analyze(model.to_batch(image))
    _, y_hat = codec.symbols(y)
    _, z_hat = codec.z_codec.symbols(codec.analyze(y))
    side = codec.params_of(z_hat)
    if isinstance(codec.y_codec, AutoregressiveCodec):
      codec.y_codec.network(y_hat, side)  # All sites at once.
  finally:
    for layer, call in zip(layers, calls):
      layer.call = call
  return sum(at_limit) / sum(total)


def _is_bounded(layer):
  return isinstance(layer, (ExactConv2D, ExactConv2DTranspose)) and (
      layer.kind is not None)
