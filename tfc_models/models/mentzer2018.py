"""Importance map and 3D context model (Mentzer et al., CVPR 2018)."""

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
  LOGIT_BITS,
  AutoregressiveCodec,
  CategoricalCodec,
  LatentCodec,
)
from tfc_models.entropy_models.symbol_codec import total
from tfc_models.models.families.transform_model import (
  TransformModel,
  first_patches,
)
from tfc_models.ops import probe
from tfc_models.transforms import residual_bn
from tfc_models.transforms.context_3d import Context3D

# Centres start as a grid from its opposite to this.
_LIMIT = 2.0
# At first 88 % of the channels count.
_START = 2.0
_QUIET = 0.1


@registry.register("mentzer2018")
class ConditionalProbability(TransformModel):
  """Six centres a symbol, priced by a 3D convolution of the symbols before.

      x -> encoder -> (map, z) -> z * mask -> nearest of 6 centres -> decoder -> x_hat
                                              [symbols, channel by channel]

  The map is not sent: what it masks becomes the centre that is nearest to zero, which is
  cheap where its neighbours are masked too.

  Args:
    num_filters: n in the paper, width of the encoder and of the decoder.
    latent_depth: C, channels of the code.
    centres: how many there are.
    context_features: k, width of the context model.
    batch_statistics: whether training normalises by the statistics of its batch, or by
      those of the start, see `transforms.residual_bn.Encoder`.

  Source: Mentzer, Agustsson, Tschannen, Timofte, Van Gool, "Conditional probability
    models for deep image compression", CVPR 2018, arXiv:1801.04260, with the layers of
    the authors' code.
  Departs: see `transforms.context_3d`, `transforms.residual_bn` and
    `entropy_models.CategoricalCodec`. No weight decay, and nothing pulls centres to zero.
    Symbols lie in the stream by fronts of equal column + 2 row + 4 channel. Training
    starts as a KLT of 8x8 blocks, loud coefficients of which have several channels.
  """

  downsampling_factor = 8

  def __init__(self, *, num_filters=128, latent_depth=32, centres=6,
               context_features=24, batch_statistics=True):
    context = Context3D(context_features, centres - 1, LOGIT_BITS)
    super().__init__(
        residual_bn.Encoder(num_filters, latent_depth + 1, batch_statistics),
        residual_bn.Decoder(num_filters, batch_statistics),
        _MappedCodec(AutoregressiveCodec(
            CategoricalCodec(np.linspace(-_LIMIT, _LIMIT, centres)), context,
            lambda outputs: outputs), latent_depth), 8, latent_depth)
    self.context_network = context
    self._step = 2.0 * _LIMIT / (centres - 1)

  def prepare(self, images, lmbda):
    """Starts as a KLT of 8x8 blocks, whatever lmbda is: rates come from the map."""
    self.build_variables()
    residual_bn.start(
        self.analysis_transform, self.synthesis_transform, first_patches(images),
        self.depth, self._step)


class _MappedCodec(LatentCodec):
  """Masks channels by the first of them, and codes the others.

  In training bits count by half as they are, and by half times the mask, which so
  learns what it saves.

  Args:
    codec: `AutoregressiveCodec` of elements.
    depth: C.

  Source: Mentzer et al., sections 3.3 and 3.5.
  """

  def __init__(self, codec, depth):
    super().__init__("y_mapped", codec.reconstruction)
    self.codec = codec
    self._channels = np.arange(depth, dtype=np.float32)

  def leaves(self):
    return self.codec.leaves()

  def parts(self):
    return {"y_codec": self.codec}

  def importance(self, y):
    """Returns how many channels count, (B, H, W, 1), 0 to C."""
    return len(self._channels) * tf.sigmoid(_QUIET * y[..., :1] + _START)

  def __call__(self, y, params=None, noise=None):
    y, mask = self._masked(y)
    y_hat, bits = self.codec.price(y, None, noise)
    if noise is not None:
      bits *= 0.5 * (1.0 + mask)
    (latent,) = self.latents
    return y_hat, {latent: total(bits)}

  def symbols(self, y, params=None):
    return self.codec.symbols(self._masked(y)[0])

  def decode(self, reader, shape, params=None):
    return self.codec.decode(reader, shape)

  def fix_tables(self):
    """Does nothing: there are no tables but those of the codec inside."""

  def _masked(self, y):
    count = self.importance(y)
    probe.note("importance", count / len(self._channels))
    mask = tf.clip_by_value(count - self._channels, 0.0, 1.0)
    return y[..., 1:] * mask, mask
