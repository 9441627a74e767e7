"""Mean-scale hyperprior and joint prior (Minnen et al., NeurIPS 2018)."""

import functools

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    AutoregressiveCodec,
    FactorizedCodec,
    GaussianCodec,
    HyperpriorCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.models.families.analytic_hyperprior import AnalyticHyperprior
from tfc_models.models.families.origin import conventions_of
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.transforms import context, gdn_conv, hyper


@registry.register("mbt2018-mean")
class MeanScaleHyperprior(TransformModel):
  """Codes y under N(mu, sigma), both predicted from the side latent z.

      x -> analysis -> y - mu -> round -> [y string] -> + mu -> synthesis
                       |           ^ mu, scale indexes
                       +-> h_analysis -> z -> [z string] -> h_synthesis

  Args:
    num_filters: N in the paper, width of the hidden layers and of z.
    latent_depth: M in the paper, channels of y.
    exact: whether the hyper synthesis is an integer network, without which
      streams decode only where they were made.
    fixed_grid: whether y_hat is round(y), see `GaussianCodec`.
    origin: whose weights these are, see `families.origin`.

  Source: Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors
    for learned image compression", NeurIPS 2018, arXiv:1809.02736, without its
    context model.
  Departs: see `transforms.hyper.synthesis`. In training the synthesis sees y
    rounded (with the gradient of the identity), after Minnen and Singh, ICIP
    2020, arXiv:2007.08739; the paper's sees noise.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.

  def __init__(self, *, num_filters=128, latent_depth=192, exact=True,
               fixed_grid=False, origin="tfc_models"):
    theirs = conventions_of(origin)
    hyper_analysis = hyper.analysis(
        num_filters, theirs.slope, centred=theirs.centred)
    hyper_synthesis = hyper.synthesis(
        (latent_depth, latent_depth * 3 // 2),
        integer_bits(latent_depth, means=True, linear=theirs.linear_scales),
        SYMBOL_LIMIT, exact, hidden=theirs.leaky_relu, centred=theirs.centred)
    codec = HyperpriorCodec(
        hyper_analysis, hyper_synthesis,
        FactorizedCodec(num_filters, widths=theirs.density),
        GaussianCodec(reconstruction="round", fixed_grid=fixed_grid), num_filters,
        functools.partial(
            params_from_integers, means=True, linear=theirs.linear_scales),
        start=AnalyticHyperprior(hyper_analysis, hyper_synthesis)
        if theirs.starts else None)
    super().__init__(
        gdn_conv.analysis_5x5(num_filters, latent_depth, centred=theirs.centred),
        gdn_conv.synthesis_5x5(num_filters, centred=theirs.centred), codec, 16,
        latent_depth, gdn_conv if theirs.starts else None)


@registry.register("mbt2018")
class JointHyperprior(TransformModel):
  """Codes y under N(mu, sigma), both predicted from z and from y before it.

      x -> analysis -> y - mu -> round -> [y string] -> + mu -> synthesis
                       |           ^ mu, scale indexes   |
                       |      entropy parameters <-- masked 5x5
                       |           ^
                       +-> h_analysis -> z -> [z string] -> h_synthesis

  Args:
    num_filters: N in the paper, width of the hidden layers and of z.
    latent_depth: M in the paper, channels of y.
    exact: whether all that predicts params is an integer network, without which
      streams decode only where they were made.
    fixed_grid: whether y_hat is round(y), see `GaussianCodec`; the encoder then
      knows the context of all sites at once.
    origin: whose weights these are, see `families.origin`.
    context_bits: how finely the context sees y_hat, see `transforms.context`.

  Source: as of `MeanScaleHyperprior`, the full model.
  Departs: as there, and see `transforms.context` and
    `entropy_models.AutoregressiveCodec`.
  """

  downsampling_factor = 64

  def __init__(self, *, num_filters=192, latent_depth=192, exact=True,
               fixed_grid=False, origin="tfc_models", context_bits=3):
    theirs = conventions_of(origin)
    network = context.ContextNetwork(
        latent_depth,
        integer_bits(latent_depth, means=True, linear=theirs.linear_scales),
        context_size=5, context_width=2 * latent_depth,
        widths=(latent_depth * 10 // 3, latent_depth * 8 // 3), exact=exact,
        hidden=theirs.leaky_relu, context_bits=context_bits)
    hyper_analysis = hyper.analysis(
        num_filters, theirs.slope, centred=theirs.centred)
    hyper_synthesis = hyper.synthesis(
        (latent_depth, latent_depth * 3 // 2), [4] * (2 * latent_depth),
        SYMBOL_LIMIT, exact, activation="clip", hidden=theirs.leaky_relu,
        centred=theirs.centred)
    codec = HyperpriorCodec(
        hyper_analysis, hyper_synthesis,
        FactorizedCodec(num_filters, widths=theirs.density),
        AutoregressiveCodec(
            GaussianCodec(reconstruction="round", fixed_grid=fixed_grid), network,
            functools.partial(
                params_from_integers, means=True, linear=theirs.linear_scales)),
        num_filters,
        start=AnalyticHyperprior(hyper_analysis, hyper_synthesis, context=network)
        if theirs.starts else None)
    super().__init__(
        gdn_conv.analysis_5x5(num_filters, latent_depth, centred=theirs.centred),
        gdn_conv.synthesis_5x5(num_filters, centred=theirs.centred), codec, 16,
        latent_depth, gdn_conv if theirs.starts else None)
    self.context_network = network
