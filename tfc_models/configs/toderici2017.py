"""toderici2017: recurrent codecs of photographs (Toderici et al., CVPR 2017).

First the codec, then its entropy coder, on patches that show it more context:

  tfcm train --config=toderici2017:narrow --config.data.train=PHOTOS \\
      --train_dir=CODEC
  tfcm train --config=toderici2017:narrow-coded --config.data.train=PHOTOS \\
      --config.train.init=CODEC --train_dir=DIR

Departs, in narrow: iterations add up what they predict of the residual times 3, in the
paper each predicts the whole image, or the residual times 1 or a gain; the loss is the
mean over iterations of the logarithm of their squared error, the paper's of their
absolute error. In narrow-paper neither.
"""

from tfc_models.configs import common

_CELLS = {"lstm": "lstm", "alstm": "associative_lstm", **dict.fromkeys(
    ("gru", "scaled", "narrow", "narrow-paper"), "residual_gru")}


def get_config(variant="gru"):
  """Returns the recipe; variants: gru, lstm, alstm, scaled (gru, residuals times
  gains that a network finds), narrow (gru of a quarter of the width, additive,
  iterations count alike), narrow-paper (gru of that width, else the paper's), each
  also with -coded, to train the entropy coder, and with -tiny; tiny.
  """
  name, is_coded, is_tiny = common.suffixes(
      variant, "coded", "tiny", default="gru")
  arguments = dict(
      cell=_CELLS[name], iterations=16, width=512,
      reconstruction="one_shot", residual_scale=1.0, **common.binary_rnn(is_coded))
  if name == "scaled":
    arguments.update(reconstruction="scaled")
  if name.startswith("narrow"):
    arguments.update(width=128)
  if name == "narrow":
    arguments.update(common.QUICK_RECONSTRUCTION)
  if is_tiny:
    arguments.update(width=16, code_depth=4, iterations=2)
    if name == "gru":
      arguments.update(binary_rnn_width=8)
  # The paper: patches of 32x32 that PNG compresses worst, batch 32, 1 M steps of
  # Adam with an epsilon of 1. Larger patches show the codes more context.
  config = common.recurrent(
      "toderici2017", arguments, is_coded, common.stage_loss(name == "narrow", "mae"),
      patch_size=64)
  # Without entropy coding.
  config.expected = {"mse": "tfc/toderici-2017-cvpr"}
  return common.tiny(config) if is_tiny else config
