"""Keras callbacks."""

import math

import tensorflow as tf

from tfc_models.models import weights


class SaveModel(tf.keras.callbacks.Callback):
  """After each epoch writes a checkpoint and a model that codes.

  Stops training, without saving, once the loss is not finite.

  Args:
    manager: `tf.train.CheckpointManager` of model and optimizer.
    path: weight file to write.
    **facts: kept in the weight file beside the number of steps.

  Attributes:
    not_finite: the loss that stopped training, or None.
  """

  def __init__(self, manager, path, **facts):
    super().__init__()
    self.manager = manager
    self.path = path
    self.facts = facts
    self.not_finite = None

  def on_epoch_end(self, epoch, logs=None):
    if not math.isfinite(logs["loss"]):
      self.not_finite = logs["loss"]
      self.model.stop_training = True
      return
    # The model first: a checkpoint at the last step means that all is done.
    self.save_model(self.model)
    self.manager.save(checkpoint_number=int(self.model.optimizer.iterations))

  def save_model(self, model):
    """Writes the weight file."""
    weights.save(
        model, self.path, steps=int(model.optimizer.iterations), **self.facts)
