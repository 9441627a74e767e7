"""Importance map in front of a factorized prior (Graham and Decoto; Li et al. 2018)."""

import numpy as np
import tensorflow as tf

from tfc_models import registry
from tfc_models.entropy_models import (
    LIMIT,
    AutoregressiveCodec,
    FactorizedCodec,
    ImportanceCodec,
    LevelCodec,
    MaskedCodec,
)
from tfc_models.layers import GDN, PlainBlock
from tfc_models.models.families.transform_model import TransformModel
from tfc_models.transforms import gdn_conv
from tfc_models.transforms.importance import Importance, LevelContext

# Bits that a squared error of 1 in y is worth; found on weights of `bmshj2018-factorized`
# at lmbda 0.013, where 13 to 24 do as well. (Its start scales y alike for every lmbda.)
_WORTH = 16.0


@registry.register("balle-li")
class BalleLi(TransformModel):
  """The factorized prior, of as many channels at a site as a map says.

      x -> analysis -> y ------> mask -> round -> [y string] -> y_hat -> synthesis -> x_hat
                       |          ^
                       +-> t in 0..L -> round -> [map string]

  Args:
    num_filters: N, width of the hidden layers.
    latent_depth: M, channels of y.
    levels: L, of which M is a multiple; 0 keeps all channels of all sites, without a
      map: the baseline of the poster.
    searched: whether the sender looks for the best level of each site, instead of a
      network that says it.
    deeper: whether a residual block precedes each strided convolution but the first.

  Source: B. Graham, J. Decoto, "Deep neural networks for image compression", poster,
    Stanford; the map: Li, Zuo, Gu, Zhao, Zhang, "Learning convolutional networks for
    content-weighted image compression", CVPR 2018, arXiv:1703.10553; all else:
    `bmshj2018-factorized`.
  Departs: the poster gives no layers; these are of our making. Its rate lacks a sign, and
    is bpp here. The map is coded by learned tables that its neighbours choose. A
    `searched` map has no network.
  """

  downsampling_factor = 16

  def __init__(self, *, num_filters=128, latent_depth=192, levels=16, deeper=False,
               searched=False):
    analysis = gdn_conv.analysis_5x5(num_filters, latent_depth)
    codec = FactorizedCodec(latent_depth, name="y", limit=LIMIT, certain=bool(levels))
    if levels:
      context = LevelContext(levels)
      map_codec = LevelCodec(levels, np.arange(context.contexts) // context.ways)
      codec = ImportanceCodec(
          None if searched else Importance(),
          AutoregressiveCodec(map_codec, context, lambda outputs: outputs, name="map_walk"),
          MaskedCodec(codec), levels, latent_depth, _WORTH)
    super().__init__(
        _deeper(analysis, num_filters) if deeper else analysis,
        gdn_conv.synthesis_5x5(num_filters), codec, 16, latent_depth, gdn_conv)


def _deeper(analysis, filters):
  """Returns the layers of an analysis, with a residual block behind each GDN."""
  layers = []
  for layer in analysis.layers:
    layers.append(layer)
    if isinstance(layer, GDN):
      layers.append(PlainBlock(
          filters, tf.nn.leaky_relu, layer.name.replace("gdn", "block")))
  return tf.keras.Sequential(layers, name=analysis.name)
