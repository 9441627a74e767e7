"""Scale hyperprior (Balle et al., ICLR 2018, arXiv:1802.01436)."""

import functools

import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    FactorizedCodec,
    GaussianCodec,
    HyperpriorCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.models.families.analytic_hyperprior import AnalyticHyperprior
from tfc_models.models.families.origin import conventions_of
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.transforms import gdn_conv, hyper


@registry.register("bmshj2018-hyperprior")
class ScaleHyperprior(TransformModel):
  """Codes y under N(0, sigma), with sigma predicted from the side latent z.

      x -> analysis -> y -------> round -> [y string] -> y_hat -> synthesis
                       |                       ^ scale indexes
                       +-> h_analysis -> z -> [z string] -> h_synthesis

  Args:
    num_filters: N in the paper, width of the hidden layers and of z.
    latent_depth: M in the paper, channels of y.
    exact: whether the hyper synthesis is an integer network, without which
      streams decode only where they were made.
    origin: whose weights these are, see `families.origin`.

  Source: Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression
    with a scale hyperprior", ICLR 2018, arXiv:1802.01436.
  Departs: see `transforms.hyper.synthesis`.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.

  def __init__(self, *, num_filters=128, latent_depth=192, exact=True,
               origin="tfc_models"):
    theirs = conventions_of(origin)
    hyper_analysis = hyper.analysis(num_filters, centred=theirs.centred)
    hyper_synthesis = hyper.synthesis(
        (num_filters, num_filters),
        integer_bits(latent_depth, means=False, linear=theirs.linear_scales),
        SYMBOL_LIMIT, exact, hidden=theirs.relu, centred=theirs.centred)
    codec = HyperpriorCodec(
        lambda y: hyper_analysis(tf.abs(y)), hyper_synthesis,
        FactorizedCodec(num_filters, widths=theirs.density), GaussianCodec(),
        num_filters, functools.partial(
            params_from_integers, means=False, linear=theirs.linear_scales),
        start=AnalyticHyperprior(hyper_analysis, hyper_synthesis, magnitudes=True)
        if theirs.starts else None)
    super().__init__(
        gdn_conv.analysis_5x5(num_filters, latent_depth, centred=theirs.centred),
        gdn_conv.synthesis_5x5(num_filters, centred=theirs.centred), codec, 16,
        latent_depth, gdn_conv if theirs.starts else None)
    self.hyper_analysis_transform = hyper_analysis
