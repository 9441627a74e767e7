"""Learning rate schedules by name."""

import tensorflow as tf

from tfc_models.errors import UsageError

# Where the cosine ends, as a fraction of where it starts.
COSINE_FLOOR = 0.01


def create(name, learning_rate, steps):
  """Returns a learning rate for Keras optimizers.

  Args:
    name: "constant", or "cosine": falls along half a cosine to a hundredth.
    learning_rate: at the start.
    steps: length of training.

  Raises:
    UsageError: if the name is unknown.
  """
  if name == "constant":
    return learning_rate
  if name == "cosine":
    return tf.keras.optimizers.schedules.CosineDecay(
        learning_rate, steps, alpha=COSINE_FLOOR)
  raise UsageError(
      f"train.schedule must be 'constant' or 'cosine', got {name!r}")
