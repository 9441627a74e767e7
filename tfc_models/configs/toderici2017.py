"""toderici2017: recurrent codecs of photographs (Toderici et al., CVPR 2017)."""

from tfc_models.configs import common

_CELLS = {"lstm": "lstm", "alstm": "associative_lstm", "gru": "residual_gru"}


def get_config(variant="gru"):
  """Returns the recipe; variants: gru, lstm, alstm, narrow (gru), each also with -tiny; tiny."""
  if variant == "tiny":
    variant = "gru-tiny"
  name, is_tiny = variant.removesuffix("-tiny"), variant.endswith("-tiny")
  widths = {"narrow": 128}
  cell = "residual_gru" if name == "narrow" else _CELLS[name]
  config = common.base("toderici2017", cell=cell, **(
      dict(width=16, code_depth=4, iterations=2) if is_tiny
      else dict(width=widths.get(name, 512))))
  # The paper: patches of 32x32 that PNG compresses worst, batch 32, 1 M steps of
  # Adam with an epsilon of 1. Larger patches show the codes more context.
  config.data.patch_size = 64
  config.data.batch_size = 16
  config.train.distortion = "mae"
  config.train.lmbda = 0.1
  config.train.learning_rate = 5e-4
  config.train.schedule = "cosine"
  config.train.steps = 1_000_000
  config.expected = {
      "mse": {
          "bpp": (0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0),
          "psnr": (23.01, 25.65, 27.14, 28.27, 30.14, 31.62, 33.63, 34.63),
      },
      "source": "tensorflow/compression results/image_compression/kodak, "
      "without entropy coding",
  }
  return common.tiny(config) if is_tiny else config
