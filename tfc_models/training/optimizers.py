"""The optimizers that training can be told to use."""

import tensorflow as tf

from tfc_models.training.soap import Soap

OPTIMIZERS = {"adam": tf.keras.optimizers.Adam, "soap": Soap}


def create(options):
  """Returns the Keras optimizer of `configs.options.OptimizerOptions`."""
  return OPTIMIZERS[options.optimizer](
      options.learning_rate, beta_1=options.beta_1, beta_2=options.beta_2,
      epsilon=options.epsilon, global_clipnorm=options.clip_norm or None)
