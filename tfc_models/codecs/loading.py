"""From weights to the codec of their kind."""

import importlib

from tfc_models import pretrained
from tfc_models.errors import UsageError
from tfc_models.weight_info import read_info

DEFAULT_MODEL = "tfcm-flex"
# How long encoders look for better symbols, `models.families.refinement`.
EFFORTS = range(1, 10)
DEFAULT_EFFORT = 5

# From the kind of a model to its codec, and the extension of that one's files, which
# is known before TensorFlow is.
_CODECS = {
    "image": ("learned.LearnedCodec", ".tfcm"),
    "video": ("video.VideoCodec", ".tfcm"),
    "editor": ("edited.EditedCodec", ".jpg"),
}


def kind_of(path, allowed=tuple(_CODECS)):
  """Returns the kind of the model of a weight file.

  Args:
    path: of the file.
    allowed: kinds that the caller can make use of.

  Raises:
    UsageError: if it is another, or there is no such file.
  """
  # The first files, of images all, do not say.
  kind = read_info(path).get("kind", "image")
  if kind not in allowed:
    raise UsageError(
        f"{path}: a model of the kind {kind}, wanted {' or '.join(allowed)}")
  return kind


def extension_of(kind):
  """Returns the extension of the files that models of a kind write."""
  return _CODECS[kind][1]


def open_weights(path, quality=None, iterations=None, effort=DEFAULT_EFFORT):
  """Returns the codec of a weight file; arguments as of `ModelCodec`."""
  module, _, name = _CODECS[kind_of(path)][0].rpartition(".")
  module = importlib.import_module(f"tfc_models.codecs.{module}")
  return getattr(module, name).from_file(path, quality, iterations, effort)


def load(name=None, quality=None, kinds=tuple(_CODECS), effort=DEFAULT_EFFORT,
         tune=None, lossless=False):
  """Returns a `LearnedCodec`, or a `VideoCodec` or `EditedCodec` of such a model.

  Args:
    name: registered name of shipped weights, training directory or weight
      file; None for the default, of what is asked for.
    quality: 1..100, the nearest shipped rate is taken (see `codec.quality`).
      Progressive models code as large a share of their iterations.
    kinds: of models, those that the caller can make use of.
    effort: as of `ModelCodec`.
    tune: metric that the weights are for, "psnr" or "ms-ssim"; None takes those that
      the name says.
    lossless: whether images shall come back bit by bit; they are then coded as planes
      of samples, without the model, where that takes fewer bytes.

  Raises:
    UsageError: if there are no such weights, they take no quality, or lose something.
  """
  if lossless and (quality is not None or tune is not None):
    raise UsageError("what is lossless takes no quality, and is tuned for no metric")
  name = pretrained.lossless(name) if lossless else name or DEFAULT_MODEL
  path, found = pretrained.find_by_name(pretrained.tuned(name, tune), quality)
  kind_of(path, kinds)
  codec = open_weights(path, found, effort=effort)
  if lossless and "lossless" not in codec.model.capabilities:
    raise UsageError(f"{name}: these weights are not lossless", argument="model")
  if lossless:
    codec.takes_planes = True
  if quality is not None:
    if "quality" in codec.model.capabilities:
      codec.quality = quality
    elif found is None:
      raise UsageError(
          f"{name}: a model trained for one rate takes no quality")
  return codec
