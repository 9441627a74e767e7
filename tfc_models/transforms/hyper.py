"""Transforms of the scale hyperprior: y to z, z to what prices y."""

import tensorflow as tf


def analysis(num_filters, name="hyper_analysis_transform"):
  """Returns |y| to z, down by 4.

  Source: Balle et al., ICLR 2018, arXiv:1802.01436, figure 4.
  """
  conv = tf.keras.layers.Conv2D
  return tf.keras.Sequential([
      conv(num_filters, 3, 1, padding="same", activation="relu", name="conv_0"),
      conv(num_filters, 5, 2, padding="same", activation="relu", name="conv_1"),
      conv(num_filters, 5, 2, padding="same", name="conv_2"),
  ], name=name)


def synthesis(num_filters, latent_depth, name="hyper_synthesis_transform"):
  """Returns z_hat to one number per element of y, up by 4.

  Source: Balle et al., ICLR 2018, arXiv:1802.01436, figure 4.
  Departs: the last layer is linear and means the index of a scale on a log
    axis; the paper's ends in a ReLU and means the scale.
  """
  conv = tf.keras.layers.Conv2D
  up = tf.keras.layers.Conv2DTranspose
  return tf.keras.Sequential([
      up(num_filters, 5, 2, padding="same", activation="relu", name="conv_0"),
      up(num_filters, 5, 2, padding="same", activation="relu", name="conv_1"),
      conv(latent_depth, 3, 1, padding="same", name="conv_2"),
  ], name=name)
