"""Layered image compression with a scalable autoencoder (Jia et al., MIPR 2019)."""

import collections

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.bitstream import ITERATION, Chunk
from tfc_models.entropy_models import (
    INDEX_UNIT,
    FactorizedCodec,
    GaussianCodec,
    LatentCodec,
    index_from_scale,
    integer_bits,
    params_from_integers,
)
from tfc_models.errors import BitstreamError
from tfc_models.layers import ACTIVATION_LIMIT, ExactConv2D, as_real
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.models.families.transform_model import (
    first_patches,
    high_rate_step,
)
from tfc_models.ops import quantize
from tfc_models.ops.parts import in_parts
from tfc_models.transforms import gdn_conv

# Weights of the distortion, of the first layer's: the paper's lambda weighs the rate, by
# 3000, 1000, 300, 200, 100.
_WEIGHTS = (1.0, 3.0, 10.0, 15.0, 30.0)
# Outputs of the network of a conditioned prior start so much smaller.
_QUIET = 0.1


@registry.register("jia2019")
class LayeredAutoencoder(base.CompressionModel):
  """Layers of factorized autoencoders, each of what those before left; any first ones do.

      x_hat_0 = S_0(round(A_0(x)))
      x_hat_k = x_hat_{k-1} + S_k(round(A_k(x - x_hat_{k-1})))

  Args:
    num_filters: N, width of the hidden layers of each.
    latent_depths: channels of the latent of each layer, five at most.
    conditioned: whether latents but the first are coded under N(mu, sigma) that an
      integer network predicts from those of lower layers, at the same site; otherwise
      under a density a channel.

  Source: Jia, Liu, Wang, Ma, Gao, "Layered image compression using scalable
    auto-encoder", IEEE MIPR 2019, arXiv:1904.00553, with the layers of the authors'
    code: those of `bls2017`.
  Departs: all layers learn at once, each from its own loss and without gradients to lower
    ones (`train.truncate` of 1), which the recipe says; `train.freeze` trains one after
    the other. Decoders see y rounded in training (with the gradient of the identity), so
    that a layer sees of lower ones what a receiver will. The paper has no conditions.
  """

  downsampling_factor = 16
  capabilities = frozenset(["progressive", "quality"])

  def __init__(self, *, num_filters=48, latent_depths=(48, 48, 96, 96, 96),
               conditioned=False):
    super().__init__()
    if not 0 < len(latent_depths) <= len(_WEIGHTS):
      raise ValueError(
          f"`latent_depths` must hold 1 to {len(_WEIGHTS)}, got {len(latent_depths)}.")
    self.depths = tuple(latent_depths)
    self.iterations = len(self.depths)
    self.latents = tuple(f"y_{layer}" for layer in range(self.iterations))
    self.analysis_transforms, self.synthesis_transforms, self.y_codecs = [], [], []
    for layer, (name, depth) in enumerate(zip(self.latents, self.depths)):
      self.analysis_transforms.append(gdn_conv.analysis(
          [num_filters] * 2 + [depth], [9, 5, 5], [4, 2, 2],
          name=f"layer_{layer}_analysis_transform"))
      self.synthesis_transforms.append(gdn_conv.synthesis(
          [num_filters] * 2 + [3], [5, 5, 9], [2, 2, 4],
          name=f"layer_{layer}_synthesis_transform"))
      self.y_codecs.append(
          _ConditionedCodec(depth, name) if conditioned and layer
          else FactorizedCodec(depth, name, "round"))

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    bits = {name: tf.zeros(tf.shape(x)[:1]) for name in self.latents}
    stages, x_hat, below = [], 0.0, ()
    for layer in range(settings.iterations_of(self.iterations)):
      if layer and context.truncate and layer % context.truncate == 0:
        x_hat, below = tf.nest.map_structure(tf.stop_gradient, (x_hat, below))
      y_hat, more = self.y_codecs[layer](
          self.analysis_transforms[layer](x - x_hat), below, context.noise)
      bits.update(more)
      x_hat += self.synthesis_transforms[layer](y_hat)
      below = (*below, y_hat)
      stages.append(x_hat)
    return base.ModelOutput(x_hat, bits, tuple(stages))

  def stage_weights(self, count):
    """Returns those of the layers, each of its own rate, see `_WEIGHTS`."""
    return _WEIGHTS[:count]

  def encode(self, x, settings):
    return [chunk for chunk, _ in self.encode_progressively(x, settings)]

  def encode_progressively(self, x, settings):
    x_hat, below = 0.0, ()
    for layer in range(settings.iterations_of(self.iterations)):
      strings, y_hat = self.y_codecs[layer].compress(
          self.analysis_transforms[layer](x - x_hat), below)
      x_hat += self.synthesis_transforms[layer](y_hat)
      below = (*below, y_hat)
      yield Chunk(ITERATION, layer, tuple(strings)), x_hat

  def decode(self, chunks, header):
    (x_hat,) = collections.deque(
        self.decode_progressively(chunks, header), maxlen=1)
    return x_hat

  def decode_progressively(self, chunks, header):
    x_hat, below = 0.0, ()
    for layer, chunk in enumerate(self._layers(chunks)):
      y_hat = self._decode_latent(layer, chunk, below, header)
      x_hat += self.synthesis_transforms[layer](y_hat)
      below = (*below, y_hat)
      yield x_hat

  def decode_first(self, chunks, count, header):
    x_hat, below = 0.0, ()
    for layer, chunk in enumerate(self._layers(chunks)):
      def more(layer=layer, chunk=chunk, x_hat=x_hat, below=below):
        y_hat = self._decode_latent(layer, chunk, below, header)
        return x_hat + self.synthesis_transforms[layer](y_hat), y_hat

      def no_more(layer=layer, x_hat=x_hat):
        height, width, depth = self._shape(layer, header)
        return x_hat, tf.zeros([1, height, width, depth])

      x_hat, y_hat = tf.cond(layer < count, more, no_more) if layer else more()
      below = (*below, y_hat)
    return x_hat

  def prepare(self, images, lmbda):
    """Starts each layer as the transform codec of `high_rate_step` of what is left."""
    self.build_variables()
    patches = first_patches(images)
    left = patches / np.float32(255.0)
    for weight, analysis, synthesis, codec in zip(
        _WEIGHTS, self.analysis_transforms, self.synthesis_transforms, self.y_codecs):
      gdn_conv.start(
          analysis, synthesis, np.float32(255.0) * left, high_rate_step(weight * lmbda))
      y = in_parts(analysis, left)
      codec.prepare(y)
      left = left - in_parts(synthesis, np.round(y))

  def _decode_latent(self, layer, chunk, below, header):
    return self.y_codecs[layer].decompress(
        [base.as_tensor(chunk.strings[0])], self._shape(layer, header), below)

  def _shape(self, layer, header):
    return self.latent_shape(header, 16, self.depths[layer])

  def _layers(self, chunks):
    """Returns the chunks of the layers in a file.

    Raises:
      BitstreamError: if these are not layers 0, 1 ... of this model.
    """
    found = [chunk for chunk in chunks if chunk.type == ITERATION]
    for number, chunk in enumerate(found):
      if (chunk.index, len(chunk.strings)) != (number, 1):
        raise BitstreamError(f"layer {number} is missing, or holds something else")
    if not 0 < len(found) <= self.iterations:
      raise BitstreamError(
          f"the stream holds {len(found)} layers, its model has {self.iterations}")
    return found


class _ConditionedCodec(LatentCodec):
  """Codes a latent, rounded, under N(mu, sigma) of the latents of lower layers.

  Its params are a tuple of these, integers, of the same height and width.
  """

  def __init__(self, depth, name):
    super().__init__(f"{name}_given", "round")
    self.codec = GaussianCodec(name, "round", fixed_grid=True)
    self.network = [
        ExactConv2D(2 * depth, 1, in_bits=0, name=f"{name}_hidden"),
        ExactConv2D(
            2 * depth, 1, activation=None, out_bits=integer_bits(depth, means=True),
            name=f"{name}_params")]

  def leaves(self):
    return [self.codec]

  def __call__(self, y, params=None, noise=None):
    with as_real(noise is not None):
      return self.codec(y, self._given(params), noise)

  def symbols(self, y, params=None):
    return self.codec.symbols(y, self._given(params))

  def decode(self, reader, shape, params=None):
    return self.codec.decode(reader, shape, self._given(params))

  def prepare(self, y):
    """Starts with the scale of each channel, whatever lower layers say."""
    last = self.network[-1]
    scales = np.sqrt(np.mean(np.square(y), axis=(0, 1, 2)))
    last.kernel.assign(_QUIET * last.kernel)
    last.bias.assign(np.concatenate(
        [index_from_scale(scales) / INDEX_UNIT, np.zeros_like(scales)]))

  def fix_tables(self):
    """Does nothing: the codec inside has the tables."""

  def _given(self, below):
    x = quantize.clip_towards(
        tf.concat(below, axis=-1), -ACTIVATION_LIMIT, ACTIVATION_LIMIT)
    for layer in self.network:
      x = layer(x)
    return params_from_integers(x, means=True)
