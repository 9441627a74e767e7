"""A toy codec that is trained against a discriminator."""

import tensorflow as tf

from tests.conformance.toys import averages
from tfc_models.configs import common
from tfc_models.ops import image as image_ops

NAME = "toy-gan"


class Toy(averages.Toy):
  """The toy codec, whose images a discriminator shall take for originals.

  Args:
    step: as of `averages.Toy`.
    weight: of the adversarial loss, beside lmbda of the distortion.

  Source: Mao et al., "Least squares generative adversarial networks", ICCV 2017,
    arXiv:1611.04076, equation 9.
  """

  networks = {"main": (), "discriminator": ("discriminator",)}
  training_only = ("discriminator",)
  figure_names = ("d_loss", "g_loss")

  def __init__(self, *, step, weight=0.1):
    super().__init__(step=step)
    self.weight = weight
    self.discriminator = tf.keras.Sequential([
        tf.keras.layers.Conv2D(4, 3, 2, activation="elu"),
        tf.keras.layers.Conv2D(1, 3, 2)])

  def build_training_variables(self):
    self.discriminator(tf.zeros((1, 16, 16, 3)))

  def update(self, x):
    x = image_ops.to_float(x)
    context = self.training_context(tf.shape(x)[0])
    with tf.GradientTape(persistent=True) as tape:
      output = self(x, training=True, context=context)
      loss, figures = self.objective(x, output, context)
      real, fake = self.discriminator(x), self.discriminator(output.x_hat)
      g_loss = tf.reduce_mean(tf.square(fake - 1.0))
      d_loss = tf.reduce_mean(tf.square(real - 1.0) + tf.square(fake))
      loss += self.weight * g_loss
    norm = self.minimize(loss, tape)
    self.minimize(d_loss, tape, "discriminator")
    return dict(figures, gradient_norm=norm, d_loss=d_loss, g_loss=g_loss)


def get_config():
  """Returns the recipe."""
  config = common.tiny(common.base(NAME, step=16.0))
  config.train.networks = {
      "discriminator": {"learning_rate": 1e-3, "beta_1": 0.5}}
  return config
