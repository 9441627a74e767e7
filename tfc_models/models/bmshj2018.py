"""Scale hyperprior (Balle et al., ICLR 2018, arXiv:1802.01436)."""

import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    SYMBOL_LIMIT,
    GaussianCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.models.families.hyperprior import Hyperprior
from tfc_models.transforms import hyper


@registry.register("bmshj2018-hyperprior")
class ScaleHyperprior(Hyperprior):
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

  def __init__(self, *, num_filters=128, latent_depth=192, exact=True):
    super().__init__(num_filters, latent_depth)
    self.hyper_analysis_transform = hyper.analysis(num_filters)
    self.hyper_synthesis_transform = hyper.synthesis(
        (num_filters, num_filters), integer_bits(latent_depth, means=False),
        SYMBOL_LIMIT, exact)
    self.y_codec = GaussianCodec(name="y")

  def _hyper_analyze(self, y):
    return self.hyper_analysis_transform(tf.abs(y))

  def _params(self, z_hat):
    return params_from_integers(
        self.hyper_synthesis_transform(z_hat), means=False)
