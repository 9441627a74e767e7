"""One network for all rates, by lmbda and bin size (Choi et al., ICCV 2019)."""

import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    INDEX_UNIT,
    NUM_SCALES,
    SCALE_MAX,
    SCALE_MIN,
    SYMBOL_LIMIT,
    AutoregressiveCodec,
    ConditionalFactorizedCodec,
    GaussianCodec,
    HyperpriorCodec,
    LatentCodec,
    index_from_scale,
    params_from_integers,
)
from tfc_models.layers import Conv2DTranspose
from tfc_models.models.families.analytic_hyperprior import AnalyticHyperprior
from tfc_models.models.families.transform_model import (
    TransformModel,
    first_patches,
    high_rate_step,
)
from tfc_models.ops import image as image_ops
from tfc_models.ops.graph import Graph
from tfc_models.ops.parts import in_parts
from tfc_models.transforms import gdn_conv
from tfc_models.transforms.conditional import (
    Bins,
    ConditionalContext,
    ConditionalHyperSynthesis,
    ConditionalStack,
)

# From one lmbda to the next, and how many there are; the one of `QUALITY` is the one
# that training is given.
_LMBDA_RATIO = 10.0**0.5
_CASES, _MIDDLE = np.eye(5, dtype=np.float32), 2
# Bins are powers of the ratio of two neighbouring tables' scales, 0.54 to 1.85: a bin
# shifts the index of a table by an integer.
BINS = Bins((SCALE_MAX / SCALE_MIN) ** (1.0 / (NUM_SCALES - 1)), 5)
# Bins next to the lmbda of others: further ones would cross their rates.
_SHARED = 2
# The rate grows about as lmbda to this power, and so do losses and their gradients.
_GROWTH = 0.375
QUALITY = 50  # Where nothing else is said.
# The last kernel of what is shown beside y starts so much smaller.
_QUIET = 0.1


def _rates():
  """Returns (case, bin) of rates that grow: larger lmbda, then smaller bins."""
  last = len(_CASES) - 1
  return [(case, number) for case in range(last + 1) for number in range(
      _SHARED if case else BINS.limit, -(_SHARED if case < last else BINS.limit) - 1, -1)]


RATES = _rates()


def rate_of(quality):
  """Returns number of lmbda and of bin size that a quality, 1..100, stands for."""
  return RATES[round((quality - 1) * (len(RATES) - 1) / 99)]


class Rate(NamedTuple):
  """A `layers.Condition`, and what latents are quantised with.

  Attributes:
    weights: (B, 5) float, one of them 1.
    case: (B,) int32, which one.
    bins: (B,) int32, see `transforms.conditional.Bins`; None in training, where the
      codec of y draws them.
  """

  weights: tf.Tensor
  case: tf.Tensor
  bins: tf.Tensor


class _Model(TransformModel):
  """What both backbones have in common.

  Args:
    num_filters, latent_depth, fixed_grid: as of `ConditionalJoint`.
    context: `ConditionalContext`, or None.
  """

  downsampling_factor = 64  # 16 down to y, 4 more down to z.
  capabilities = frozenset(["quality"])
  # In 8 bits they cost 0.1 dB at 0.3 bpp and 0.8 at 1.9; all else 0.3 % of the bytes.
  fine_parts = ("analysis_transform", "synthesis_transform")

  def __init__(self, num_filters, latent_depth, fixed_grid, context=None):
    y_codec = _YCodec(
        _Gaussian("y", fixed_grid=fixed_grid), context)
    super().__init__(
        _conditional(gdn_conv.analysis_5x5(num_filters, latent_depth)),
        _conditional(gdn_conv.synthesis_5x5(num_filters)),
        HyperpriorCodec(
            lambda y, rate: self.hyper_analysis_transform(y, rate),
            lambda z_hat, rate: (
                self.hyper_synthesis_transform(z_hat, rate),
                self.side_transform(z_hat, rate)),
            _Factorized(num_filters, _CASES, len(_CASES), name="z"),
            y_codec, num_filters,
            lambda outputs, rate: _YParams(*outputs, rate)),
        16, latent_depth)
    conv = functools.partial(tf.keras.layers.Conv2D, num_filters, padding="same")
    up = functools.partial(
        Conv2DTranspose, num_filters, 5, 2, padding="same")
    self.hyper_analysis_transform = ConditionalStack(
        [conv(3, 1), conv(5, 2), conv(5, 2)], _rectifiers(2), len(_CASES),
        "hyper_analysis_transform")
    self.hyper_synthesis_transform = ConditionalHyperSynthesis(
        latent_depth, _CASES, SYMBOL_LIMIT,
        None if context else INDEX_UNIT)
    self.side_transform = ConditionalStack(
        [up(), up()], _rectifiers(1), len(_CASES), "side_transform")
    self._synthesis_graph = Graph(lambda y_hat, weights: self.synthesis_transform(
        y_hat, Rate(weights, None, None)))

  def prepare(self, images, lmbda):
    """Starts as the transform codec of `high_rate_step` that a gain a lmbda scales."""
    self.build_variables()
    patches = first_patches(images)
    gdn_conv.start(self.analysis_transform, self.synthesis_transform, patches,
                   high_rate_step(lmbda))
    rate, = self.told(1)
    y = in_parts(lambda some: self.analyze(
        image_ops.to_float(some), _repeated(rate, len(some))), patches)
    AnalyticHyperprior(
        self.hyper_analysis_transform.plain(), self.hyper_synthesis_transform.plain(),
        context=self.y_codec.network).prepare(y)
    self._start_quietly(np.sqrt(np.mean(np.square(y), axis=(0, 1, 2))))
    self._start_gains()
    self.fix_scales()
    z = self.hyper_analysis_transform(tf.constant(y), _repeated(rate, len(y)))
    self.z_codec.prepare(z.numpy())

  def told(self, batch, quality=None, lmbda=None):
    """Returns the `Rate` of a batch, alone in a tuple."""
    if lmbda is None:
      case, bins = (tf.fill([batch], number) for number in rate_of(quality or QUALITY))
    else:
      case = tf.round(tf.math.log(lmbda / self.controls.lmbda) / math.log(_LMBDA_RATIO))
      case, bins = tf.broadcast_to(tf.cast(case, tf.int32) + _MIDDLE, [batch]), None
    return (Rate(tf.gather(tf.constant(_CASES), case), case, bins),)

  def draw_lmbda(self, noise):
    """Returns lmbda of each sample, about `controls.lmbda` as that of `QUALITY`."""
    case = _drawn(noise, "lmbda", len(_CASES)) - _MIDDLE
    return self.controls.lmbda * _LMBDA_RATIO ** tf.cast(case, tf.float32)

  def balance(self, lmbda):
    return (lmbda / self.controls.lmbda) ** -_GROWTH

  def lmbda_at(self, quality=None):
    """Returns None: efforts look for y_hat, and decoders are shown z beside it."""
    del quality

  def analyze(self, x, rate):
    return self.analysis_transform(x, rate)

  def synthesize(self, y_hat, rate):
    """Returns x_hat of y_hat and, in further channels, what z says of it."""
    return self._synthesis_graph(y_hat, rate.weights)

  def _start_quietly(self, scales):
    """Lets channels of y count alike in a context, and the side transform for little."""
    last = self.side_transform.convolutions[-1]
    last.kernel.assign(_QUIET * last.kernel)
    if self.y_codec.network:
      context = self.y_codec.network.context.convolution
      context.kernel.assign(context.kernel / np.sqrt(1.0 + scales[:, None] ** 2))

  def _start_gains(self):
    """Makes y of each lmbda as large as its quantiser's step is small."""
    gains = _LMBDA_RATIO ** (0.5 * (np.arange(len(_CASES)) - _MIDDLE))[:, None]
    self.analysis_transform.modulations[-1].assign_scales(gains)
    self.synthesis_transform.modulations[0].assign_scales(1.0 / gains)
    self.hyper_analysis_transform.modulations[0].assign_scales(1.0 / gains)
    last = self.hyper_synthesis_transform.stages[-1].modulation
    if self.y_codec.network:
      self.y_codec.network.context.modulation.assign_scales(1.0 / gains)
      last = self.y_codec.network.entropy_parameters[-1].modulation
    ones = np.ones([1, self.depth])
    last.assign_scales(np.concatenate([ones * gains**0, ones * gains], axis=1))
    steps = index_from_scale(gains * SCALE_MIN) / INDEX_UNIT
    last.bias.assign(np.concatenate([ones * steps, ones * 0.0 * gains], axis=1))


@registry.register("choi2019")
class ConditionalJoint(_Model):
  """Codes y in bins of a size, under N(mu, sigma) of z, context, lmbda.

      x -> analysis -> y / size -> round -> [y string] -> * size -> + -> synthesis
                       |            ^ mu / size, index - steps   |  |
                       |       entropy parameters <-- masked 5x5-+  |
                       |            ^                               |
                       +-> h_analysis -> z -> [z string] -> h_synthesis, side transform

  One set of weights for all rates. lmbda, one of five, scales and shifts the channels
  of every convolution, the bin size tunes the rate between them. A quality, 1..100,
  stands for one of 31 pairs of both whose rates grow (`RATES`): eight sizes with the
  least lmbda, from 1.85 down, five with each of the next three, eight with the largest.
  The map is a part of this code, so the quality in the header is all that a decoder
  needs. What z says also comes to the decoder network, beside y_hat.

  Args:
    num_filters: N, width of the hidden layers and of z.
    latent_depth: M, channels of y.
    fixed_grid: whether y_hat is a multiple of the bin size, as in the paper; otherwise
      that is what lies between it and the mean, see `GaussianCodec`.

  Source: Choi, El-Khamy, Lee, "Variable rate deep image compression with a conditional
    autoencoder", ICCV 2019, arXiv:1909.04802, on the backbone of Minnen, Balle,
    Toderici, NeurIPS 2018, arXiv:1809.02736.
  Departs: z is coded under one density a channel and lmbda, not autoregressively, and
    has bins of 1 at every rate. Bin sizes of y are powers of 1.13, the ratio of
    neighbouring scales of the table, so that they shift its index by whole steps: 0.54
    to 1.85, where the paper has 0.5 to 2. Networks that select tables are of integers
    (`layers.exact`), with a leaky ReLU of slope 1/4, and predict the index of a scale.
    Convolutions of reals keep a bias that all lmbda share. Values of lmbda are powers
    of sqrt(10) about that of training, since the paper's are not on our scale. Losses
    of samples are weighed by lmbda^-0.375, as they grow. Symbols lie by fronts, see
    `AutoregressiveCodec`. Training starts from a transform codec with a gain a lmbda.
  """

  def __init__(self, *, num_filters=192, latent_depth=192, fixed_grid=True):
    context = ConditionalContext(latent_depth, INDEX_UNIT, _CASES, BINS)
    super().__init__(num_filters, latent_depth, fixed_grid, context)
    self.context_network = context


@registry.register("choi2019-mean")
class ConditionalMeanScale(_Model):
  """The same without context: z alone predicts y.

  Args:
    num_filters, latent_depth, fixed_grid: as of `ConditionalJoint`.

  Source: as there.
  Departs: as there, and has no context model, the mean-scale backbone of Minnen et al.,
    which codes all of y at once.
  """

  def __init__(self, *, num_filters=128, latent_depth=192, fixed_grid=True):
    super().__init__(num_filters, latent_depth, fixed_grid)


class _Dithered:
  """In front of a `SymbolCodec`: universal quantisation in training.

      y~ = round(y + u) - u, with one u of a sample and the gradient of the identity

  Source: Choi et al., section 3.2; Ziv, "On universal quantization", IEEE Trans.
    Information Theory, 1985.
  """

  def noisy(self, y, noise):
    u = noise.uniform(tf.zeros_like(noise.samples, tf.float32), self.name)
    u = tf.reshape(u, [-1, *[1] * (y.shape.rank - 1)])
    return y + tf.stop_gradient(tf.round(y + u) - u - y)


class _Gaussian(_Dithered, GaussianCodec):
  """`GaussianCodec`, dithered."""


class _Factorized(_Dithered, ConditionalFactorizedCodec):
  """`ConditionalFactorizedCodec`, dithered."""


class _YParams(NamedTuple):
  """What z says of y.

  Attributes:
    outputs: (B, H, W, 2 M) integers: indexes and means, or features for the context.
    shown: (B, H, W, N) what the decoder network is shown beside y_hat.
    rate: `Rate`.
  """

  outputs: tf.Tensor
  shown: tf.Tensor
  rate: Rate


class _YCodec(LatentCodec):
  """Codes y in bins whose size the rate says, and joins to y_hat what z shows.

  Args:
    codec: `GaussianCodec` of y / size.
    network: `ConditionalContext`, or None.
  """

  def __init__(self, codec, network=None):
    super().__init__("y_bins", codec.reconstruction)
    self.network = network
    self._to_params = functools.partial(params_from_integers, means=True)
    self.codec = (
        AutoregressiveCodec(codec, network, self._to_params) if network else codec)

  def leaves(self):
    return self.codec.leaves()

  def __call__(self, y, params=None, noise=None, **more):
    if noise is not None:
      bins = _drawn(noise, "bin", 2 * BINS.limit + 1) - BINS.limit
      params = params._replace(rate=params.rate._replace(bins=bins))
    y_hat, bits = self.codec(
        y / self._size(params), self._own(params), noise, **more)
    return self._joined(y_hat, params), bits

  def symbols(self, y, params=None, **more):
    coded, y_hat = self.codec.symbols(
        y / self._size(params), self._own(params), **more)
    return coded, self._joined(y_hat, params)

  def decode(self, reader, shape, params=None):
    return self._joined(self.codec.decode(reader, shape, self._own(params)), params)

  def fix_tables(self):
    """Does nothing: the codec inside has the tables."""

  def _size(self, params):
    return BINS.size(params.rate.bins, 4)

  def _own(self, params):
    """Returns the params of the codec inside, in bins."""
    if self.network:
      return self.network.side(params.outputs, params.rate, params.rate.bins)
    return self._to_params(BINS.params_in_bins(params.outputs, params.rate.bins))

  def _joined(self, y_hat, params):
    return tf.concat([y_hat * self._size(params), params.shown], axis=-1)


def _drawn(noise, stream, count):
  """Returns one of 0..count - 1 for each sample, (B,) int32."""
  drawn = noise.uniform(tf.zeros_like(noise.samples, tf.float32), stream)
  return tf.cast(tf.floor((drawn + 0.5) * count), tf.int32)


def _conditional(sequential):
  """Returns the `ConditionalStack` of a network of `transforms.gdn_conv`."""
  layers = sequential.layers
  return ConditionalStack(layers[::2], layers[1::2], len(_CASES), sequential.name)


def _rectifiers(count):
  return [tf.keras.layers.LeakyReLU(0.2) for _ in range(count)]


def _repeated(rate, batch):
  """Returns the `Rate` of one sample for a batch."""
  return Rate(*(tf.repeat(each, batch, axis=0) for each in rate))
