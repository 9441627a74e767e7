"""Scale hyperprior (Balle et al., ICLR 2018, arXiv:1802.01436)."""

import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    FactorizedCodec,
    GaussianCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.models import base
from tfc_models.transforms import gdn_conv, hyper


@registry.register("bmshj2018-hyperprior")
class ScaleHyperprior(base.CompressionModel):
  """Codes y under N(0, sigma), with sigma predicted from the side latent z.

      x -> analysis -> y -------> round -> [y string] -> y_hat -> synthesis
                       |                       ^ scale indexes
                       +-> h_analysis -> z -> [z string] -> h_synthesis

  Args:
    num_filters: N in the paper, width of the hidden layers and of z.
    latent_depth: M in the paper, channels of y.
    exact: whether the hyper synthesis is an integer network, without which
      streams decode only where they were made.

  Source: Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression
    with a scale hyperprior", ICLR 2018, arXiv:1802.01436.
  Departs: see `transforms.hyper.synthesis`.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.
  latents = ("z", "y")

  def __init__(self, *, num_filters=128, latent_depth=192, exact=True):
    super().__init__()
    self.analysis_transform = gdn_conv.analysis_5x5(num_filters, latent_depth)
    self.synthesis_transform = gdn_conv.synthesis_5x5(num_filters)
    self.hyper_analysis_transform = hyper.analysis(num_filters)
    self.hyper_synthesis_transform = hyper.synthesis(
        (num_filters, num_filters), integer_bits(latent_depth, means=False),
        SYMBOL_LIMIT, exact)
    self.z_codec = FactorizedCodec(num_filters, name="z")
    self.y_codec = GaussianCodec(name="y")

  def call(self, x, training=False, settings=None):
    noise = settings.noise if training else None
    y = self.analysis_transform(x)  # (B, H/16, W/16, M)
    z = self.hyper_analysis_transform(tf.abs(y))  # (B, H/64, W/64, N)
    z_hat, z_bits = self.z_codec(z, noise=noise)
    y_hat, y_bits = self.y_codec(y, self._params(z_hat), noise=noise)
    return base.ModelOutput(
        self.synthesis_transform(y_hat), {"z": z_bits, "y": y_bits})

  def encode(self, x, settings):
    y = self.analysis_transform(x)
    z = self.hyper_analysis_transform(tf.abs(y))
    z_string, z_hat = self.z_codec.compress(z)
    y_string, _ = self.y_codec.compress(y, self._params(z_hat))
    return [base.latent_chunk([z_string, y_string])]

  def decode(self, chunks, header):
    z_string, y_string = base.latent_strings(chunks, 2)
    z_hat = self.z_codec.decompress(
        z_string, self._latent_shape(header, 64, self.z_codec.num_channels))
    params = self._params(z_hat)
    y_hat = self.y_codec.decompress(y_string, params.indexes.shape[1:], params)
    return self.synthesis_transform(y_hat)

  def _params(self, z_hat):
    return params_from_integers(
        self.hyper_synthesis_transform(z_hat), means=False)
