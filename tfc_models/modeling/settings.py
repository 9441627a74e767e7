"""What one call of a model may vary, and what training feeds it."""

import dataclasses
import math
from typing import Optional

import numpy as np

from tfc_models.ops.noise import Noise


@dataclasses.dataclass(frozen=True)
class Settings:
  """What one call may vary without other weights.

  Attributes:
    quality: 1..100, or None for the model's default; of models with the
      capability "quality". Fixed-rate models carry it into the header.
    iterations: at most so many, of models with the capability "progressive";
      None for as many as `quality` says, or all.
    tile_psnr: of progressive models with an entropy coder, or patches: tiles of the image that
      have as many dB take no further bits.
    raw_bits: write the bits of such models as they are.
    effort: 1..9, how long an encoder looks for better symbols, see
      `models.families.refinement`; None for the least. Models that have nothing to
      look for take any.
    rounding: factor on what errors are worth against bits where such an encoder rounds:
      less for somewhat smaller files of one quality.
    keep: array (H, W) of the picture, of models with the capability "keep": pixels that
      are not zero are kept, with the sites of the latent that they lie in; the decoder
      makes up the others. None for all.
  """

  quality: Optional[int] = None
  iterations: Optional[int] = None
  tile_psnr: Optional[float] = None
  raw_bits: bool = False
  effort: Optional[int] = None
  rounding: float = 1.0
  keep: Optional[np.ndarray] = dataclasses.field(default=None, compare=False)

  def iterations_of(self, most):
    """Returns how many iterations are asked for, of a model that has `most`."""
    if self.iterations is not None:
      return min(self.iterations, most)
    return math.ceil(most * (self.quality or 100) / 100)


@dataclasses.dataclass(frozen=True)
class TrainingContext:
  """What a call is fed in training.

  Attributes:
    lmbda: weight of the distortion, a scalar or (B,), one for each sample.
    noise: random numbers; None rounds latents as the coder does.
    truncate: of progressive models: gradients stop after every so many iterations;
      0 for never.
  """

  lmbda: object = None
  noise: Optional[Noise] = None
  truncate: int = 0


# Of calls that are not training.
EVALUATION = TrainingContext()
