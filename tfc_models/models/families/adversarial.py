"""What codecs that are trained against a discriminator have in common."""

import abc

import tensorflow as tf

from tfc_models.ops import image as image_ops


class Adversarial(abc.ABC):
  """Of a model that is trained to pass its images off as originals; named before it.

  The attribute `discriminator` holds the network that tells them apart. With
  `train.adversarial` at 0 training leaves it alone: the first of two stages, which the
  second starts from.

  Both networks take their steps on the same images and from the same weights.
  """

  networks = {"main": (), "discriminator": ("discriminator",)}
  training_only = ("discriminator",)
  figure_names = ("g_loss", "d_loss")

  @abc.abstractmethod
  def adversarial_losses(self, x, output, training):
    """Returns the scalar losses of the generator, unweighted, and the discriminator.

    Args:
      x: (B, H, W, 3) float in [0, 1], the originals.
      output: `ModelOutput` of them.
      training: as in Keras, for the discriminator.
    """

  def update(self, x):
    if not self.adversarial:
      zero = tf.zeros([])
      return dict(super().update(x), g_loss=zero, d_loss=zero)
    x = image_ops.to_float(x)
    context = self.training_context(tf.shape(x)[0])
    with tf.GradientTape(persistent=True) as tape:
      output = self(x, training=True, context=context)
      loss, figures = self.objective(x, output, context)
      g_loss, d_loss = self.adversarial_losses(x, output, training=True)
      loss += self.adversarial * g_loss
    norm = self.minimize(loss, tape)
    self.minimize(d_loss, tape, "discriminator")
    return dict(figures, gradient_norm=norm, g_loss=g_loss, d_loss=d_loss)


def cross_entropy(real, fake):
  """Returns the losses of a generator and a discriminator that gives log odds.

  Args:
    real, fake: log odds of originals and of decoded images, of any shape.

  Source: Goodfellow et al., "Generative adversarial nets", NeurIPS 2014,
    arXiv:1406.2661, equation 1, with the generator's loss that does not saturate.
  """
  def mean(logits):
    return tf.reduce_mean(tf.nn.softplus(logits))

  return mean(-fake), mean(-real) + mean(fake)


def least_squares(real, fake):
  """Returns the losses of a generator and a discriminator that strives for 1 and 0.

  Args:
    real, fake: what it gives for originals and decoded images, of any shape.

  Source: Mao et al., "Least squares generative adversarial networks", ICCV 2017,
    arXiv:1611.04076, equation 9, without its halves.
  """
  def mean(outputs, wanted):
    return tf.reduce_mean(tf.square(outputs - wanted))

  return mean(fake, 1.0), mean(real, 1.0) + mean(fake, 0.0)
