"""Networks of a hyperprior in levels, each half as large a side as the one below.

Source: Hu, Yang, Liu, AAAI 2020, and the authors' code.
"""

import functools

import tensorflow as tf

from tfc_models.layers import (
    ACTIVATION_LIMIT,
    Conv2DTranspose,
    ExactConv2D,
    rounds,
)
from tfc_models.ops import quantize

_SLOPE = 0.2
# Of what a synthesis returns beside its predictions: integers count in 1/16.
FEATURE_UNIT = 2.0**-4


def analysis(first, hidden, depth, name="hyper_analysis_transform"):
  """Returns y to z, half as large a side, that keeps what it sees.

  More channels, then samples of 2x2 sites side by side: nothing is left out before the
  rectifiers, which see one site of z.

  Args:
    first: outputs of the convolution of 3x3.
    hidden: outputs of the two layers of 1x1 with a rectifier.
    depth: channels of z.
  """
  conv = tf.keras.layers.Conv2D
  return tf.keras.Sequential([
      conv(first, 3, padding="same", name="conv_0"),
      tf.keras.layers.Lambda(
          lambda x: tf.nn.space_to_depth(x, 2), name="space_to_depth"),
      conv(hidden, 1, activation="relu", name="conv_1"),
      conv(hidden, 1, activation="relu", name="conv_2"),
      conv(depth, 1, name="conv_3"),
  ], name=name)


class Synthesis(tf.keras.layers.Layer):
  """z_hat to features of twice the size a side, and these to what prices y.

  All of integers, equal on every machine.

  Args:
    in_depth: channels of z. Those behind them are features of the level above, and
      come out beside its own.
    hidden: outputs of the three layers of 1x1, a multiple of 4.
    depth: channels of the features, and of the layers that predict.
    out_bits: one for each output channel, see `entropy_models.integer_bits`.
    in_bits: z_hat is seen in units of 2**-in_bits ...
    input_limit: ... and clipped to so many of them.

  Departs: windows of 5x5 that the authors' prediction looks at have zeros around them,
    and steps of 2; these are convolutions of all sites at once, which see 7x7. Integers;
    leaky ReLU has a slope of 1/4, theirs 1/5.
  """

  def __init__(self, in_depth, hidden, depth, out_bits, in_bits=0,
               input_limit=ACTIVATION_LIMIT, name="hyper_synthesis_transform"):
    super().__init__(name=name)
    self.in_depth = in_depth
    self.in_bits = in_bits
    self.input_limit = input_limit
    self.expansion = [
        ExactConv2D(hidden, 1, activation="clip", in_bits=in_bits,
                    input_limit=input_limit, name="conv_0"),
        ExactConv2D(hidden, 1, activation="relu", name="conv_1"),
        ExactConv2D(hidden, 1, activation="relu", name="conv_2")]
    self.features = ExactConv2D(depth, 3, activation="clip", name="conv_3")
    self.prediction = [ExactConv2D(depth, 3, name=f"prediction_{n}") for n in range(3)]
    self.prediction.append(ExactConv2D(
        len(out_bits), 1, activation=None, out_bits=out_bits, name="prediction_3"))

  def call(self, z_hat):
    """Returns integers, (B, 2 H, 2 W, len(out_bits)), and all features, in 1/16."""
    z_hat, above = z_hat[..., :self.in_depth], z_hat[..., self.in_depth:]
    x = z_hat * 2.0**self.in_bits
    if rounds(True):
      x = quantize.round_straight_through(x)
    x = quantize.clip_towards(x, -self.input_limit, self.input_limit)
    for layer in self.expansion:
      x = layer(x)
    x = features = self.features(tf.nn.depth_to_space(x, 2))
    for layer in self.prediction:
      x = layer(x)
    if above.shape[-1]:
      features = tf.concat([features, tf.nn.depth_to_space(above, 2)], axis=-1)
    return x, features


class Aggregation(tf.keras.layers.Layer):
  """What side information adds to an image whose features at half its size are known.

      features at 1/16 -> up -> up -> up -+
                                          + -> 3 convolutions, residual -> up -> detail
      features of y_hat at 1/2 -----------+

  It adds nothing until training lets it.

  Args:
    width: N, channels of the features at 1/2, and of the layers.
    last: outputs of the last convolutions but one.

  Departs: the last layer of the main path is kept beside, so that both paths add up to
    the image: a start, or trained weights, of the main path are those of `gdn_conv`.
  """

  def __init__(self, width, last=(64, 16), name="aggregation"):
    super().__init__(name=name)
    up = functools.partial(Conv2DTranspose, kernel_size=5, strides=2, padding="same")
    conv = functools.partial(tf.keras.layers.Conv2D, padding="same")
    self.up = [up(width, activation=activation, name=f"up_{number}")
               for number, activation in enumerate([None, _leaky, _leaky])]
    self.fusion = [conv(filters, 3, activation=_leaky, name=f"fusion_{number}")
                   for number, filters in enumerate([width, width, 2 * width])]
    self.detail = [
        up(last[0], name="detail_0"),
        conv(last[1], 3, activation=_leaky, name="detail_1"),
        conv(3, 1, kernel_initializer="zeros", name="detail_2")]

  def call(self, inputs):
    """Returns (B, 16 H, 16 W, 3).

    Args:
      inputs: features of y_hat, (B, 8 H, 8 W, N), and shown ones, (B, H, W, D).
    """
    main, x = inputs
    for layer in self.up:
      x = layer(x)
    x = fused = tf.concat([main, x], axis=-1)
    for layer in self.fusion:
      x = layer(x)
    x += fused
    for layer in self.detail:
      x = layer(x)
    return x


def _leaky(x):
  return tf.nn.leaky_relu(x, _SLOPE)

