"""What an encoder that refines symbols works with: the scene, where it is, its choice."""

from typing import NamedTuple, Optional

import tensorflow as tf

from tfc_models.entropy_models import Given


class Scene(NamedTuple):
  """What the decoder should show, and what it shows besides y_hat.

  Attributes:
    x: (B, H, W, 3) in [0, 1].
    around: where y is a tile, the latent of a window around it; otherwise None.
    place: int32 (4,): row and column of y in `around`, of x in the picture of that.
  """

  x: tf.Tensor
  around: Optional[tf.Tensor] = None
  place: Optional[tf.Tensor] = None

  def shown(self, synthesize, y_hat, told):
    """Returns x_hat, shaped like x, of y_hat."""
    if self.around is None:
      return synthesize(y_hat, *told)
    row, column, top, left = tf.unstack(self.place, 4)
    bottom, right = row + tf.shape(y_hat)[1], column + tf.shape(y_hat)[2]
    middle = self.around[:, row:bottom]
    y_hat = tf.concat([middle[:, :, :column], y_hat, middle[:, :, right:]], axis=2)
    y_hat = tf.concat(
        [self.around[:, :row], y_hat, self.around[:, bottom:]], axis=1)
    size = tf.shape(self.x)
    return synthesize(y_hat, *told)[
        :, top:top + size[1], left:left + size[2]]


class State(NamedTuple):
  """Where an encoder is, and the best that it has seen.

  Attributes:
    y_target, z_target: what is to be rounded.
    y_hat, z_hat: what was rounded last.
    params: of the codec of y, given z_hat.
    bits: of both, (B,).
    side_bits: those of z_hat; 0 without.
    coded: list of `Coded` of y_hat; None where that is left to the end.
    best_loss, best_y_hat, best_z_hat, best_coded: of all whose D is known, those with
      the least bits + D, (B,).
    safe_target, safe_wanted: y_t of the best that a step of y began with, and where it
      led; to go back to.
    caution: factor on eta of y, (B,).

  Without side information z is None.
  """

  y_target: tf.Tensor
  z_target: Optional[tf.Tensor]
  y_hat: tf.Tensor
  z_hat: Optional[tf.Tensor]
  params: object
  bits: tf.Tensor
  side_bits: tf.Tensor
  coded: Optional[list]
  best_loss: tf.Tensor
  best_y_hat: tf.Tensor
  best_z_hat: Optional[tf.Tensor]
  best_coded: Optional[list]
  safe_target: tf.Tensor
  safe_wanted: tf.Tensor
  caution: tf.Tensor


class Weights(NamedTuple):
  """What a step is told, tensors.

  Attributes:
    lmbda: bits that a squared error of 1, on 0..255, of a sample of x_hat is worth.
    worth: w, which broadcasts to y.
    rate, side, factor: see `Pace`.
  """

  lmbda: tf.Tensor
  worth: tf.Tensor
  rate: tf.Tensor
  side: tf.Tensor
  factor: tf.Tensor


class Choice(NamedTuple):
  """What an encoder has decided for.

  Attributes:
    given: `Given`, what is left of the codec to code.
    y: to be rounded.
    more: how, keyword arguments for methods of `given`.
    coded: what comes of it, as far as that is known.
  """

  given: Given
  y: tf.Tensor
  more: dict
  coded: Optional[list] = None

  def price(self):
    """Returns y_hat and a dict from latent to bits, (B,)."""
    return self.given.price(self.y, **self.more)

  def symbols(self):
    """Returns a list of `Coded`, one a string."""
    if self.coded is not None:
      return [*self.given.coded, *self.coded]
    return self.given.symbols(self.y, **self.more)[0]
