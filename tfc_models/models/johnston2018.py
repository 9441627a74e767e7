"""Priming and diffusion of recurrent codecs (Johnston et al., CVPR 2018)."""

from tfc_models import registry
from tfc_models.models.toderici2017 import Toderici2017


@registry.register("johnston2018")
class Johnston2018(Toderici2017):
  """Lets the states of the networks settle before a code is taken or shown.

  Extra passes see the same inputs again, and only their states count: no bit more
  is sent, and each widens what the states have seen by their convolution.

  Args:
    priming: extra passes of either network in the first iteration, k-prime.
    diffusion: extra passes in all others, k-diffusion.
    **kwargs: as of `Toderici2017`.

  Source: Johnston, Vincent, Minnen, Covell, Singh, Chinen, Hwang, Shor, Toderici,
    "Improved lossy image compression with priming and spatially adaptive bit rates
    for recurrent networks", CVPR 2018, arXiv:1703.10114. Its loss is the distortion
    "ssim-mae"; its spatially adaptive bit rates are in `RecurrentModel`.
  Departs: states of all layers have 3x3 convolutions.
  """

  def __init__(self, *, priming=3, diffusion=0, cell="gru", state_kernel=3,
               **kwargs):
    super().__init__(cell=cell, state_kernel=state_kernel, **kwargs)
    self.priming = priming
    self.diffusion = diffusion

  def extra_passes(self, t):
    return self.diffusion if t else self.priming
