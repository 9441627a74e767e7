"""Mean-scale hyperprior and joint prior (Minnen et al., NeurIPS 2018)."""

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    AutoregressiveCodec,
    GaussianCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.models.families.hyperprior import Hyperprior
from tfc_models.transforms import context, hyper


@registry.register("mbt2018-mean")
class MeanScaleHyperprior(Hyperprior):
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

  Source: Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors
    for learned image compression", NeurIPS 2018, arXiv:1809.02736, without its
    context model.
  Departs: see `transforms.hyper.synthesis`. In training the synthesis sees y
    rounded (with the gradient of the identity), after Minnen and Singh, ICIP
    2020, arXiv:2007.08739; the paper's sees noise.
  """

  def __init__(self, *, num_filters=128, latent_depth=192, exact=True,
               fixed_grid=False):
    super().__init__(num_filters, latent_depth)
    self.hyper_analysis_transform = hyper.analysis(
        num_filters, activation="leaky_relu")
    self.hyper_synthesis_transform = hyper.synthesis(
        (latent_depth, latent_depth * 3 // 2),
        integer_bits(latent_depth, means=True), SYMBOL_LIMIT, exact)
    self.y_codec = GaussianCodec(
        name="y", reconstruction="round", fixed_grid=fixed_grid)

  def _params(self, z_hat):
    return params_from_integers(
        self.hyper_synthesis_transform(z_hat), means=True)


@registry.register("mbt2018")
class JointHyperprior(Hyperprior):
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

  Source: as of `MeanScaleHyperprior`, the full model.
  Departs: as there, and see `transforms.context` and
    `entropy_models.AutoregressiveCodec`.
  """

  def __init__(self, *, num_filters=192, latent_depth=192, exact=True,
               fixed_grid=False):
    super().__init__(num_filters, latent_depth)
    self.hyper_analysis_transform = hyper.analysis(
        num_filters, activation="leaky_relu")
    self.hyper_synthesis_transform = hyper.synthesis(
        (latent_depth, latent_depth * 3 // 2), [4] * (2 * latent_depth),
        SYMBOL_LIMIT, exact, activation="clip")
    self.context_network = context.ContextNetwork(
        latent_depth, integer_bits(latent_depth, means=True), context_size=5,
        context_width=2 * latent_depth,
        widths=(latent_depth * 10 // 3, latent_depth * 8 // 3), exact=exact)
    self.y_codec = AutoregressiveCodec(
        GaussianCodec(name="y", reconstruction="round", fixed_grid=fixed_grid),
        self.context_network,
        lambda outputs: params_from_integers(outputs, means=True))

  def _params(self, z_hat):
    return self.hyper_synthesis_transform(z_hat)
