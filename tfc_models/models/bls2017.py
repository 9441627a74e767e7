"""Factorized prior (Balle et al., ICLR 2017 and ICLR 2018)."""

from tfc_models import registry
from tfc_models.entropy_models import LIMIT, FactorizedCodec
from tfc_models.models.families.origin import conventions_of
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.transforms import gdn_conv


@registry.register("bls2017")
class BLS2017(TransformModel):
  """The three stage network: 9x9 down by 4, then 5x5 down by 2 twice.

      x -> analysis -> y -> round -> [y string] -> y_hat -> synthesis -> x_hat

  Args:
    num_filters: N in the paper, width of all layers and of y.

  Source: Balle, Laparra, Simoncelli, "End-to-end optimized image compression",
    ICLR 2017, arXiv:1611.01704.
  Departs: the density model is that of Balle et al. 2018 instead of piecewise
    linear; no GDN next to y, as in the authors' later code.
  """

  downsampling_factor = 16

  def __init__(self, *, num_filters=128):
    super().__init__(
        gdn_conv.analysis([num_filters] * 3, [9, 5, 5], [4, 2, 2]),
        gdn_conv.synthesis([num_filters] * 2 + [3], [5, 5, 9], [2, 2, 4]),
        FactorizedCodec(num_filters, name="y", limit=LIMIT), 16, num_filters,
        gdn_conv)


@registry.register("bmshj2018-factorized")
class BMSHJ2018Factorized(TransformModel):
  """The four stage network that the field's curves named "Balle 2017" show.

  Args:
    num_filters: N in the paper, width of the hidden layers.
    latent_depth: M in the paper, channels of y.
    origin: whose weights these are, see `families.origin`.

  Source: Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression
    with a scale hyperprior", ICLR 2018, arXiv:1802.01436, the baseline.
  """

  downsampling_factor = 16

  def __init__(self, *, num_filters=128, latent_depth=192, origin="tfc_models"):
    theirs = conventions_of(origin)
    super().__init__(
        gdn_conv.analysis_5x5(num_filters, latent_depth, centred=theirs.centred),
        gdn_conv.synthesis_5x5(
            num_filters, centred=theirs.centred, medians=theirs.centred),
        FactorizedCodec(
            latent_depth, name="y", widths=theirs.density, limit=LIMIT),
        16, latent_depth, gdn_conv if theirs.starts else None)
