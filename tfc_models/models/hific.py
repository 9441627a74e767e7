"""High-fidelity generative compression (Mentzer et al., NeurIPS 2020)."""

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
from tfc_models.models.families.adversarial import Adversarial, cross_entropy
from tfc_models.models.families.analytic_hyperprior import AnalyticHyperprior
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.transforms import hyper, normed_conv
from tfc_models.transforms.discriminator import ConditionalPatches


@registry.register("hific")
class HighFidelity(Adversarial, TransformModel):
  """Codes y as the mean-scale hyperprior, and draws what y does not say.

      x -> encoder -> y - mu -> round -> [y string] -> + mu -> generator -> x_hat
                      |           ^ mu, scale indexes            |
                      +-> h_analysis -> z -> [z string] -> h_synthesis

  In training a discriminator compares x_hat with x, both beside y_hat.

  Args:
    widths: of the encoder, from full resolution to 1/16; the generator has the same.
    latent_depth: channels of y.
    hyper_filters: of the hidden layers of the hyper transforms, and of z.
    blocks: residual blocks of the generator.
    judges: widths of the discriminator.
    exact: whether the hyper synthesis is an integer network, without which
      streams decode only where they were made.

  Source: Mentzer, Toderici, Tschannen, Agustsson, "High-fidelity generative image
    compression", NeurIPS 2020, arXiv:2006.09965, figure 2 and the authors' code.
  Departs: one hyper synthesis gives means and scales, where the authors have two of the
    same layers, since the start is one for both; see `transforms.hyper.synthesis` and
    `transforms.normed_conv`. The discriminator sees the images that the generator is
    trained on, not others. What rate beyond the target costs is decided by the noisy
    bits that are trained, not by rounded ones.
  """

  downsampling_factor = 64
  synthesises = True

  def __init__(self, *, widths=(60, 120, 240, 480, 960), latent_depth=220,
               hyper_filters=320, blocks=9, judges=(64, 128, 256, 512), exact=True):
    hyper_analysis = hyper.analysis(hyper_filters)
    hyper_synthesis = hyper.synthesis(
        (hyper_filters, hyper_filters), integer_bits(latent_depth, means=True),
        SYMBOL_LIMIT, exact)
    codec = HyperpriorCodec(
        hyper_analysis, hyper_synthesis, FactorizedCodec(hyper_filters),
        GaussianCodec(reconstruction="round"), hyper_filters,
        functools.partial(params_from_integers, means=True),
        start=AnalyticHyperprior(hyper_analysis, hyper_synthesis))
    super().__init__(
        normed_conv.Encoder(widths, latent_depth),
        normed_conv.Generator(widths[::-1], blocks, skip=True), codec, 16, latent_depth,
        normed_conv)
    self.discriminator = ConditionalPatches(judges)

  def build_training_variables(self):
    side = self.downsampling_factor
    self.discriminator(
        tf.zeros((1, side, side, 3)),
        tf.zeros((1, side // self.factor, side // self.factor, self.depth)))

  def adversarial_losses(self, x, output, training):
    y_hat = tf.stop_gradient(output.extras["y_hat"])
    logits = self.discriminator(
        tf.concat([x, output.x_hat], axis=0), tf.concat([y_hat, y_hat], axis=0),
        training=training)
    return cross_entropy(*tf.split(logits, 2))
