"""Context-adaptive entropy model (Lee, Cho, Beack, ICLR 2019)."""

import functools

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    AutoregressiveCodec,
    ChannelGaussianCodec,
    GaussianCodec,
    HyperpriorCodec,
    SplitCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.models.families.analytic_hyperprior import AnalyticHyperprior
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.transforms import gdn_conv, hyper
from tfc_models.transforms.window_context import WindowContext

# Of the hyper synthesis: what a network of integers takes.
_FEATURE_BITS = 4
# Of the hyper analysis, as of `mbt2018`.
_SLOPE = 0.2


@registry.register("lee2019")
class ContextAdaptive(TransformModel):
  """Codes y under N(mu, sigma), predicted from windows of z's features and of y.

      x -> analysis -> y - mu -> round -> [y string] -> + mu -> synthesis
                       |           ^ mu, scale indexes   |
                       |     context network <--- 4x4 window of the past
                       |           ^ 4x4 window of features
                       +-> h_analysis -> z -> [z string] -> h_synthesis
                                                                 | scale indexes
      the other channels of y -> round -> [y_parallel string] <--+

  Args:
    num_filters: N, width of the hidden layers and of z.
    latent_depth: M1, channels of y that have a context.
    parallel_depth: M2, further channels of y, under N(0, sigma) with sigma from z
      alone, all coded at once: the hybrid model. 0 for none.
    fixed_grid: whether y_hat is round(y) where there are means, as in the paper, see
      `GaussianCodec`; the encoder then knows the context of all sites at once.
    context_bits: how finely the context sees y_hat, see `transforms.window_context`.

  Source: Lee, Cho, Beack, "Context-adaptive entropy model for end-to-end optimized image
    compression", ICLR 2019, arXiv:1809.10452, and the authors' test code.
  Departs: see `transforms.window_context` and `ChannelGaussianCodec`. What is rounded is
    y - mu, unless `fixed_grid`, and in training the synthesis sees it rounded, see
    `mbt2018-mean`. Symbols lie by fronts, see `AutoregressiveCodec`, and those of
    M2 in a string of their own. All that predicts is of integers (`layers.exact`), and
    means the index of a scale. Images are padded to multiples of 64 below and to the
    right. Training starts from a transform codec.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.

  def __init__(self, *, num_filters=128, latent_depth=192, parallel_depth=0,
               fixed_grid=False, context_bits=3):
    depth = latent_depth + parallel_depth
    network = WindowContext(
        latent_depth, integer_bits(latent_depth, means=True),
        (latent_depth, 2 * latent_depth, 2 * latent_depth), context_bits)
    hyper_analysis = hyper.analysis(num_filters, _SLOPE)
    hyper_synthesis = hyper.synthesis(
        (num_filters, num_filters),
        [_FEATURE_BITS] * latent_depth + integer_bits(parallel_depth, means=False),
        SYMBOL_LIMIT, activation="clip")
    y_codec = AutoregressiveCodec(
        GaussianCodec(reconstruction="round", fixed_grid=fixed_grid), network,
        functools.partial(params_from_integers, means=True))
    if parallel_depth:
      y_codec = SplitCodec(
          [y_codec, GaussianCodec("y_parallel", reconstruction="round")],
          [latent_depth, parallel_depth], lambda params, number, before: params[number])

    def to_params(outputs):
      windows = network.windows_of(outputs[..., :latent_depth])
      if not parallel_depth:
        return windows
      return windows, params_from_integers(outputs[..., latent_depth:], means=False)

    super().__init__(
        gdn_conv.analysis_5x5(num_filters, depth), gdn_conv.synthesis_5x5(num_filters),
        HyperpriorCodec(
            hyper_analysis, hyper_synthesis,
            ChannelGaussianCodec(num_filters), y_codec, num_filters, to_params,
            start=AnalyticHyperprior(hyper_analysis, hyper_synthesis, context=network)),
        16, depth, gdn_conv)
    self.context_network = network
