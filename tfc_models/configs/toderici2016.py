"""toderici2016: recurrent codecs of thumbnails (Toderici et al., ICLR 2016).

  tfcm train --config=toderici2016:conv-lstm --config.data.train=PHOTOS \\
      --train_dir=DIR

Departs, with -narrow: LSTMs add up what iterations predict of the residual times 3, in
the paper each predicts the whole patch; the loss is the mean over iterations of the
logarithm of their squared error, the paper's of that itself. With -narrow-paper neither.
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
  each also with -narrow (fewer units, LSTMs additive, iterations count alike),
  -narrow-paper (fewer units, else the paper's) or -tiny; tiny.
  """
  name, is_paper, is_ours, is_tiny = common.suffixes(
      variant, "narrow-paper", "narrow", "tiny", default="conv-lstm")
  recurrent = name.endswith("lstm")
  arguments = dict(
      width=512, iterations=16, residual_scale=10.0,
      reconstruction="one_shot" if recurrent else "additive")
  if not recurrent:
    arguments.update(distinct=True)
  if is_ours or is_paper:
    arguments.update(width=256 if name.startswith("fc") else 128)
  if is_ours and recurrent:
    arguments.update(common.QUICK_RECONSTRUCTION)
  if is_tiny:
    arguments.update(width=16, iterations=3)
  config = common.base("toderici2016", network=_NETWORKS[name], **arguments)
  # Photographs shrunk to patches the size of the paper's thumbnails. Its rates are
  # fixed, so that lmbda only scales the loss; Adam with an epsilon of 1 and rates
  # of 0.1 to 1 is replaced by the usual one.
  config.data.patch_size = 32
  config.data.batch_size = 32
  config.data.max_downscale = 10.0
  config.train.distortion = common.stage_loss(is_ours, "mse")
  config.train.learning_rate = 5e-4
  config.train.schedule = "cosine"
  config.train.clip_norm = 1.0  # As `common.recurrent` says.
  config.train.steps = 100_000
  return common.tiny(config) if is_tiny else config
