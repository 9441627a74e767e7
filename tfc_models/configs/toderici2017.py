"""toderici2017: recurrent codecs of photographs (Toderici et al., CVPR 2017).

First the codec, then its entropy coder, on patches that show it more context:

  tfcm train --config=toderici2017:narrow --config.data.train=PHOTOS \\
      --train_dir=CODEC
  tfcm train --config=toderici2017:narrow-coded --config.data.train=PHOTOS \\
      --config.train.init=CODEC --train_dir=DIR
"""

from tfc_models.configs import common

_CELLS = {"lstm": "lstm", "alstm": "associative_lstm", "gru": "residual_gru",
          "narrow": "residual_gru"}


def get_config(variant="gru"):
  """Returns the recipe; variants: gru, lstm, alstm, narrow (gru), each also with -tiny and, to train the entropy coder, -coded; tiny."""
  if variant == "tiny":
    variant = "gru-tiny"
  name, is_tiny = variant.removesuffix("-tiny"), variant.endswith("-tiny")
  name, is_coded = name.removesuffix("-coded"), name.endswith("-coded")
  arguments = dict(
      cell=_CELLS[name], iterations=16, width=512,
      reconstruction="one_shot", residual_scale=1.0, **common.binary_rnn(is_coded))
  if name == "narrow":
    # Both learn much faster, which counts in some thousand steps.
    arguments.update(
        width=128, reconstruction="additive", residual_scale=3.0)
  if is_tiny:
    arguments.update(width=16, code_depth=4, iterations=2)
    if name == "gru":
      arguments.update(binary_rnn_width=8)
  config = common.base("toderici2017", **arguments)
  # The paper: patches of 32x32 that PNG compresses worst, batch 32, 1 M steps of
  # Adam with an epsilon of 1. Larger patches show the codes more context.
  config.data.patch_size = 64
  config.data.batch_size = 16
  config.train.distortion = "mae"
  config.train.lmbda = 0.1
  config.train.learning_rate = 5e-4
  config.train.schedule = "cosine"
  config.train.steps = 1_000_000
  if is_coded:
    common.train_binary_rnn(config)
  config.expected = {
      "mse": {
          "bpp": (0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0),
          "psnr": (23.01, 25.65, 27.14, 28.27, 30.14, 31.62, 33.63, 34.63),
      },
      "source": "tensorflow/compression results/image_compression/kodak, "
      "without entropy coding",
  }
  return common.tiny(config) if is_tiny else config
