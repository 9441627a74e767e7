"""A toy editor: tables that are learned, and nothing else."""

import tensorflow as tf

from tfc_models.configs import common
from tfc_models.modeling.editor import Edited, EditorModel
from tfc_models.modeling.model import ModelOutput
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.ops import jpeg

NAME = "toy-editor"
KIND = "editor"


class Toy(EditorModel):
  """Learns the steps of 8x8 frequencies, of Y and of the two others.

  Args:
    step: of the mean of Y at the start; those of higher frequencies, and of Cb and
      Cr, are larger, and no two frequencies have the same.
  """

  def __init__(self, *, step):
    super().__init__()
    frequency = tf.range(8.0)
    growth = 1.0 + (frequency[:, None] + 8.0 * frequency) / 32.0
    self.log_steps = tf.Variable(
        tf.math.log(step * tf.stack([growth, 1.5 * growth])))

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    steps = tf.exp(self.log_steps)
    if context.noise is None:
      steps = self.tables()
    c = jpeg.coefficients_of(x) / _of_planes(steps)
    if context.noise is None:
      c = tf.round(c)
    else:
      c += context.noise.uniform(c, "jpeg")
    # About what Huffman codes of a size and the bits behind it take.
    bits = tf.reduce_sum(3.3 * tf.math.log1p(4.0 * tf.abs(c)), range(1, 6))
    return ModelOutput(
        jpeg.image_of(c * _of_planes(steps)), {"jpeg": bits})

  def edit(self, x, settings):
    steps = self.tables()
    return Edited(tf.round(jpeg.coefficients_of(x) / _of_planes(steps)), steps)

  def tables(self):
    """Returns the steps as a file holds them."""
    return tf.clip_by_value(tf.round(tf.exp(self.log_steps)), 1.0, 255.0)


def _of_planes(steps):
  """Returns steps, (2, 8, 8), as (3, 8, 8): Cb and Cr share theirs."""
  return tf.gather(steps, [0, 1, 1])


def get_config():
  """Returns the recipe."""
  return common.tiny(common.base(NAME, step=16.0))
