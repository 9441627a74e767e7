"""johnston2018: recurrent codecs with priming (Johnston et al., CVPR 2018).

As with toderici2017 the codec is trained first, then, with -coded, its entropy
coder. A codec of that paper is a good start: its 1x1 convolutions of states become
the middles of those here.
"""

from tfc_models.configs import common


def get_config(variant="prime"):
  """Returns the recipe; variants: prime, diffusion, narrow, each also, to train the entropy coder, with -coded; tiny."""
  name, is_coded = variant.removesuffix("-coded"), variant.endswith("-coded")
  arguments = dict(
      cell="gru", iterations=16, reconstruction="one_shot", width=512,
      priming=3, diffusion=0, residual_scale=1.0, **common.binary_rnn(is_coded))
  arguments.update({
      "prime": {},
      "diffusion": dict(diffusion=3),
      "narrow": dict(cell="residual_gru", width=128, reconstruction="additive",
                     residual_scale=3.0),
      "tiny": dict(priming=1, diffusion=1, width=16, code_depth=4, iterations=2),
  }[name])
  config = common.base("johnston2018", **arguments)
  # The paper: crops of 128x128, batch 32, about 1 M steps.
  config.data.patch_size = 64 if name == "narrow" else 128
  config.data.batch_size = 16
  config.train.distortion = "ssim-mae"
  config.train.lmbda = 0.1
  config.train.learning_rate = 5e-4
  config.train.schedule = "cosine"
  config.train.steps = 1_000_000
  if is_coded:
    common.train_binary_rnn(config)
  config.expected = {
      "mse": {
          "bpp": (0.10, 0.22, 0.34, 0.47, 0.61, 0.81, 1.01, 1.26, 1.51, 1.81),
          "psnr": (25.04, 27.26, 29.22, 30.37, 31.41, 33.08, 33.97, 35.07,
                   36.25, 36.87),
      },
      "source": "tensorflow/compression results/image_compression/kodak, with "
      "entropy coding",
  }
  return common.tiny(config) if variant == "tiny" else config
