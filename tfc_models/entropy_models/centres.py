"""Symbols that stand for centres: the nearest one, with the gradient of all."""

import abc

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.symbol_codec import SymbolCodec


class CentresCodec(SymbolCodec, abc.ABC):
  """Quantises to the nearest of L centres; a subclass prices and codes which one.

  Gradients of y_hat in training are those of the centres weighed by
  softmax_j(-sharpness (y - c_j)^2).

  Args:
    centres: (L,) floats to start from.
    sharpness: sigma in the paper.
    name: see `LatentCodec`.
    learned: whether the centres are trained.

  Source: Mentzer, Agustsson, Tschannen, Timofte, Van Gool, "Conditional probability
    models for deep image compression", CVPR 2018, arXiv:1801.04260, section 3.2.
  """

  fixed_grid = True
  random = False

  def __init__(self, centres, sharpness=1.0, name="y", learned=True):
    super().__init__(name, "round")
    self.centres = np.float32(centres)
    if learned:
      self.centres = tf.Variable(self.centres, name="centres")
    self.sharpness = sharpness

  def on_grid(self, y):
    """Returns the nearest centres."""
    return tf.gather(self.centres, self._nearest(y))

  def noisy(self, y, noise):
    """Returns the nearest centres, without gradients."""
    del noise
    return tf.stop_gradient(self.on_grid(y))

  def quantize(self, y, params=None):
    return self.on_grid(y), tf.cast(self._nearest(y), tf.float32)

  def reconstruct(self, symbols, params=None):
    # A damaged stream may say what is none.
    return tf.gather(
        self.centres, tf.clip_by_value(symbols, 0, self.centres.shape[0] - 1))

  def _soft(self, y):
    """Returns what each centre weighs, (N, L), of all N elements of y."""
    distances = self._distances(y)
    # In two dimensions: a softmax takes few.
    return tf.nn.softmax(
        -self.sharpness * tf.reshape(distances, [-1, distances.shape[-1]]))

  def _with_soft_gradient(self, y_hat, y):
    """Returns y_hat, whose gradients are those of the weighed centres."""
    soft = tf.reshape(tf.linalg.matvec(self._soft(y), self.centres), tf.shape(y))
    return soft + tf.stop_gradient(y_hat - soft)

  def _nearest(self, y):
    return tf.argmin(self._distances(y), axis=-1, output_type=tf.int32)

  def _distances(self, y):
    return tf.square(y[..., None] - self.centres)
