"""Full resolution images with recurrent networks (Toderici et al., CVPR 2017)."""

import tensorflow as tf

from tfc_models import registry
from tfc_models.layers import rnn_cells
from tfc_models.models.families.recurrent import RecurrentModel
from tfc_models.transforms.recurrent import DepthToSpace, RecurrentStack

CELLS = {
    "gru": rnn_cells.ConvGRU,
    "lstm": rnn_cells.ConvLSTM,
    "associative_lstm": rnn_cells.AssociativeLSTM,
    "residual_gru": rnn_cells.ResidualGRU,
}


@registry.register("toderici2017")
class Toderici2017(RecurrentModel):
  """Codes 32 bits an iteration at each 16x16 pixels: 1/8 bpp, 16 times.

  Args:
    cell: one of `CELLS`.
    reconstruction: "one_shot", "additive" or "scaled".
    iterations: 16 in the paper.
    code_depth: bits a site and iteration.
    width: of the widest layers; others have 1/8 to 1/2 of it.
    binary_rnn_width: see `RecurrentModel`; 64 in the paper, and trained after all
      else.
    residual_scale: see `RecurrentModel`; 1 in the paper.
    stochastic: see `SignCodec`; the coder is trained on the signs that it will see.
    state_kernel: taps a side of the convolutions of the states, except in the last
      two layers of the decoder, which have 3.

  Source: Toderici, Vincent, Johnston, Hwang, Minnen, Shor, Covell, "Full resolution
    image compression with recurrent neural networks", CVPR 2017, arXiv:1608.05148.
  """

  downsampling_factor = 32  # 16 down to the code; a gain is of 32x32 pixels.

  def __init__(self, *, cell="residual_gru", reconstruction="one_shot",
               iterations=16, code_depth=32, width=512,
               state_kernel=1, binary_rnn_width=0, stochastic=True,
               residual_scale=1.0):
    if cell not in CELLS:
      raise ValueError(f"`cell` must be one of {tuple(CELLS)}, got {cell!r}.")
    super().__init__(
        iterations, reconstruction, code_depth, code_factor=16,
        residual_scale=residual_scale, stochastic=stochastic,
        binary_rnn_width=binary_rnn_width)
    make = CELLS[cell]
    self.encoders = [RecurrentStack([
        _conv(width // 8, 3, 2, name="conv"),
        make(width // 2, 3, 2, state_kernel, name="rnn_0"),
        make(width, 3, 2, state_kernel, name="rnn_1"),
        make(width, 3, 2, state_kernel, name="rnn_2"),
        _conv(code_depth, activation="tanh", name="code")])]
    layers = [_conv(width, name="conv")]
    for number, (filters, hidden_kernel_size) in enumerate(
        [(width, state_kernel), (width, state_kernel),
         (width // 2, 3), (width // 4, 3)]):
      layers += [
          make(filters, 3, 1, hidden_kernel_size, name=f"rnn_{number}"),
          DepthToSpace(2)]
    self.decoders = [RecurrentStack(
        [*layers, _conv(3, activation="tanh", name="image")])]
    if reconstruction == "scaled":
      self.gain_network = _gain_network()


def _conv(filters, kernel_size=1, strides=1, activation=None, name=None):
  return tf.keras.layers.Conv2D(
      filters, kernel_size, strides, "same", activation=activation, name=name)


def _gain_network():
  """x_hat, (B, H, W, 3), to gains above 1, (B, H, W, 1), one in 32x32 pixels."""
  return tf.keras.Sequential([
      *(_conv(32, 3, 2, "elu", name=f"conv_{number}") for number in range(4)),
      _conv(1, 2, 2, "elu", name="conv_4"),
      tf.keras.layers.Lambda(lambda x: x + 2.0),
      tf.keras.layers.UpSampling2D(32)], name="gain_network")
