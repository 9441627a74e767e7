"""The entropy coder of progressive codecs: a recurrent network predicts the bits."""

from typing import NamedTuple, Optional

import tensorflow as tf

from tfc_models.entropy_models import (
    LOGIT_BITS,
    AutoregressiveCodec,
    BernoulliCodec,
    SignParams,
)
from tfc_models.layers import Lookup, as_real
from tfc_models.transforms import sign_predictor


class Past(NamedTuple):
  """What is known of the iterations so far.

  Attributes:
    seen: (B, H, W, depth), what they say about the next; None before the first.
    state: of `transforms.sign_predictor.CodeMemory`.
  """

  seen: Optional[tf.Tensor] = None
  state: Optional[tuple] = None


class BinaryRNN(tf.keras.layers.Layer):
  """Codes the signs of iteration t given all before, in it and in those before it.

  Each iteration has a `SignPredictor` and convolutions around it of its own, all
  share a `CodeMemory`. All of integers, so that a stream decodes on every machine.
  It learns from the codes of transforms that are trained already, and leaves those
  alone: no gradient goes back.

  Args:
    iterations: how many there are at most.
    depth: signs of a site.
    width: channels of all layers, 64 in the source.
    exact: see `layers.exact`.

  Source: Toderici et al., CVPR 2017, arXiv:1608.05148, section 3.3.
  Departs: integers; the last layer is linear and means log odds, the source's is a
    tanh and means the expected sign.
  """

  def __init__(self, iterations, depth, width, exact=True, name="binary_rnn"):
    super().__init__(name=name)
    self.width = width
    self.tanh, self.sigmoid = Lookup("tanh"), Lookup("sigmoid")
    codec = BernoulliCodec("bits")
    self.signs = codec
    self.memory = sign_predictor.CodeMemory(
        depth, width, self.tanh, self.sigmoid, exact, name="memory")
    self.state_convs, self.predictors, self.code_convs, self.codecs = [], [], [], []
    for t in range(iterations):
      self.predictors.append(sign_predictor.SignPredictor(
          depth, width, LOGIT_BITS, self.tanh, self.sigmoid, exact,
          name=f"predictor_{t}"))
      if t < iterations - 1:
        # What the code says to the next iteration, and how that one looks at it.
        self.code_convs.append([
            sign_predictor.convolution(
                width, 3, self.tanh, in_bits=0, input_limit=1.0, exact=exact,
                name=f"code_conv_{t}_0"),
            sign_predictor.convolution(
                depth, 3, self.tanh, exact=exact, name=f"code_conv_{t}_1")])
        self.state_convs.append(sign_predictor.convolution(
            width, 3, self.tanh, exact=exact, name=f"state_conv_{t}"))
      self.codecs.append(AutoregressiveCodec(
          codec, self.predictors[t], _params, name=f"bits_{t}",
          twin=self.codecs[0] if t else None))

  def call(self, code, t, past, noise=None):
    """Returns the bits of the signs of an iteration, (B,), and the new `Past`.

    Args:
      code: (B, H, W, depth) of -1 and 1.
      t: number of the iteration.
      past: `Past` of the iterations before.
      noise: not None in training.
    """
    code = tf.stop_gradient(code)
    with as_real(noise is not None):
      _, bits = self.codecs[t](code, self._side(t, tf.shape(code), past), noise)
      (bits,) = bits.values()
      return bits, self._after(t, code, past)

  def compress(self, code, t, past, certain=None):
    """Codes an iteration.

    Args:
      code: (B, H, W, depth), activations whose signs are coded.
      t, past: as of `call`.
      certain: (B, H, W, 1) bool or None: where true, the signs become those that
        are predicted, and take no bits.

    Returns:
      strings, a list; the signs; the new `Past`.
    """
    strings, code = self.codecs[t].compress(
        code, self._side(t, tf.shape(code), past, certain))
    return strings, code, self._after(t, code, past)

  def decompress(self, strings, t, shape, past, certain=None):
    """Returns the signs, and the new `Past`; arguments as of `compress`.

    Raises:
      DesyncError: if the network came out different from the sender's.
    """
    batch_shape = tf.stack([tf.shape(strings[0])[0], *shape])
    code = self.codecs[t].decompress(
        strings, shape, self._side(t, batch_shape, past, certain))
    return code, self._after(t, code, past)

  def _side(self, t, shape, past, certain=None):
    """Returns the side information of the predictor: what it sees, and `certain`."""
    if past.seen is None:
      seen = tf.zeros([*tf.unstack(shape[:3]), self.width])
    else:
      seen = self.state_convs[t - 1](past.seen)
    if certain is None:
      certain = tf.zeros_like(seen[..., :1])
    return tf.concat([seen, tf.cast(certain, tf.float32)], axis=-1)

  def _after(self, t, code, past):
    if t >= len(self.code_convs):
      return past
    x = code
    for layer in self.code_convs[t]:
      x = layer(x)
    return Past(*self.memory(x, past.state))


def _params(outputs):
  return SignParams(outputs[..., :-1], outputs[..., -1:] > 0.5)
