"""Residual transforms, attention, and a mixture of Gaussians (Cheng et al., CVPR 2020)."""

import functools

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    AutoregressiveCodec,
    FactorizedCodec,
    GaussianCodec,
    HyperpriorCodec,
    MixtureCodec,
    TwoPassCodec,
    integer_bits,
    mixture_bits,
    mixture_from_integers,
    params_from_integers,
)
from tfc_models.models.families.analytic_hyperprior import AnalyticHyperprior
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.transforms import gdn_conv, hyper, residual_conv
from tfc_models.transforms.context import CheckerboardNetwork, ContextNetwork

# How y is coded given its neighbours: network and codec.
_CONTEXTS = {
    "serial": (ContextNetwork, AutoregressiveCodec),
    "checkerboard": (CheckerboardNetwork, TwoPassCodec),
}
# Components of a mixture start that many steps of the scale table apart, so that each
# has its own task: a factor of 1.85 in scale.
_APART = 5.0


class _Cheng2020(TransformModel):
  """Both models of the paper, and what lies between them.

  Args:
    num_filters: N in the paper, width of the transforms and of z.
    latent_depth: channels of y; N where it is None, as in the paper.
    components: of the mixture; 1 is the Gaussian of `mbt2018`.
    attention: whether the transforms have it, at 1/4 and at y.
    context: "serial", a masked 5x5 convolution over all sites before, decoded by
      fronts; "checkerboard", half the sites at once, and then the others.
    transforms: "residual", the paper's, or "gdn", those of `mbt2018`, to compare
      priors at equal transforms.
    widths: of the hidden layers of the entropy parameters.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.

  def __init__(self, num_filters, latent_depth, components, attention, context,
               transforms, widths):
    depth = latent_depth or num_filters
    if context not in _CONTEXTS:
      raise ValueError(
          f"`context` must be one of {', '.join(_CONTEXTS)}, got {context!r}.")
    if transforms == "residual":
      layout = residual_conv
      analysis = residual_conv.analysis(num_filters, depth, attention)
      synthesis = residual_conv.synthesis(num_filters, attention)
    elif transforms == "gdn" and not attention:
      layout = gdn_conv
      analysis = gdn_conv.analysis_5x5(num_filters, depth)
      synthesis = gdn_conv.synthesis_5x5(num_filters)
    else:
      raise ValueError(
          "`transforms` must be 'residual' or, without `attention`, 'gdn', got "
          f"{transforms!r}.")
    if components == 1:
      codec, out_bits = GaussianCodec(reconstruction="round"), integer_bits(depth, True)
      to_params = functools.partial(params_from_integers, means=True)
    else:
      codec = MixtureCodec(components, reconstruction="round")
      out_bits, to_params = mixture_bits(depth, components), mixture_from_integers
    network_of, codec_of = _CONTEXTS[context]
    network = network_of(depth, out_bits, 5, 2 * depth, widths)
    hyper_analysis = hyper.analysis(num_filters, slope=0.2)
    hyper_synthesis = hyper.synthesis(
        (depth, depth * 3 // 2), [4] * (2 * depth), SYMBOL_LIMIT, activation="clip")
    start = AnalyticHyperprior(
        hyper_analysis, hyper_synthesis, context=network, shifts=[
            _APART * (number - (components - 1) / 2) for number in range(components)])
    super().__init__(
        analysis, synthesis, HyperpriorCodec(
            hyper_analysis, hyper_synthesis, FactorizedCodec(num_filters),
            codec_of(codec, network, to_params), num_filters, start=start),
        16, depth, layout)
    self.context_network = network


@registry.register("cheng2020-anchor")
class Anchor(_Cheng2020):
  """The residual transforms under the joint prior of `mbt2018`.

      x -> analysis -> y - mu -> round -> [y string] -> + mu -> synthesis
                       |           ^ mu, scale indexes   |
                       |      entropy parameters <-- masked 5x5
                       |           ^
                       +-> h_analysis -> z -> [z string] -> h_synthesis

  Args:
    num_filters, latent_depth, components, attention, context, transforms, widths: see
      `_Cheng2020`; by default one Gaussian, without attention.

  Source: Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
    Gaussian mixture likelihoods and attention modules", CVPR 2020, arXiv:2001.01568,
    without its mixture and attention: the anchor of CompressAI, whose blocks upwards
    have skips of 3x3, the authors' of 1x1. A checkerboard: see
    `entropy_models.TwoPassCodec`.
  Departs: the hyper transforms are those of `mbt2018`, three layers instead of five, so
    that they start as there; integer networks with leaky ReLU of slope 1/4. In
    training the synthesis sees y rounded. Starts as a KLT, see
    `transforms.residual_conv.start`, the paper's at random.
  """

  def __init__(self, *, num_filters=192, latent_depth=None, components=1,
               attention=False, context="serial", transforms="residual",
               widths=(640, 512)):
    super().__init__(num_filters, latent_depth, components, attention, context,
                     transforms, widths)


@registry.register("cheng2020-gmm")
class Mixture(_Cheng2020):
  """The same with attention, y rounded and coded under a mixture of three Gaussians.

      x -> analysis -> y -> round -> [y string] -> synthesis
                       |      ^ w, mu, scale indexes   |
                       |      entropy parameters <-- masked 5x5
                       |           ^
                       +-> h_analysis -> z -> [z string] -> h_synthesis

  Args:
    num_filters, latent_depth, components, attention, context, transforms, widths: see
      `_Cheng2020`; by default all of the paper.

  Source: as of `Anchor`, the full model.
  Departs: as there, and see `entropy_models.MixtureCodec`. Components start with equal
    weights and means, and scales apart, where a mixture that starts at random has means
    at -1, 0 and 1: scales are known by then, and often far below 1.
  """

  def __init__(self, *, num_filters=192, latent_depth=None, components=3,
               attention=True, context="serial", transforms="residual",
               widths=(640, 640)):
    super().__init__(num_filters, latent_depth, components, attention, context,
                     transforms, widths)
