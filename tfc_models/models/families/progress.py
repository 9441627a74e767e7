"""What a recurrent codec carries from one iteration to the next."""

import dataclasses
from typing import NamedTuple, Optional

import tensorflow as tf

from tfc_models.models.families.iteration_coder import Past
from tfc_models.models.families.stopping import Tiles


class Progress(NamedTuple):
  """Where an image is between two iterations.

  Attributes:
    x_hat: in the range of the networks; None before the first.
    gain: what the residual is multiplied by and the output divided by, in additive
      models; broadcasts to x_hat.
    encoder, decoder: states of the networks; None before the first.
    past: what the entropy coder knows of the codes so far.
    tiles: those that take no more bits; None in training.
  """

  x_hat: Optional[tf.Tensor] = None
  gain: object = 1.0
  encoder: Optional[list] = None
  decoder: Optional[list] = None
  past: Past = Past()
  tiles: Optional[Tiles] = None

  @property
  def is_coding(self):
    """Whether a file is written or read, without gradients."""
    return self.tiles is not None

  def flat(self):
    """Returns the tensors in it, a list, of two iterations but the first alike."""
    return tf.nest.flatten(self._nested())

  def filled(self, tensors):
    """Returns what `flat` gives `tensors` of."""
    found = tf.nest.pack_sequence_as(self._nested(), tensors)
    return found._replace(
        tiles=dataclasses.replace(self.tiles, stopped=found.tiles))

  def _nested(self):
    return self._replace(tiles=self.tiles.stopped)
