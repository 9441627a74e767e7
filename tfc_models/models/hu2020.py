"""Coarse-to-fine hyperprior (Hu, Yang, Liu, AAAI 2020)."""

import functools

from tfc_models import registry
from tfc_models.entropy_models import (
  SYMBOL_LIMIT,
  ChannelGaussianCodec,
  GaussianCodec,
  HyperpriorCodec,
  ShownCodec,
  ShownParams,
  integer_bits,
  params_from_integers,
)
from tfc_models.models.families.coarse_start import ConstantStart, LoudnessStart
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.ops.graph import Graph
from tfc_models.transforms import coarse_to_fine, gdn_conv

# The networks of y see z2 in eighths.
_IN_BITS = 3


@registry.register("hu2020")
class CoarseToFine(TransformModel):
  """Codes y given z2, which is coded given z1; the decoder sees what both say.

      x -> analysis -> y - mu -> round -> [y string] -> + mu -> synthesis -> + -> x_hat
                       |           ^                                |        |
                       |           +-------- h_synthesis -----> aggregation -+
                       |                          |                 |
                       +-> h_analysis -> z2 -> [z2 string]          |
                                         |        ^                 |
                                         |        +- h_synthesis ---+
                                         |              |
                                         +-> h_analysis -> z1 -> [z1 string]

  No latent has a context: a file is read in three steps, whatever its size.

  Args:
    num_filters: N, width of the transforms and of the aggregation.
    latent_depth: M, channels of y.
    z2_depth, z1_depth: channels of z2, a multiple of 4, and of z1.
    fixed_grid: whether y_hat and z2_hat are the latents rounded, as in the paper, see
      `GaussianCodec`.

  Source: Hu, Yang, Liu, "Coarse-to-fine hyper-prior modeling for learned image
    compression", AAAI 2020, and the authors' code.
  Departs: see `transforms.coarse_to_fine` and `ChannelGaussianCodec`. What is rounded is
    y - mu and z2 - mu, unless `fixed_grid`; hyper analyses see y and z2 as they are, not
    rounded. In training bits are those of noise, where the paper rounds; networks see
    what is rounded, with the gradient of the identity. All that selects tables is of
    integers (`layers.exact`), and means the index of a scale. Training starts from a
    transform codec. Efforts make no difference, since decoders see z beside y.
  """

  downsampling_factor = 64  # 16 down to y, 2 more down to z2, 2 more to z1.

  def __init__(self, *, num_filters=192, latent_depth=192, z2_depth=256, z1_depth=128,
               fixed_grid=False):
    gaussian = functools.partial(
        GaussianCodec, reconstruction="round", fixed_grid=fixed_grid)
    z2_codec = _level(
        coarse_to_fine.analysis(z2_depth, z1_depth, z1_depth),
        coarse_to_fine.Synthesis(
            z1_depth, z2_depth, z2_depth, integer_bits(z2_depth, means=True),
            input_limit=SYMBOL_LIMIT),
        ChannelGaussianCodec(z1_depth, name="z1"), gaussian("z2"), z1_depth,
        ConstantStart)
    y_codec = _level(
        coarse_to_fine.analysis(2 * latent_depth, 4 * latent_depth, z2_depth),
        coarse_to_fine.Synthesis(
            z2_depth, 4 * latent_depth, latent_depth,
            integer_bits(latent_depth, means=True), _IN_BITS),
        z2_codec, gaussian("y"), z2_depth, LoudnessStart)
    super().__init__(
        gdn_conv.analysis_5x5(num_filters, latent_depth),
        gdn_conv.synthesis_5x5(num_filters), y_codec, 16, latent_depth, gdn_conv)
    self.aggregation = coarse_to_fine.Aggregation(num_filters)
    self._synthesis_graph = Graph(self._synthesize)

  def lmbda_at(self, quality=None):
    """Returns None: efforts look for y_hat, and decoders are shown z beside it."""
    del quality

  def synthesize(self, y_hat):
    """Returns x_hat of y_hat and, in further channels, what z2 and z1 say of it."""
    return self._synthesis_graph(y_hat)

  def _synthesize(self, y_hat):
    y_hat, shown = y_hat[..., :self.depth], y_hat[..., self.depth:]
    if not self.synthesis_transform.built:
      self.synthesis_transform(y_hat)  # A Sequential needs a call of its own.
    *layers, last = self.synthesis_transform.layers
    x = y_hat
    for layer in layers:
      x = layer(x)
    return last(x) + self.aggregation(
        (x, shown * coarse_to_fine.FEATURE_UNIT))


def _level(analysis, synthesis, z_codec, y_codec, depth, start):
  """Returns the codec of a latent given a side latent of half its size a side."""
  return HyperpriorCodec(
      analysis, synthesis, z_codec, ShownCodec(y_codec), depth,
      lambda outputs: ShownParams(
          params_from_integers(outputs[0], means=True), outputs[1]),
      factor=2, start=start(analysis, synthesis))
