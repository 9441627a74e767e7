"""Our default model: one set of weights for all qualities.

Not from a paper. What it takes from where:

- the lapped KLT at either end and its residual blocks: `tfcm-base`;
- scales and biases of channels that depend on the rate: Choi, El-Khamy, Lee, ICCV
  2019, arXiv:1909.04802 (for discrete rates); on a continuous one: Dosovitskiy and
  Djolonga, "You only train once", ICLR 2020;
- gains of the latent, in proportion to sqrt(lmbda) to start with: Cui et al.,
  "Asymmetric gained deep image compression with continuous rate adaptation", CVPR
  2021, arXiv:2003.02012;
- the mean-scale hyperprior and its context of two halves of a checkerboard and uneven
  groups of channels: see `transforms.space_channel`; halves of z likewise:
  `entropy_models.CheckerboardCodec`, 9 % of its bits;
- rounding with regard to the rate, with noise for the gradient of means: Minnen and
  Singh, ICIP 2020, arXiv:2007.08739; all integers of the entropy model:
  `layers.exact`.
"""

import math

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    INDEX_UNIT,
    NUM_SCALES,
    SYMBOL_LIMIT,
    CheckerboardCodec,
    ConditionalFactorizedCodec,
    GaussianCodec,
    HyperpriorCodec,
    SpaceChannelCodec,
    SpaceChannelParams,
    index_from_scale,
    integer_bits,
    params_from_integers,
    scale_from_index,
)
from tfc_models.layers import (
    CaseGraph,
    Condition,
    ExactConv2D,
    ExactConv2DTranspose,
    ExactModulation,
    ModulatedBlock,
    Modulation,
    ScaledConv2D,
)
from tfc_models.models.families.transform_model import (
    BEST_STEP_WORTH,
    TransformModel,
    high_rate_step,
)
from tfc_models.ops import chebyshev
from tfc_models.ops.graph import Graph
from tfc_models.transforms import lapped
from tfc_models.transforms.lapped import BLOCK, DEPTH
from tfc_models.transforms.space_channel import (
    FEATURE_BITS,
    MORE_BITS,
    SpaceChannelNetwork,
)

# The lmbda of some qualities; its logarithm is linear between them. Those in the middle
# are what weights for one rate are called by.
_LMBDAS = {1: 0.00025, 25: 0.0014, 50: 0.004, 75: 0.016, 90: 0.05, 100: 0.3}
QUALITY = 50  # Where nothing else is said.
_CASES = range(1, 101)
# Of neighbouring qualities, which have the same tables of z.
_BANDS = 20
# Of Chebyshev polynomials in log lmbda.
_ROWS = 5
# Training draws the ends of the range more often than what lies between: they have
# neighbours on one side only.
_STRETCH = 1.2
# Losses grow about as lmbda to this power: all rates count alike.
_GROWTH = 0.5


@registry.register("tfcm-flex")
class TfcmFlex(TransformModel):
  """Codes lapped transform coefficients y under N(mu, sigma), given z and context.

      x -> lapped KLT -> + residual -> * gain -> y - mu -> round -> [y string]
                                       |  ^ mu, scale indexes      |
                                       |  context of what is decoded, in passes
             hyper analysis <----------+  hyper synthesis          v
                   +----------> z -> [z string] -----^   y_hat -> / gain -> x_hat

  The rate modulates every network, the gain has one value a channel.

  Args:
    width: channels within the residual blocks.
    analysis_blocks, synthesis_blocks: residual blocks on either side.
    hyper_width: channels of the hyper transforms.
    hyper_depth: channels of z.
    groups: of the first channels, the sizes of those that are coded with context; the
      others hold 1 % of the bits.
    context_width: channels of the context's hidden layers.
    distortion_weight: as of `tfcm-base`.
  """

  downsampling_factor = 32  # 8 down to y, 4 more down to z.
  fine_parts = ("analysis_transform", "synthesis_transform")  # As of `tfcm-base`.
  capabilities = frozenset(["quality"])

  def __init__(self, *, width=128, analysis_blocks=2, synthesis_blocks=3,
               hyper_width=96, hyper_depth=64, groups=(8, 16, 40), context_width=64,
               distortion_weight=20.0):
    cases = _polynomials(np.log([lmbda_of(quality) for quality in _CASES]))
    gain = Modulation(DEPTH, _ROWS, use_bias=False, name="gain")
    gain.log_scale.assign(np.outer(
        chebyshev.line(0.5, -0.5 * math.log(lmbda_of(QUALITY)), _RANGE, _ROWS),
        np.ones(DEPTH)))
    y_codec = GaussianCodec(
        name="y", reconstruction="round", distortion_weight=distortion_weight,
        fit_symbols=True)
    # Narrow from the start: z begins near zero and would pay for the width. Rounded
    # without regard to means, z_hat are integers.
    z_codec = CheckerboardCodec(
        ConditionalFactorizedCodec(
            hyper_depth, cases, _BANDS, name="z", reconstruction="round",
            init_scale=2.0),
        GaussianCodec(name="z_near", reconstruction="round", fixed_grid=True),
        _SideContext(hyper_width, hyper_depth, cases))
    context_network = SpaceChannelNetwork(
        groups, context_width, cases,
        scale_from_index(np.arange(NUM_SCALES, dtype=np.float32)).numpy())
    super().__init__(
        lapped.analysis(), lapped.synthesis(),
        HyperpriorCodec(
            lambda y, condition: self._hyper_analysis_graph(y, condition.weights),
            lambda z_hat, condition: self._hyper_synthesis_graph(z_hat, condition),
            z_codec, SpaceChannelCodec(y_codec, context_network), hyper_depth,
            _to_params),
        BLOCK, DEPTH)
    self.y_codec = y_codec
    self.context_network = context_network
    self.analysis_blocks = [
        ModulatedBlock(width, DEPTH, _ROWS, name=f"analysis_block_{i}")
        for i in range(analysis_blocks)]
    self.synthesis_blocks = [
        ModulatedBlock(width, DEPTH, _ROWS, name=f"synthesis_block_{i}")
        for i in range(synthesis_blocks)]
    self.hyper_analysis_transform = _HyperAnalysis(hyper_width, hyper_depth)
    self.hyper_synthesis_transform = _HyperSynthesis(hyper_width, cases, gain)
    self.gain = gain
    # What is left to do after division by the gain.
    self.inverse_gain = Modulation(DEPTH, _ROWS, use_bias=False, name="inverse_gain")
    self._analysis_graph = Graph(self._analyze)
    self._hyper_analysis_graph = Graph(self._hyper_analyze)
    self._synthesis_graph = Graph(self._synthesize)
    self._hyper_synthesis_graph = CaseGraph(self.hyper_synthesis_transform)
    self._cases = tf.constant(cases)
    # Set by `prepare`: the step of the KLT on the 0..255 scale; what brings
    # each channel of y near unit variance for the networks.
    self.step = tf.Variable(32.0, trainable=False, name="step")
    self.normalizer = tf.Variable(tf.ones([DEPTH]), trainable=False, name="normalizer")

  def prepare(self, images, lmbda):
    """Starts as the KLT codec of `high_rate_step`, whose step the gain scales."""
    self.build_variables()
    step = high_rate_step(lmbda)
    scales = lapped.start(
        self.analysis_transform, self.synthesis_transform, images, step)
    self.step.assign(step)
    self.normalizer.assign(1.0 / np.sqrt(1.0 + np.square(scales)))
    self.hyper_synthesis_transform.start(scales)
    self.z_codec.network.start()

  def told(self, batch, quality=None, lmbda=None):
    """Returns the `Condition` of a batch, alone in a tuple."""
    if lmbda is None:
      case = tf.fill([batch], tf.cast(quality or QUALITY, tf.int32) - _CASES[0])
      return (Condition(tf.gather(self._cases, case), case),)
    relative = tf.math.log(lmbda / self.controls.lmbda)
    relative = tf.broadcast_to(relative, [batch])
    return (Condition(_polynomials(relative + math.log(lmbda_of(QUALITY)))),)

  def draw_lmbda(self, noise):
    """Returns lmbda of each sample, about `controls.lmbda` as that of `QUALITY`."""
    drawn = noise.uniform(tf.zeros_like(noise.samples, tf.float32), "lmbda")
    low, high = _RANGE
    return self.controls.lmbda * tf.exp(
        low - math.log(lmbda_of(QUALITY))
        + (high - low) * tf.clip_by_value(0.5 + _STRETCH * drawn, 0.0, 1.0))

  def balance(self, lmbda):
    return (lmbda / self.controls.lmbda) ** -_GROWTH

  def lmbda_at(self, quality=None):
    if self.lmbda is None:
      return None
    return self.lmbda * lmbda_of(quality or QUALITY) / lmbda_of(QUALITY)

  def worth(self, condition):
    del condition  # The gain has made steps of y those of the quality.
    return BEST_STEP_WORTH

  def analyze(self, x, condition):
    """x to y, in units of what the gain makes of `step`."""
    return self._analysis_graph(x, condition.weights)

  def synthesize(self, y_hat, condition):
    return self._synthesis_graph(y_hat, condition.weights)

  def _analyze(self, x, weights):
    condition = Condition(weights)
    y = self.analysis_transform((x - 0.5) * (255.0 / self.step))
    for block in self.analysis_blocks:
      y += block(self.normalizer * y, condition)
    return self.gain(y, condition)

  def _synthesize(self, y, weights):
    condition = Condition(weights)
    y = self.inverse_gain(self._without_gain(y, condition), condition)
    for block in self.synthesis_blocks:
      y += block(self.normalizer * y, condition)
    return self.synthesis_transform(y) * (self.step / 255.0) + 0.5

  def _hyper_analyze(self, y, weights):
    condition = Condition(weights)
    y = self.normalizer * self._without_gain(y, condition)
    return self.hyper_analysis_transform(
        tf.concat([y, tf.abs(y)], axis=-1), condition)

  def _without_gain(self, y, condition):
    scale, _ = self.gain.factors(condition.weights)
    return y / scale[:, None, None]


def lmbda_of(quality):
  """Returns the weight of the mean squared error that a quality, 1..100, stands for."""
  return math.exp(np.interp(
      quality, list(_LMBDAS), np.log(list(_LMBDAS.values()))))


_RANGE = tuple(math.log(lmbda_of(quality)) for quality in (_CASES[0], _CASES[-1]))


def _polynomials(logarithm):
  """Returns polynomials, (N, _ROWS), in logarithms of lmbda, (N,)."""
  return chebyshev.polynomials(logarithm, _RANGE, _ROWS)


class _HyperAnalysis(tf.keras.layers.Layer):
  """y, (B, H, W, 2 DEPTH), to z, down by 4."""

  def __init__(self, width, depth):
    super().__init__(name="hyper_analysis_transform")
    relu = tf.nn.leaky_relu
    self.conv_0 = ScaledConv2D(width, 1, name="conv_0")
    self.modulation = Modulation(width, _ROWS, name="modulation")
    self.conv_1 = ScaledConv2D(width, 5, 2, activation=relu, name="conv_1")
    self.conv_2 = ScaledConv2D(depth, 5, 2, name="conv_2")
    self.strength = Modulation(depth, _ROWS, use_bias=False, name="strength")

  @property
  def layers(self):
    """The convolutions, in their order."""
    return [self.conv_0, self.conv_1, self.conv_2]

  def call(self, y, condition):
    x = tf.nn.leaky_relu(self.modulation(self.conv_0(y), condition))
    return self.strength(self.conv_2(self.conv_1(x)), condition)


class _SideContext(tf.Module):
  """One half of z_hat to indexes and means of the other, of integers.

  Args:
    width: of hidden layers.
    depth: channels of z.
    cases: of `ExactModulation`.
  """

  def __init__(self, width, depth, cases):
    super().__init__("side_context")
    bits = {"rate": 20.0, "out_bits": FEATURE_BITS}
    self.near = ExactConv2D(
        width, 3, in_bits=0, input_limit=SYMBOL_LIMIT, activation=None, name="near",
        **{**bits, "out_bits": FEATURE_BITS + MORE_BITS})
    self.modulation = ExactModulation(
        width, cases, in_bits=FEATURE_BITS + MORE_BITS, out_bits=FEATURE_BITS,
        activation="leaky", name="modulation")
    self.hidden = ExactConv2D(width, 1, in_bits=FEATURE_BITS, name="hidden", **bits)
    self.last = ExactConv2D(
        2 * depth, 1, in_bits=FEATURE_BITS, activation=None, name="last",
        **{**bits, "out_bits": integer_bits(depth, means=True)})

  def __call__(self, z_hat, condition):
    x = self.hidden(self.modulation(self.near(z_hat), condition))
    return params_from_integers(self.last(x), means=True)

  def start(self):
    """Starts with standard deviations of 1. The network starts small."""
    _start(self.last, np.ones(self.last.filters // 2))


class _HyperSynthesis(tf.Module):
  """z to indexes and means of y, up by 4, of integers; activations stay below 6.

  Args:
    width: of the first hidden layer.
    cases: of `ExactModulation`.
    gain: `Modulation` of y.
  """

  def __init__(self, width, cases, gain):
    super().__init__("hyper_synthesis_transform")
    bits = {"activation": None, "rate": 8.0, "out_bits": FEATURE_BITS + MORE_BITS}
    fine = {"in_bits": FEATURE_BITS + MORE_BITS, "out_bits": FEATURE_BITS,
            "activation": "leaky"}
    self.conv_0 = ExactConv2DTranspose(
        width, 5, 2, in_bits=0, input_limit=SYMBOL_LIMIT, name="conv_0", **bits)
    self.modulation_0 = ExactModulation(width, cases, name="modulation_0", **fine)
    self.conv_1 = ExactConv2DTranspose(
        3 * width // 2, 5, 2, in_bits=FEATURE_BITS, name="conv_1", **bits)
    self.modulation_1 = ExactModulation(
        3 * width // 2, cases, name="modulation_1", **fine)
    out_bits = np.array(integer_bits(DEPTH, means=True))
    more = np.repeat([MORE_BITS // 2, 0], DEPTH)
    self.conv_2 = ExactConv2D(2 * DEPTH, 1, in_bits=FEATURE_BITS, name="conv_2",
                              **{**bits, "out_bits": out_bits + more})
    self.modulation_2 = _GainedModulation(gain, cases, out_bits + more, out_bits)

  def __call__(self, z_hat, condition):
    """Returns outputs and features, (B, H, W, 2 DEPTH) and (B, H, W, 3 width / 2)."""
    x = self.modulation_0(self.conv_0(z_hat), condition)
    features = self.modulation_1(self.conv_1(x), condition)
    return self.modulation_2(self.conv_2(features), condition), features

  def start(self, scales):
    """Starts with standard deviations of channels. The network starts small."""
    _start(self.conv_2, scales)


def _start(last, scales):
  """Readies the last layer of a network for indexes and means."""
  last.kernel.assign(0.1 * last.kernel)
  last.bias.assign(np.concatenate(
      [index_from_scale(scales) / INDEX_UNIT, np.zeros(len(scales))]))
  last.fix_tables()  # Its kernel is another by now.


class _GainedModulation(ExactModulation):
  """Makes of the indexes and means of y those of gain * y."""

  def __init__(self, gain, cases, in_bits, out_bits):
    super().__init__(
        2 * DEPTH, cases, in_bits=in_bits, out_bits=out_bits, name="modulation_2")
    self._gain = gain

  def factors(self, weights):
    scale, bias = super().factors(weights)
    gain, _ = self._gain.factors(weights)
    ones = tf.ones_like(gain)
    steps = (index_from_scale(gain) - index_from_scale(1.0)) / INDEX_UNIT
    factor = tf.concat([ones, gain], axis=-1)
    return scale * factor, bias * factor + tf.concat([steps, 0.0 * steps], axis=-1)


def _to_params(outputs, condition):
  """Returns `SpaceChannelParams` of what the hyper synthesis says."""
  outputs, features = outputs
  indexes, loc = tf.split(outputs, 2, axis=-1)
  mean_bits = integer_bits(1, means=True)[1]
  return SpaceChannelParams(indexes, loc * 2.0**-mean_bits, features, condition)
