"""Variable rate thumbnails with recurrent networks (Toderici et al., ICLR 2016)."""

import tensorflow as tf

from tfc_models import registry
from tfc_models.layers.rnn_cells import ConvLSTM
from tfc_models.models.families.recurrent import RecurrentModel
from tfc_models.transforms.recurrent import (
    DepthToSpace,
    RecurrentStack,
    SpaceToDepth,
)

NETWORKS = ("fc_residual", "fc_lstm", "conv_residual", "conv_lstm")
PATCH = 8


@registry.register("toderici2016")
class Toderici2016(RecurrentModel):
  """Codes the residual of each iteration with one of the paper's four networks.

  "fc_residual" and "fc_lstm" see patches of 8x8 on their own, "conv_residual" and
  "conv_lstm" images of any size. The LSTM networks keep a state, so all iterations
  share their weights and each predicts the whole patch (one shot); the residual
  ones add up what each iteration predicts of the residual. With `Settings.tile_psnr`
  patches on their own take as many iterations as each needs.

  Args:
    network: one of `NETWORKS`.
    iterations: 16 in the paper.
    code_depth: bits a site and iteration: sites of all networks are 8 pixels
      apart, so that 4 bits are 1/16 bpp, and 16 iterations 128 bytes of a 32x32
      image.
    width: units of the fully connected layers; convolutions have 1/8, 1/2 and
      1 of it on the way down and 1, 1, 1/2, 1/4 on the way up.
    reconstruction: "one_shot" or "additive"; None for what the network has in
      the paper.
    distinct: whether each iteration of a residual network has weights of its own.
    residual_scale: later iterations of additive networks see the residual times
      this, and their outputs are divided by it.

  Source: Toderici, O'Malley, Hwang, Vincent, Minnen, Baluja, Covell, Sukthankar,
    "Variable rate image compression with recurrent neural networks", ICLR 2016,
    arXiv:1511.06085.
  Departs: widths of the convolutional networks are those of the authors' paper of
    2017; up-sampling is a convolution and depth-to-space, as there, not a
    transposed convolution.
  """

  downsampling_factor = 32

  def __init__(self, *, network="conv_lstm", iterations=16, code_depth=4,
               width=512, reconstruction=None, distinct=True,
               residual_scale=10.0):
    if network not in NETWORKS:
      raise ValueError(
          f"`network` must be one of {NETWORKS}, got {network!r}.")
    recurrent = network.endswith("lstm")
    if reconstruction is None:
      reconstruction = "one_shot" if recurrent else "additive"
    super().__init__(
        iterations, reconstruction, code_depth, PATCH, residual_scale)
    if network.startswith("fc"):
      self.downsampling_factor = PATCH
    make_encoder, make_decoder = {
        "fc_residual": (_fc_encoder, _fc_decoder),
        "fc_lstm": (_fc_lstm_encoder, _fc_lstm_decoder),
        "conv_residual": (_conv_encoder, _conv_decoder),
        "conv_lstm": (_conv_lstm_encoder, _conv_lstm_decoder),
    }[network]
    count = iterations if distinct and not recurrent else 1
    self.encoders = [
        RecurrentStack([*make_encoder(width), _conv(code_depth, name="code")])
        for _ in range(count)]
    self.decoders = [RecurrentStack(make_decoder(width)) for _ in range(count)]


def _conv(filters, kernel_size=1, strides=1, activation="tanh", name=None):
  return tf.keras.layers.Conv2D(
      filters, kernel_size, strides, "same", activation=activation, name=name)


def _fc_encoder(width):
  # A fully connected layer of a patch is a 1x1 convolution of patches.
  return [SpaceToDepth(PATCH), *(_conv(width) for _ in range(3))]


def _fc_decoder(width):
  return [*(_conv(width) for _ in range(3)),
          _conv(3 * PATCH**2, activation=None), DepthToSpace(PATCH)]


def _fc_lstm_encoder(width):
  return [SpaceToDepth(PATCH), _conv(width), ConvLSTM(width, 1),
          ConvLSTM(width, 1)]


def _fc_lstm_decoder(width):
  return [ConvLSTM(width, 1), ConvLSTM(width, 1), _conv(3 * PATCH**2),
          DepthToSpace(PATCH)]


def _conv_encoder(width):
  return [_conv(width // 8, 3, 2), _conv(width // 2, 3, 2), _conv(width, 3, 2)]


def _conv_decoder(width):
  layers = [_conv(width)]
  for filters in (width, width // 2, width // 4):
    layers += [_conv(filters, 3), DepthToSpace(2)]
  return [*layers, _conv(3, activation=None)]


def _conv_lstm_encoder(width):
  return [_conv(width // 8, 3, 2), ConvLSTM(width // 2, 3, 2),
          ConvLSTM(width, 3, 2)]


def _conv_lstm_decoder(width):
  layers = [_conv(width)]
  for filters in (width, width // 2, width // 4):
    layers += [ConvLSTM(filters, 3), DepthToSpace(2)]
  return [*layers, _conv(3)]
