"""A toy codec of variable rate."""

import tensorflow as tf

from tests.conformance.toys import averages
from tfc_models.configs import common
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings

NAME = "toy-gains"

# The quality that nothing else says, and how much more of it doubles lmbda.
QUALITY, OCTAVE = 50, 12.5
# Training draws lmbda from so many octaves on either side of the default.
SPREAD = 3.0


class Toy(averages.Toy):
  """Quantises more finely the higher the quality.

  The step of a quantiser is best where its square is in proportion to 1 / lmbda.
  """

  capabilities = frozenset(["quality"])

  def draw_lmbda(self, noise):
    octaves = noise.uniform(tf.zeros_like(noise.samples, tf.float32), "lmbda")
    return self.controls.lmbda * 2.0 ** (2.0 * SPREAD * octaves)

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    gain = self.gain(settings.quality)
    if context.lmbda is not None:
      gain = tf.sqrt(context.lmbda / self.controls.lmbda)
      gain = tf.reshape(gain, [-1, 1, 1, 1])
    y_hat, bits = self.y_codec(gain * self.analyze(x), noise=context.noise)
    return base.ModelOutput(self.synthesize(y_hat / gain), bits)

  def encode(self, x, settings):
    strings, _ = self.y_codec.compress(
        self.gain(settings.quality) * self.analyze(x))
    return [base.latent_chunk(strings)]

  def decode(self, chunks, header):
    strings = base.latent_strings(chunks, 1)
    y_hat = self.y_codec.decompress(strings, self.latent_shape(header, 4, 3))
    return self.synthesize(y_hat / self.gain(header.settings.get("quality")))

  def gain(self, quality):
    """Returns the factor of the latent at a quality."""
    return 2.0 ** (((quality or QUALITY) - QUALITY) / OCTAVE / 2.0)


def get_config():
  """Returns the recipe."""
  return common.tiny(common.base(NAME, step=16.0))
