"""Networks whose channels the rate scales and shifts, after each convolution.

Source: Choi, El-Khamy, Lee, "Variable rate deep image compression with a conditional
  autoencoder", ICCV 2019, arXiv:1909.04802, section 3.
"""

import numpy as np
import tensorflow as tf

from tfc_models.layers import (
    ACTIVATION_LIMIT,
    SLOPES,
    Condition,
    ExactContextConv2D,
    ExactConv2D,
    ExactConv2DTranspose,
    ExactModulation,
    Modulation,
    rounds,
)
from tfc_models.ops import quantize, wavefront
from tfc_models.transforms.causal import CausalNetwork
from tfc_models.transforms.context import pass_side_on

# Hidden integers count in 1/16, and in 1/1024 before they are scaled.
_BITS, _MORE_BITS = 4, 6
# Means count in 1/64; indexes in 1/16 of a table, since what a case adds to them would
# otherwise be rounded by itself. Both leave no room for more.
_MEAN_BITS = 6
_INDEX_BITS = 4
# The context sees y_hat in eighths.
_CONTEXT_BITS = 3
# Means and y_hat in units of 1/64 are clipped to it before they are multiplied.
_LIMIT = 2.0**15
_FACTOR_BITS = 9


class ConditionalStack(tf.keras.layers.Layer):
  """Convolutions of reals, each scaled and shifted by a `Condition`.

  Args:
    convolutions: list of Keras layers.
    activations: list of Keras layers between them, one less.
    rows: as of `Modulation`.
  """

  def __init__(self, convolutions, activations, rows, name=None):
    super().__init__(name=name)
    self.convolutions = list(convolutions)
    self.activations = list(activations)
    self.modulations = [
        Modulation(conv.filters, rows, "softplus", name=f"modulation_{number}")
        for number, conv in enumerate(self.convolutions)]

  @property
  def layers(self):
    """Convolutions and activations in their order, as of a Keras Sequential."""
    pairs = zip(self.convolutions, [*self.activations, None])
    return [layer for pair in pairs for layer in pair if layer is not None]

  def plain(self):
    """Returns the same without modulations, `Plain`."""
    return Plain([
        _PlainLayer(conv, activation or (lambda x: x)) for conv, activation in zip(
            self.convolutions, [*self.activations, None])])

  def call(self, x, condition):
    """Returns the output of the last convolution, of (B, H, W, C)."""
    for number, (conv, modulation) in enumerate(
        zip(self.convolutions, self.modulations)):
      x = modulation(conv(x), condition)
      if number < len(self.activations):
        x = self.activations[number](x)
    return x


class Plain(tf.Module):
  """A network without its modulations, for what starts plain networks.

  It computes the same while modulations are the identity, as they are at first.

  Args:
    layers: list of functions with the attributes of a layer.
  """

  def __init__(self, layers):
    super().__init__("plain")
    self.layers = layers
    self.convolutions = [layer.convolution for layer in layers]  # So it has submodules.

  def __call__(self, x):
    """Returns the output of the last layer."""
    for layer in self.layers:
      x = layer(x)
    return x


class _PlainLayer:
  """A convolution with an activation behind it.

  Args:
    convolution: Keras layer, whose attributes it has.
    activation: function.
    **facts: further attributes, instead of its own.
  """

  def __init__(self, convolution, activation, **facts):
    self.convolution = convolution
    self.activation = activation
    vars(self).update(facts)

  def __getattr__(self, name):
    return getattr(self.convolution, name)

  def __call__(self, x):
    return self.activation(self.convolution(x))


class Bins:
  """Sizes of the bins that a latent is quantised with: powers of a ratio.

  Integers are multiplied by sizes of 9 bits, exactly, and rounded.

  Args:
    ratio: from one size to the next; that of a table of scales makes a bin a step of
      the index.
    limit: bins are numbered -limit..limit; number 0 has the size 1.
  """

  def __init__(self, ratio, limit):
    self.limit = limit
    sizes = float(ratio) ** np.arange(-limit, limit + 1)
    self.sizes = np.float32(sizes)
    mantissas, exponents = np.frexp(sizes)
    self._short_sizes = np.float32(np.ldexp(
        np.round(np.ldexp(mantissas, _FACTOR_BITS)), exponents - _FACTOR_BITS))

  def size(self, bins, rank):
    """Returns the sizes of bins, (B,) int32, as (B, 1, ..., 1) of so many axes."""
    return self._of(self.sizes, bins, rank)

  def multiplied(self, x, bins):
    """Returns integers times the sizes of bins; reals within `layers.as_real`.

    Args:
      x: (B, ..., C), integers as floats.
      bins: (B,) int32.
    """
    if not rounds(True):
      return x * self.size(bins, x.shape.rank)
    x = tf.clip_by_value(x, -_LIMIT, _LIMIT)
    return tf.round(x * self._of(self._short_sizes, bins, x.shape.rank))

  def params_in_bins(self, outputs, bins):
    """Returns indexes and means, (B, ..., 2 C), of y in its own units as those in bins.

    A standard deviation shrinks with the size of a bin, its index by whole steps.

    Args:
      outputs: integers in units of 1/16, and of 1/64.
      bins: (B,) int32.

    Returns:
      (B, ..., 2 C): integers as floats, means in units of 1/64.
    """
    indexes, means = tf.split(outputs, 2, axis=-1)
    indexes *= 2.0**-_INDEX_BITS
    if rounds(True):
      indexes = tf.floor(indexes + 0.5)  # The same way for all bins, unlike `tf.round`.
    steps = tf.reshape(tf.cast(bins, tf.float32), _ones(outputs.shape.rank))
    return tf.concat([indexes - steps, self.multiplied(means, -bins)], axis=-1)

  def _of(self, sizes, bins, rank):
    return tf.reshape(tf.gather(tf.constant(sizes), bins + self.limit), _ones(rank))


class _Stage(tf.Module):
  """A convolution of integers, what the rate makes of its channels, an activation.

  Args:
    kind: class of the convolution.
    filters, *args, **kwargs: its arguments, but for activation and out_bits.
    cases: as of `ExactModulation`.
    activation, out_bits: of the whole.
    more_bits: of what comes before the scale.
  """

  def __init__(self, kind, filters, *args, cases, activation="leaky", out_bits=_BITS,
               more_bits=_MORE_BITS, name, **kwargs):
    super().__init__(name)
    fine = np.int32(out_bits) + np.int32(more_bits)
    self.convolution = kind(
        filters, *args, activation=None, out_bits=fine, name="convolution", **kwargs)
    self.modulation = ExactModulation(
        filters, cases, in_bits=fine, out_bits=out_bits, activation=activation,
        link="softplus", name="modulation")

  def __call__(self, x, condition):
    return self.modulation(self.convolution(x), condition)

  def plain(self):
    """Returns the same at the first case as a layer."""
    kind, none = self.modulation.kind, tf.zeros([1], tf.int32)
    return _PlainLayer(
        self.convolution, lambda x: self.modulation(x, Condition(None, none)),
        out_bits=self.modulation.out_bits, slope=SLOPES.get(kind, 1.0))

  def site_weights(self):
    """See `CausalNetwork`."""
    return self.convolution.site_weights(), self.modulation.site_weights()

  def at_sites(self, x, case, weights):
    """Returns the same of single sites, (B, n, C)."""
    x = self.convolution.at_sites(x, weights[0])
    return self.modulation.at_sites(x, case, weights[1])


def _last(kind, depth, *args, index_unit, cases, name):
  """Returns the `_Stage` that says indexes and means of y, see `Bins.params_in_bins`."""
  index_bits = int(np.log2(index_unit)) + _INDEX_BITS
  return _Stage(
      kind, 2 * depth, *args, cases=cases, activation=None,
      out_bits=np.repeat([index_bits, _MEAN_BITS], depth), more_bits=0, name=name)


class ConditionalHyperSynthesis(tf.Module):
  """The integers z_hat to integers that price y, up by 4, see `transforms.hyper`.

  Args:
    depth: M, channels of y.
    cases: as of `ExactModulation`.
    input_limit: the largest absolute value in z_hat.
    index_unit: indexes that 1 in the real network stands for; None for 2 M hidden
      features that another network sees, instead of `Bins.params_in_bins`.
  """

  def __init__(self, depth, cases, input_limit, index_unit=None,
               name="hyper_synthesis_transform"):
    super().__init__(name)
    up = ExactConv2DTranspose
    self.stages = [
        _Stage(up, depth, 5, 2, cases=cases, in_bits=0, input_limit=input_limit,
               name="stage_0"),
        _Stage(up, depth * 3 // 2, 5, 2, cases=cases, name="stage_1"),
        _Stage(ExactConv2D, 2 * depth, 3, cases=cases, activation="clip", name="stage_2")
        if index_unit is None else
        _last(ExactConv2D, depth, 3, index_unit=index_unit, cases=cases,
              name="stage_2")]

  def plain(self):
    """Returns the same without modulations, `Plain`."""
    return Plain([stage.plain() for stage in self.stages])

  def __call__(self, z_hat, condition):
    """Returns (B, 4 H, 4 W, 2 M), integers as floats."""
    x = z_hat
    for stage in self.stages:
      x = stage(x, condition)
    return x


class ConditionalContext(CausalNetwork):
  """`transforms.context.ContextNetwork`, whose every layer the rate scales and shifts.

  It sees y_hat in bins, and says indexes and means in bins. In between all is in the
  units of y, so that the network need not know how large the bins are.

  Args:
    depth: M, channels of y_hat.
    index_unit: as of `ConditionalHyperSynthesis`.
    cases: as of `ExactModulation`.
    bins: `Bins`.
  """

  def __init__(self, depth, index_unit, cases, bins, name="context_network"):
    super().__init__(depth, wavefront.causal_offsets(5), name=name)
    self.bins = bins
    self.rows = len(cases[0])
    self.context = _Stage(
        ExactContextConv2D, 2 * depth, 5, self.offsets, cases=cases, activation="clip",
        in_bits=_CONTEXT_BITS, name="context")
    self.entropy_parameters = [
        *(_Stage(ExactConv2D, width, 1, cases=cases, name=f"parameters_{number}")
          for number, width in enumerate((depth * 10 // 3, depth * 8 // 3))),
        _last(ExactConv2D, depth, 1, index_unit=index_unit, cases=cases,
              name="parameters_2")]

  def side(self, features, condition, bins):
    """Returns the side information.

    Args:
      features: (B, H, W, D), integers in units of 1/16.
      condition: `Condition`.
      bins: (B,) int32.

    Returns:
      (B, H, W, D + rows + 1): weights of the condition and bins are the same at all
      sites.
    """
    told = tf.concat(
        [condition.weights, tf.cast(bins, tf.float32)[:, None]], axis=1)[:, None, None]
    shape = tf.concat([tf.shape(features)[:3], [self.rows + 1]], axis=0)
    return tf.concat([features, tf.broadcast_to(told, shape)], axis=-1)

  def pass_side_on(self, shifts=(0.0,)):
    """See `transforms.context.ContextNetwork`."""
    pass_side_on(
        [stage.convolution for stage in self.entropy_parameters], self.depth, shifts)

  def call(self, y_hat, side):
    """Returns the outputs at all sites, (B, H, W, 2 M), as `Bins.params_in_bins`.

    Args:
      y_hat: (B, H, W, M) in bins, of which a site sees those before it.
      side: of `side`.
    """
    features, condition, bins = self._told(side)
    x = self.context(self._fixed(y_hat, bins), condition)
    x = tf.concat([features, x], axis=-1)
    for stage in self.entropy_parameters:
      x = stage(x, condition)
    return self.bins.params_in_bins(x, bins)

  def site_weights(self):
    """See `CausalNetwork`."""
    return [stage.site_weights() for stage in (self.context, *self.entropy_parameters)]

  def at_sites(self, context, side, memory, weights):
    """Returns the same of single sites, see `CausalNetwork`; they leave nothing."""
    features, (_, case), bins = self._told(side)
    x = self.context.at_sites(self._fixed(context, bins), case, weights[0])
    x = tf.concat([features, x], axis=-1)
    for stage, more in zip(self.entropy_parameters, weights[1:]):
      x = stage.at_sites(x, case, more)
    return self.bins.params_in_bins(x, bins), memory

  def _told(self, side):
    """Returns features, `Condition` and bins of what `side` gives, at any sites."""
    features, told = side[..., :-self.rows - 1], side[..., -self.rows - 1:]
    while told.shape.rank > 2:
      told = told[:, 0]
    weights, bins = told[:, :-1], tf.cast(told[:, -1], tf.int32)
    case = tf.argmax(weights, axis=1, output_type=tf.int32)
    return features, Condition(weights, case), bins

  def _fixed(self, y_hat, bins):
    """Returns y_hat in eighths, of y_hat in bins, whole or with means in 1/64."""
    x = self.bins.multiplied(y_hat * 2.0**_MEAN_BITS, bins)
    x *= 2.0 ** (_CONTEXT_BITS - _MEAN_BITS)
    if rounds(True):
      x = tf.round(x)
    return quantize.clip_towards(x, -ACTIVATION_LIMIT, ACTIVATION_LIMIT)


def _ones(rank):
  return [-1, *[1] * (rank - 1)]
