"""Small-image codecs of the project VRIC (Oller, Scherk, Barcelona 2017)."""

import tensorflow as tf

from tfc_models import registry
from tfc_models.layers.rnn_cells import ConvLSTM
from tfc_models.models.families.recurrent import RecurrentModel
from tfc_models.transforms.recurrent import (
    AlongRaster,
    DepthToSpace,
    Patchwise,
    RecurrentStack,
    SpaceToDepth,
)

NETWORKS = ("fc", "fc_residual", "conv_residual", "lstm", "lstm_residual")
# What the convolutions without padding make of a patch of 32x32: 6x6.
_CONV_PATCH, _CONV_BOTTOM = 32, 6


@registry.register("vric")
class Vric(RecurrentModel):
  """Codes patches on their own, in passes that each code what is left.

  "fc" and "lstm" have one pass; the state of the latter goes from patch to patch
  in raster order. "fc_residual" and "conv_residual" have networks of their own for
  each pass, those of "lstm_residual" are shared and keep a state.

      bits per pixel = code_depth * iterations / patch**2

  Args:
    network: one of `NETWORKS`.
    patch: side of the patches in pixels; 32 for "conv_residual".
    code_depth: bits a patch and pass.
    iterations: passes.
    width: units of the fully connected layers; the convolutions have 1/8, 1/2, 1
      and 1/4, 1/8, 1/64 of it.
    stochastic: see `SignCodec`; the authors' code takes the sign, their slides
      the stochastic binarizer.

  Source: M. Oller Oliveras, A. Scherk Fontanals, "VRIC: Variable rate image
    compression with recurrent neural networks", course project, Barcelona, 2017,
    after Toderici et al., ICLR 2016.
  Departs: streams are ordered by pass, then by patch, so that a prefix is a
    picture. All patches are trained at once, not one position a step.
  """

  downsampling_factor = 32
  span = 2.0

  def __init__(self, *, network="fc_residual", patch=8, code_depth=16,
               iterations=4, width=512, stochastic=True):
    if network not in NETWORKS:
      raise ValueError(
          f"`network` must be one of {NETWORKS}, got {network!r}.")
    if network == "conv_residual" and patch != _CONV_PATCH:
      raise ValueError(
          f"`patch` of conv_residual must be {_CONV_PATCH}, got {patch}.")
    if network in ("fc", "lstm") and iterations != 1:
      raise ValueError(
          f"`iterations` of {network} must be 1, got {iterations}.")
    super().__init__(
        iterations, "additive", code_depth, patch, stochastic=stochastic)
    self.downsampling_factor = patch
    make = {
        "fc": _fc, "fc_residual": _fc, "conv_residual": _conv, "lstm": _lstm,
        "lstm_residual": _lstm_residual}[network]
    count = 1 if network == "lstm_residual" else iterations
    pairs = [make(patch, code_depth, width) for _ in range(count)]
    self.encoders = [RecurrentStack(encoder) for encoder, _ in pairs]
    self.decoders = [RecurrentStack(decoder) for _, decoder in pairs]


def _dense(units, activation="tanh"):
  # Of a patch, which is a site by now.
  return tf.keras.layers.Dense(units, activation)


def _fc(patch, bits, width):
  return (
      [SpaceToDepth(patch), *(_dense(width) for _ in range(3)), _dense(bits)],
      [*(_dense(width) for _ in range(3)), _dense(3 * patch**2, None),
       DepthToSpace(patch)])


def _lstm_residual(patch, bits, width):
  return (
      [SpaceToDepth(patch), _dense(width), ConvLSTM(width, 1),
       ConvLSTM(width, 1), _dense(bits)],
      [_dense(width), ConvLSTM(width, 1), ConvLSTM(width, 1),
       _dense(3 * patch**2), DepthToSpace(patch)])


def _lstm(patch, bits, width):
  def along():
    return AlongRaster(tf.keras.layers.LSTM(width, return_sequences=True))

  return (
      [SpaceToDepth(patch), _dense(width), along(), along(), _dense(bits)],
      [_dense(width), along(), along(), _dense(3 * patch**2),
       DepthToSpace(patch)])


def _conv(patch, bits, width):
  conv, transpose = tf.keras.layers.Conv2D, tf.keras.layers.Conv2DTranspose
  bottom = (_CONV_BOTTOM, _CONV_BOTTOM, width)
  encoder = tf.keras.Sequential([
      conv(width // 8, 4, 2, activation="tanh"),
      conv(width // 2, 3, activation="tanh"),
      conv(width, 3, 2, activation="tanh"),
      tf.keras.layers.Flatten(), _dense(8 * bits), _dense(bits)])
  decoder = tf.keras.Sequential([
      _dense(8 * bits), _dense(_CONV_BOTTOM**2 * width),
      tf.keras.layers.Reshape(bottom),
      transpose(width // 4, 3, 2, activation="tanh"),
      transpose(width // 8, 3, 2, activation="tanh"),
      transpose(width // 64, 3, activation="tanh"),
      transpose(3, 4, activation="tanh")])
  return ([Patchwise(encoder, patch, 1)], [Patchwise(decoder, 1, patch)])
