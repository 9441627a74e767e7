"""A lapped linear transform of colour images, which starts as the KLT of blocks."""

import numpy as np

from tfc_models.layers import ScaledConv2D, ScaledConv2DTranspose

BLOCK = 8
_KERNEL = 16
DEPTH = 3 * BLOCK**2  # Complete: the KLT loses nothing before rounding.


def analysis():
  """Returns (B, H, W, 3) to (B, H / 8, W / 8, 192), a convolution."""
  return ScaledConv2D(DEPTH, _KERNEL, BLOCK, rate=1.0, name="analysis_transform")


def synthesis():
  """Returns its inverse, likewise."""
  return ScaledConv2DTranspose(3, _KERNEL, BLOCK, rate=1.0, name="synthesis_transform")


def start(analysis, synthesis, images, step):
  """Makes both the KLT of 8x8 blocks, of x - 1/2 on the scale 0..255 in units of a step.

  Args:
    analysis, synthesis: of the functions above, built.
    images: iterable of uint8 batches.
    step: of the quantiser, on 0..255.

  Returns:
    (192,) standard deviations of the coefficients, in steps, largest first.
  """
  blocks = np.concatenate([_blocks(np.asarray(batch)) for batch in images])
  colour = blocks.reshape(-1, 3).mean(axis=0)
  variances, basis = np.linalg.eigh(np.cov(blocks, rowvar=False))
  variances = np.maximum(variances[::-1], 1e-2)
  basis = basis[:, ::-1]  # (8 * 8 * 3, 192).
  margin = (_KERNEL - BLOCK) // 2
  kernel = np.pad(
      basis.reshape(BLOCK, BLOCK, 3, DEPTH),
      [(margin, margin), (margin, margin), (0, 0), (0, 0)])
  analysis.assign_real(kernel, -np.tile(colour, BLOCK**2) @ basis / step)
  synthesis.assign_real(kernel, colour / step)
  return np.sqrt(variances) / step


def _blocks(images):
  """Returns the 8x8 blocks, (N, 192), of uint8 images, centred on 127.5."""
  batch, height, width, channels = images.shape
  blocks = images.reshape(
      batch, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels)
  blocks = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(-1, DEPTH)
  return blocks.astype(np.float64) - 127.5
