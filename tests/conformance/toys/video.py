"""A toy video codec: what was seen before, and averages of what is new."""

import tensorflow as tf

from tfc_models.configs import common
from tfc_models.entropy_models import FactorizedCodec
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings
from tfc_models.modeling.video import VideoModel

NAME = "toy-video"
KIND = "video"


class Toy(VideoModel):
  """Predicts both frames of a group by the last one before it.

  Codes averages of 4x4 blocks of what is left, those of both frames in one latent.

  Args:
    step: quantised values a unit of x.
  """

  downsampling_factor = 4
  group_size = 2
  latents = ("y",)

  def __init__(self, *, step):
    super().__init__()
    self.scale = tf.Variable(step)
    self.y_codec = FactorizedCodec(3, name="y")

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    state, shown, total = None, [], 0.0
    for first in range(0, x.shape[1], self.group_size):
      frames = x[:, first:first + self.group_size]
      y_hat, bits = self.y_codec(
          self.analyze(frames, state), noise=context.noise)
      frames_hat, state = self.synthesize(y_hat, state, frames.shape[1])
      shown.append(frames_hat)
      total += bits["y"]
    return base.ModelOutput(tf.concat(shown, axis=1), {"y": total})

  def encode_group(self, frames, state, settings):
    strings, y_hat = self.y_codec.compress(self.analyze(frames, state))
    return [base.latent_chunk(strings)], *self.synthesize(
        y_hat, state, frames.shape[1])

  def decode_group(self, chunks, header, count, state):
    strings = base.latent_strings(chunks, 1)
    height, width, depth = self.latent_shape(header, 4, 3)
    y_hat = self.y_codec.decompress(strings, [count * height, width, depth])
    return self.synthesize(y_hat, state, count)

  def analyze(self, frames, state):
    """Returns y, (B, T * H / 4, W / 4, 3): the frames one below the other."""
    rest = frames - (0.5 if state is None else state)
    batch, count, height, width, _ = rest.shape
    rest = tf.reshape(rest, [batch, count * height, width, 3])
    return tf.nn.avg_pool2d(rest, 4, 4, "SAME") * self.scale

  def synthesize(self, y_hat, state, count):
    """Returns frames_hat, and the last of them, (B, 1, H, W, 3), as the state."""
    rest = tf.repeat(tf.repeat(y_hat / self.scale, 4, axis=1), 4, axis=2)
    batch, height, width, _ = rest.shape
    rest = tf.reshape(rest, [batch, count, height // count, width, 3])
    frames_hat = rest + (0.5 if state is None else state)
    return frames_hat, frames_hat[:, -1:]


def get_config():
  """Returns the recipe."""
  config = common.tiny(common.base(NAME, step=16.0))
  config.data.frames = 3
  config.data.patch_size = 32
  return config
