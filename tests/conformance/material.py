"""What checks feed to models of all kinds, and the codec of each kind."""

import numpy as np

from tests.conftest import make_image
from tfc_models.codecs import EditedCodec, LearnedCodec, VideoCodec
from tfc_models.modeling.settings import Settings
from tfc_models.ops import image as image_ops

CODECS = {"image": LearnedCodec, "video": VideoCodec, "editor": EditedCodec}


def make_clip(count, height, width, seed=0):
  """Returns uint8 (count, H, W, 3): a picture that moves to the left."""
  wide = make_image(height, width + 2 * count, seed=seed)
  return np.stack([wide[:, 2 * n:2 * n + width] for n in range(count)])


def sample(model, height, width, seed=0):
  """Returns a uint8 image, or frames of which the last group may be shorter."""
  if model.kind == "video":
    return make_clip(2 * model.group_size + 1, height, width, seed)
  return make_image(height, width, seed=seed)


def batch(model, seeds):
  """Returns a uint8 batch as training feeds it."""
  side = max(model.downsampling_factor, 32 if model.kind == "video" else 64)
  return np.stack([sample(model, side, side, seed) for seed in seeds])


def seen(model, height, width, seed=0):
  """Returns the float batch of one, padded, that `call` sees of a sample."""
  material = sample(model, height, width, seed)
  if model.kind != "editor":
    return model.to_batch(material)
  return image_ops.to_float(np.pad(
      material, [(0, -height % 8), (0, -width % 8), (0, 0)], "edge")[None])


def codec_of(model):
  """Returns the codec of a model."""
  return CODECS[model.kind](model, b"abcd")


def coded(model, height, width, settings=Settings()):
  """Returns the bytes of a sample."""
  return codec_of(model).encode(sample(model, height, width), settings)
