"""Our small base model: starts as a classical transform codec, then learns.

Not from a paper. What it takes from where:

- the lapped linear transform at either end is initialised as the
  Karhunen-Loeve transform (KLT) of 8x8 colour blocks, as in block transform
  coding, with the step size that high-rate theory gives for lmbda;
- the mean-scale hyperprior is that of Minnen, Balle, Toderici, NeurIPS 2018,
  arXiv:1809.02736, two levels instead of one below a latent at 1/8;
- the mixed quantisation proxy (noise for the rate, rounding for the decoder)
  is that of Minnen and Singh, ICIP 2020, arXiv:2007.08739.
"""

import math

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
  INDEX_UNIT,
  SYMBOL_LIMIT,
  FactorizedCodec,
  GainCodec,
  GaussianCodec,
  GaussianParams,
  HyperpriorCodec,
  index_from_scale,
  integer_bits,
  params_from_integers,
)
from tfc_models.layers import (
  ExactConv2D,
  ExactConv2DTranspose,
  ResidualBlock,
  ScaledConv2D,
  ScaledConv2DTranspose,
)
from tfc_models.models.families.transform_model import (
  BEST_STEP_WORTH,
  TransformModel,
  high_rate_step,
)
from tfc_models.ops.graph import Graph
from tfc_models.transforms import lapped
from tfc_models.transforms.lapped import BLOCK, DEPTH


@registry.register("tfcm-base")
class TfcmBase(TransformModel):
  """Codes lapped transform coefficients y under N(mu, sigma) given z.

      x -> lapped KLT -> + residual -> y - mu -> round -> [y string]
                                       |  ^ mu, scale indexes      |
             hyper analysis <----------+  hyper synthesis          v
                   +----------> z -> [z string] -----^   y_hat -> x_hat

  Args:
    width: channels within the residual blocks.
    analysis_blocks, synthesis_blocks: residual blocks on either side.
    hyper_width: channels of the hyper transforms.
    hyper_depth: channels of z.
    distortion_weight: of the encoder, see `entropy_models.GaussianCodec`. In
      theory 6 / ln 2 = 8.7 (see `high_rate_step`); 20 did best on trained weights.
    exact: whether the hyper synthesis is an integer network, without which
      streams decode only where they were made. It starts from the weights of a
      float one (`train.init`), whose leaky ReLU has another slope.
  """

  downsampling_factor = 32  # 8 down to y, 4 more down to z.
  # In 8 bits they cost 0.04 dB at 37 dB; all others in 8 bits cost 0.004.
  fine_parts = ("analysis_transform", "synthesis_transform")

  def __init__(self, *, width=128, analysis_blocks=1, synthesis_blocks=2,
               hyper_width=96, hyper_depth=64, distortion_weight=0.0,
               exact=False):
    relu = tf.nn.leaky_relu
    # Narrow from the start: z begins near zero and would pay for the width.
    z_codec = FactorizedCodec(
        hyper_depth, name="z", reconstruction="round", init_scale=2.0)
    y_codec = GaussianCodec(
        name="y", reconstruction="round", distortion_weight=distortion_weight)
    super().__init__(
        lapped.analysis(), lapped.synthesis(),
        HyperpriorCodec(
            lambda y: self._hyper_analyze(y), lambda z_hat: self._params(z_hat),
            z_codec, GainCodec(y_codec, lambda: self.gain), hyper_depth),
        BLOCK, DEPTH)
    self.y_codec = y_codec
    self.analysis_blocks = [
        ResidualBlock(width, DEPTH, name=f"analysis_block_{i}")
        for i in range(analysis_blocks)]
    self.synthesis_blocks = [
        ResidualBlock(width, DEPTH, name=f"synthesis_block_{i}")
        for i in range(synthesis_blocks)]
    self.hyper_analysis_transform = tf.keras.Sequential([
        ScaledConv2D(hyper_width, 1, activation=relu, name="conv_0"),
        ScaledConv2D(hyper_width, 5, 2, activation=relu, name="conv_1"),
        ScaledConv2D(hyper_depth, 5, 2, name="conv_2"),
    ], name="hyper_analysis_transform")
    self.hyper_synthesis_transform = (
        _exact_hyper_synthesis if exact else _hyper_synthesis)(hyper_width)
    self._synthesis_graph = Graph(self._synthesize)
    # Set by `prepare`: the step of the KLT on the 0..255 scale; what brings
    # each channel of y near unit variance for the networks.
    self.step = self._constant("step", 32.0)
    self.normalizer = self._constant("normalizer", tf.ones([DEPTH]))
    # Finer (above 1) or coarser quantisation than that of `step`.
    self.gain = self._constant("gain", 1.0)
    if exact:
      # What the gain adds to indexes: stored, as logarithms differ.
      self.index_offset = tf.Variable(
          0, trainable=False, dtype=tf.int32, name="index_offset")
    self.exact = exact

  def prepare(self, images, lmbda):
    """Starts as the KLT codec of `high_rate_step`."""
    self.build_variables()
    step = high_rate_step(lmbda)
    scales = lapped.start(
        self.analysis_transform, self.synthesis_transform, images, step)
    self.step.assign(step)
    self.gain.assign(1.0)
    self.normalizer.assign(1.0 / np.sqrt(1.0 + np.square(scales)))
    # Scales: of the channels. Means: the network starts small, not at zero.
    last = self.hyper_synthesis_transform.layers[-1]
    last.kernel.assign(0.1 * last.kernel)
    last.bias.assign(np.concatenate(
        [index_from_scale(scales) / INDEX_UNIT, np.zeros(DEPTH)]))
    if self.exact:
      last.fix_tables()  # Its kernel is another by now.

  def adapt(self, old_lmbda, new_lmbda):
    """Scales the quantiser as the optimal step of `prepare` does."""
    self.gain.assign(self.gain * math.sqrt(new_lmbda / old_lmbda))

  def _constant(self, name, value):
    return tf.Variable(value, trainable=False, dtype=tf.float32, name=name)

  def worth(self):
    return BEST_STEP_WORTH * tf.square(self.gain)

  def analyze(self, x):
    """x to y in units of `step`."""
    y = self.analysis_transform((x - 0.5) * (255.0 / self.step))
    for block in self.analysis_blocks:
      y += block(self.normalizer * y)
    return y

  def synthesize(self, y_hat):
    return self._synthesis_graph(y_hat)

  def _synthesize(self, y):
    for block in self.synthesis_blocks:
      y += block(self.normalizer * y)
    return self.synthesis_transform(y) * (self.step / 255.0) + 0.5

  def _hyper_analyze(self, y):
    y = self.normalizer * y
    return self.hyper_analysis_transform(tf.concat([y, tf.abs(y)], axis=-1))

  def _params(self, z_hat):
    outputs = self.hyper_synthesis_transform(z_hat)
    if self.exact:
      indexes, loc = params_from_integers(outputs, means=True)
      indexes += tf.cast(self.index_offset, tf.float32)
    else:
      indexes, loc = tf.split(outputs, 2, axis=-1)
      indexes = INDEX_UNIT * indexes + self._gain_in_indexes()
    # A float product: nothing but pixels depends on it.
    return GaussianParams(indexes, self.gain * loc)

  def fix_tables(self):
    super().fix_tables()
    if self.exact:
      self.index_offset.assign(
          tf.cast(tf.round(self._gain_in_indexes()), tf.int32))

  def _gain_in_indexes(self):
    return index_from_scale(self.gain) - index_from_scale(1.0)


def _hyper_synthesis(width):
  """z to indexes, in `INDEX_UNIT`, and means of y, up by 4."""
  relu = tf.nn.leaky_relu
  return tf.keras.Sequential([
      ScaledConv2DTranspose(width, 5, 2, activation=relu, name="conv_0"),
      ScaledConv2DTranspose(
          3 * width // 2, 5, 2, activation=relu, name="conv_1"),
      ScaledConv2D(2 * DEPTH, 1, name="conv_2"),
  ], name="hyper_synthesis_transform")


def _exact_hyper_synthesis(width):
  """The same of integers; activations were found to stay below 6."""
  bits = {"in_bits": 5, "out_bits": 5, "rate": 8.0}
  return tf.keras.Sequential([
      ExactConv2DTranspose(
          width, 5, 2, **{**bits, "in_bits": 0}, input_limit=SYMBOL_LIMIT,
          name="conv_0"),
      ExactConv2DTranspose(3 * width // 2, 5, 2, **bits, name="conv_1"),
      ExactConv2D(
          2 * DEPTH, 1, activation=None, name="conv_2",
          **{**bits, "out_bits": integer_bits(DEPTH, means=True)}),
  ], name="hyper_synthesis_transform")
