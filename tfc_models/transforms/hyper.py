"""Transforms of the scale hyperprior: y to z, z to what prices y."""

import functools

import tensorflow as tf

from tfc_models.layers import Centred, ExactConv2D, ExactConv2DTranspose


def analysis(num_filters, slope=0.0, name="hyper_analysis_transform", centred=False):
  """Returns |y|, or y, to z, down by 4.

  Args:
    num_filters: N, of each layer.
    slope: of what is negative: 0, ReLU, in Balle et al., who take |y|; more,
      leaky ReLU, in Minnen et al., who take y.
    centred: how windows lie, see `layers.Centred`.

  Source: Balle et al., ICLR 2018, arXiv:1802.01436, figure 4.
  Departs: Minnen et al. do not state their slope. Our weights have 0.2, TensorFlow's
    default; CompressAI has 0.01.
  """
  activation = functools.partial(tf.nn.leaky_relu, alpha=slope) if slope else "relu"
  conv = tf.keras.layers.Conv2D
  return (Centred if centred else tf.keras.Sequential)([
      conv(num_filters, 3, 1, padding="same", activation=activation, name="conv_0"),
      conv(num_filters, 5, 2, padding="same", activation=activation, name="conv_1"),
      conv(num_filters, 5, 2, padding="same", name="conv_2"),
  ], name=name)


def synthesis(widths, out_bits, input_limit, exact=True, activation=None,
              hidden="leaky", name="hyper_synthesis_transform", centred=False):
  """Returns the integers z_hat to integers that price y, up by 4.

  Equal on every machine, so that they may select the tables of y.

  Args:
    widths: of the two hidden layers: (N, N) in Balle et al., (M, 3 M / 2) in
      Minnen et al.
    out_bits: one for each output channel, see `layers.exact` and
      `entropy_models.integer_bits`.
    input_limit: the largest absolute value in z_hat.
    exact: see `layers.exact`.
    activation: of the last layer: None, or "clip" if another network follows.
    hidden: activation of the others, see `layers.exact`.
    centred: how windows lie, see `layers.Centred`; such a network adds medians.

  Source: Balle et al., ICLR 2018, arXiv:1802.01436, figure 4; with means:
    Minnen, Balle, Toderici, NeurIPS 2018, arXiv:1809.02736, table 1.
  Departs: an integer network (`layers.exact`), of our own weights with leaky ReLU of
    slope 1/4; their last layer is linear and means the index of a scale on a log
    axis, the papers' means the scale. `models.families.origin` has the differences.
  """
  kind, options = (Centred, {"medians": True}) if centred else (tf.keras.Sequential, {})
  return kind([
      ExactConv2DTranspose(
          widths[0], 5, 2, activation=hidden, in_bits=0, input_limit=input_limit,
          exact=exact, name="conv_0"),
      ExactConv2DTranspose(
          widths[1], 5, 2, activation=hidden, exact=exact, name="conv_1"),
      ExactConv2D(len(out_bits), 3, activation=activation, out_bits=out_bits,
                  exact=exact, name="conv_2"),
  ], name=name, **options)
