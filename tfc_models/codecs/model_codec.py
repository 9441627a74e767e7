"""What codecs of trained models share, whatever they code."""

import contextlib
import dataclasses

import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models.codecs.checks import check_weights
from tfc_models.codecs.file_options import TARGETS
from tfc_models.codecs.loading import DEFAULT_EFFORT, EFFORTS
from tfc_models.errors import UsageError
from tfc_models.modeling import weights


class ModelCodec:
  """A trained model and the fingerprint of its weights.

  Args:
    model: with coding tables, from `modeling.weights.load`.
    fingerprint: 4 bytes, of its weights.
    quality: what the weights stand for, noted in the header; None if unknown.
    iterations: of progressive models, how many there are where a call asks neither
      for iterations nor for a quality.
    effort: 1..9, of encoders where a call asks for none, see
      `models.families.refinement`.
  """

  def __init__(self, model, fingerprint, quality=None, iterations=None,
               effort=DEFAULT_EFFORT):
    self.model = model
    self.fingerprint = fingerprint
    self.quality = quality
    self.iterations = iterations
    self.effort = effort

  @property
  def kind(self):
    """Of the model."""
    return self.model.kind

  @property
  def name(self):
    """Of the model, and the quality."""
    return self.model.registered_name + (
        "" if self.quality is None else f" q{self.quality}")

  @classmethod
  def from_file(cls, path, quality=None, iterations=None, effort=DEFAULT_EFFORT):
    """Returns the codec of a weight file."""
    model, info = weights.load(path)
    return cls(
        model, bytes.fromhex(info["fingerprint"]), quality, iterations, effort)

  def check_weights(self, header):
    """Raises WrongWeightsError unless a header names these weights."""
    check_weights(header, self.model.registered_name, self.fingerprint)

  def checked_settings(self, settings, options):
    """Returns settings with our quality, checked, and what the header notes."""
    asked = {**vars(settings), **vars(options)}
    for name in ("iterations", "tile_psnr", "raw_bits", "thumbnail", *TARGETS):
      value = asked[name]
      if value is None or value is False:
        continue
      if not self._takes(name):
        raise UsageError(
            f"{self.name} is not progressive, it takes no {name}")
      if not value > 0:
        raise UsageError(f"{name} must be positive, got {value}")
    if settings.keep is not None and "keep" not in self.model.capabilities:
      raise UsageError(
          f"{self.name} codes pictures as a whole, it takes no mask of what to keep",
          argument="keep")
    if options.target_ms_ssim is not None and not options.target_ms_ssim < 1:
      raise UsageError(f"target_ms_ssim must lie below 1, got {options.target_ms_ssim}")
    if settings.effort is None:
      settings = dataclasses.replace(settings, effort=self.effort)
    if settings.effort not in EFFORTS:
      raise UsageError(f"effort must lie in 1..9, got {settings.effort}")
    if settings.quality is None:
      settings = dataclasses.replace(
          settings, quality=self.quality,
          iterations=settings.iterations or self.iterations)
    elif not 1 <= settings.quality <= 100:
      raise UsageError(f"quality must lie in 1..100, got {settings.quality}")
    elif settings.quality != self.quality and (
        "quality" not in self.model.capabilities):
      raise UsageError(
          f"{self.name} was trained for one rate, it cannot code at quality "
          f"{settings.quality}; load other weights")
    # Where something else says how many iterations there are, quality does not.
    decides = (settings.iterations is None and not options.has_target
               and settings.quality is not None)
    if options.thumbnail:
      settings = dataclasses.replace(settings, raw_bits=True)
    noted = {"quality": settings.quality} if decides else {}
    if self.model.synthesises:
      noted["synthesised"] = 1
    return settings, noted

  def _takes(self, name):
    """Returns whether a setting or option says something to the model."""
    capabilities = self.model.capabilities
    return "progressive" in capabilities or (
        name in TARGETS and "quality" in capabilities)

  @contextlib.contextmanager
  def coding(self, error_type, header):
    """Makes errors of networks and coders name the codec, or the image."""
    try:
      yield
    except UsageError as error:
      raise type(error)(f"{self.name}: {error}") from None
    except (MemoryError, tf.errors.ResourceExhaustedError):
      raise error_type(
          f"there is not enough memory for an image of {header.width}x"
          f"{header.height} pixels") from None
    except tf.errors.InvalidArgumentError as error:
      # Numbers that no sound weights or files give rise to, as that of a table.
      reason = str(error).splitlines()[0]
      raise error_type(
          f"{self.name}: the weights are damaged, a latent is not finite "
          f"({reason})" if error_type is UsageError else
          f"the stream makes no sense to its model ({reason})") from None
