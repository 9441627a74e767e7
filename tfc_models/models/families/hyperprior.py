"""What the hyperpriors of Balle et al. and Minnen et al. share."""

from tfc_models.entropy_models import FactorizedCodec
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.transforms import gdn_conv


class Hyperprior(base.CompressionModel):
  """Codes a side latent z, then y given z; 5x5 transforms with GDN.

  A subclass sets `hyper_analysis_transform`, `hyper_synthesis_transform` and
  `y_codec`, a latent codec whose params are what `_params` makes of z_hat.

  Args:
    num_filters: N in the papers, width of the hidden layers and of z.
    latent_depth: M in the papers, channels of y.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.
  latents = ("z", "y")

  def __init__(self, num_filters, latent_depth):
    super().__init__()
    self.latent_depth = latent_depth
    self.analysis_transform = gdn_conv.analysis_5x5(num_filters, latent_depth)
    self.synthesis_transform = gdn_conv.synthesis_5x5(num_filters)
    self.z_codec = FactorizedCodec(num_filters, name="z")

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    y = self.analysis_transform(x)  # (B, H/16, W/16, M)
    z = self._hyper_analyze(y)  # (B, H/64, W/64, N)
    z_hat, z_bits = self.z_codec(z, noise=context.noise)
    y_hat, y_bits = self.y_codec(y, self._params(z_hat), noise=context.noise)
    return base.ModelOutput(
        self.synthesis_transform(y_hat), {"z": z_bits, "y": y_bits})

  def encode(self, x, settings):
    y = self.analysis_transform(x)
    z_string, z_hat = self.z_codec.compress(self._hyper_analyze(y))
    y_string, _ = self.y_codec.compress(y, self._params(z_hat))
    return [base.latent_chunk([z_string, y_string])]

  def decode(self, chunks, header):
    z_string, y_string = base.latent_strings(chunks, 2)
    z_hat = self.z_codec.decompress(
        z_string, self.latent_shape(header, 64, self.z_codec.num_channels))
    y_hat = self.y_codec.decompress(
        y_string, self.latent_shape(header, 16, self.latent_depth),
        self._params(z_hat))
    return self.synthesis_transform(y_hat)

  def _hyper_analyze(self, y):
    return self.hyper_analysis_transform(y)
