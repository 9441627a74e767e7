"""johnston2018: recurrent codecs with priming (Johnston et al., CVPR 2018).

As with toderici2017 the codec is trained first, then, with -coded, its entropy
coder. A codec of that paper is a good start: its 1x1 convolutions of states become
the middles of those here.

Departs, in narrow: as narrow of toderici2017, whose cells it has, residual GRUs, not GRUs.
The loss is not weighed by lost structure. In narrow-paper neither.
"""

from tfc_models.configs import common


def get_config(variant="prime"):
  """Returns the recipe; variants: prime, diffusion, narrow (a quarter of the width,
  residual GRU, additive, iterations count alike), narrow-paper (that width, else the
  paper's), each also, to train the entropy coder, with -coded; tiny.
  """
  name, is_coded = common.suffixes(variant, "coded")
  arguments = dict(
      cell="gru", iterations=16, reconstruction="one_shot", width=512,
      priming=3, diffusion=0, residual_scale=1.0, **common.binary_rnn(is_coded))
  arguments.update({
      "prime": {},
      "diffusion": dict(diffusion=3),
      "narrow": dict(
          cell="residual_gru", width=128, **common.QUICK_RECONSTRUCTION),
      "narrow-paper": dict(width=128),
      "tiny": dict(priming=1, diffusion=1, width=16, code_depth=4, iterations=2),
  }[name])
  # The paper: crops of 128x128, batch 32, about 1 M steps.
  config = common.recurrent(
      "johnston2018", arguments, is_coded, common.stage_loss(name == "narrow", "ssim-mae"),
      patch_size=64 if name == "narrow" else 128)
  # With entropy coding.
  config.expected = {"mse": "tfc/johnston-2017-cvpr"}
  return common.tiny(config) if variant == "tiny" else config
