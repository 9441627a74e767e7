"""toderici2016: recurrent codecs of thumbnails (Toderici et al., ICLR 2016).

  tfcm train --config=toderici2016:conv-lstm --config.data.train=PHOTOS \\
      --train_dir=DIR
"""

from tfc_models.configs import common

_NETWORKS = {
    "fc-residual": "fc_residual",
    "fc-lstm": "fc_lstm",
    "conv-residual": "conv_residual",
    "conv-lstm": "conv_lstm",
}


def get_config(variant="conv-lstm"):
  """Returns the recipe; variants: fc-residual, fc-lstm, conv-residual, conv-lstm,
  each also with -narrow or -tiny; tiny.
  """
  name, is_narrow, is_tiny = common.suffixes(
      variant, "narrow", "tiny", default="conv-lstm")
  recurrent = name.endswith("lstm")
  arguments = dict(
      width=512, iterations=16, residual_scale=10.0,
      reconstruction="one_shot" if recurrent else "additive")
  if not recurrent:
    arguments.update(distinct=True)
  if is_narrow:
    arguments.update(width=256 if name.startswith("fc") else 128)
    if recurrent:
      # Learns much faster, which counts in some thousand steps.
      arguments.update(reconstruction="additive", residual_scale=3.0)
  if is_tiny:
    arguments.update(width=16, iterations=3)
  config = common.base("toderici2016", network=_NETWORKS[name], **arguments)
  # Photographs shrunk to patches the size of the paper's thumbnails. Its rates are
  # fixed, so that lmbda only scales the loss; Adam with an epsilon of 1 and rates
  # of 0.1 to 1 is replaced by the usual one.
  config.data.patch_size = 32
  config.data.batch_size = 32
  config.data.max_downscale = 10.0
  config.train.learning_rate = 5e-4
  config.train.schedule = "cosine"
  config.train.clip_norm = 1.0  # As `common.recurrent` says.
  config.train.steps = 100_000
  return common.tiny(config) if is_tiny else config
