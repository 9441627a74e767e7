"""Mean-scale hyperprior and joint prior (Minnen et al., NeurIPS 2018)."""

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    AutoregressiveCodec,
    FactorizedCodec,
    GaussianCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.models import base
from tfc_models.transforms import context, gdn_conv, hyper


class _Hyperprior(base.CompressionModel):
  """What the two models share: transforms, and z before y.

  A subclass sets `hyper_synthesis_transform` and `y_coder`, a latent codec whose
  params are what `_side` makes of the hyper synthesis.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.
  latents = ("z", "y")

  def __init__(self, num_filters, latent_depth):
    super().__init__()
    self.analysis_transform = gdn_conv.analysis_5x5(num_filters, latent_depth)
    self.synthesis_transform = gdn_conv.synthesis_5x5(num_filters)
    self.hyper_analysis_transform = hyper.analysis(
        num_filters, activation="leaky_relu")
    self.z_codec = FactorizedCodec(num_filters, name="z")

  def call(self, x, training=False, settings=None):
    noise = settings.noise if training else None
    y = self.analysis_transform(x)  # (B, H/16, W/16, M)
    z = self.hyper_analysis_transform(y)  # (B, H/64, W/64, N)
    z_hat, z_bits = self.z_codec(z, noise=noise)
    y_hat, y_bits = self.y_coder(y, self._side(z_hat), noise=noise)
    return base.ModelOutput(
        self.synthesis_transform(y_hat), {"z": z_bits, "y": y_bits})

  def encode(self, x, settings):
    y = self.analysis_transform(x)
    z = self.hyper_analysis_transform(y)
    z_string, z_hat = self.z_codec.compress(z)
    y_string, _ = self.y_coder.compress(y, self._side(z_hat))
    return [base.latent_chunk([z_string, y_string])]

  def decode(self, chunks, header):
    z_string, y_string = base.latent_strings(chunks, 2)
    z_hat = self.z_codec.decompress(
        z_string, self._latent_shape(header, 64, self.z_codec.num_channels))
    y_hat = self.y_coder.decompress(
        y_string, self._latent_shape(header, 16, self.arguments["latent_depth"]),
        self._side(z_hat))
    return self.synthesis_transform(y_hat)


@registry.register("mbt2018-mean")
class MeanScaleHyperprior(_Hyperprior):
  """Codes y under N(mu, sigma), both predicted from the side latent z.

      x -> analysis -> y - mu -> round -> [y string] -> + mu -> synthesis
                       |           ^ mu, scale indexes
                       +-> h_analysis -> z -> [z string] -> h_synthesis

  Args:
    num_filters: N in the paper, width of the hidden layers and of z.
    latent_depth: M in the paper, channels of y.
    exact: whether the hyper synthesis is an integer network, without which
      streams decode only where they were made.

  Source: Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors
    for learned image compression", NeurIPS 2018, arXiv:1809.02736, without its
    context model.
  Departs: see `transforms.hyper.synthesis`. In training the synthesis sees y
    rounded (with the gradient of the identity), after Minnen and Singh, ICIP
    2020, arXiv:2007.08739; the paper's sees noise.
  """

  def __init__(self, *, num_filters=128, latent_depth=192, exact=True):
    super().__init__(num_filters, latent_depth)
    self.hyper_synthesis_transform = hyper.synthesis(
        (latent_depth, latent_depth * 3 // 2),
        integer_bits(latent_depth, means=True), SYMBOL_LIMIT, exact)
    self.y_coder = GaussianCodec(name="y", reconstruction="round")

  def _side(self, z_hat):
    return params_from_integers(
        self.hyper_synthesis_transform(z_hat), means=True)


@registry.register("mbt2018")
class JointHyperprior(_Hyperprior):
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

  Source: as of `MeanScaleHyperprior`, the full model.
  Departs: as there, and see `transforms.context` and
    `entropy_models.AutoregressiveCodec`.
  """

  def __init__(self, *, num_filters=192, latent_depth=192, exact=True):
    super().__init__(num_filters, latent_depth)
    self.hyper_synthesis_transform = hyper.synthesis(
        (latent_depth, latent_depth * 3 // 2), [4] * (2 * latent_depth),
        SYMBOL_LIMIT, exact, activation="clip")
    self.context_network = context.ContextNetwork(
        latent_depth, integer_bits(latent_depth, means=True), context_size=5,
        context_width=2 * latent_depth,
        widths=(latent_depth * 10 // 3, latent_depth * 8 // 3), exact=exact)
    self.y_coder = AutoregressiveCodec(
        GaussianCodec(name="y", reconstruction="round"), self.context_network,
        lambda outputs: params_from_integers(outputs, means=True))

  def _side(self, z_hat):
    return self.hyper_synthesis_transform(z_hat)
