"""What options of training contradict each other, said before anything is made."""

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import registry
from tfc_models.errors import UsageError
from tfc_models.metrics import MS_SSIM_MIN_SIZE
from tfc_models.modeling import training_step
from tfc_models.training import schedules
from tfc_models.training.optimizers import OPTIMIZERS


def check_options(model_name, data, options):
  """Raises `UsageError` for options that contradict each other.

  Args:
    model_name: registered name.
    data: `configs.options.DataOptions`.
    options: `configs.options.TrainOptions`.
  """
  try:
    model = registry.get(model_name)
  except KeyError as error:
    raise UsageError(error.args[0]) from None
  factor = model.downsampling_factor
  if data.patch_size < 1 or data.patch_size % factor:
    raise UsageError(
        f"data.patch_size must be a multiple of {factor} for {model_name}, "
        f"got {data.patch_size}")
  _check_choice("train.distortion", options.distortion, training_step.DISTORTIONS)
  _check_choice("train.schedule", options.schedule, schedules.SCHEDULES)
  _check_choice("train.weight_bits", options.weight_bits, (8, 16))
  if options.distortion == "log-mse" and "progressive" not in model.capabilities:
    raise UsageError(
        f"train.distortion log-mse is for progressive models, not {model_name}: bits "
        "against a logarithm have no least sum")
  if options.truncate < 0:
    raise UsageError(f"train.truncate must be at least 0, got {options.truncate}")
  if options.truncate and "progressive" not in model.capabilities:
    raise UsageError(
        f"train.truncate is for progressive models, not {model_name}, which has no "
        "iterations")
  if options.distortion == "ms-ssim" and data.patch_size < MS_SSIM_MIN_SIZE:
    raise UsageError(
        f"MS-SSIM needs data.patch_size of at least {MS_SSIM_MIN_SIZE}, "
        f"got {data.patch_size}")
  for name, value in (
      ("data.batch_size", data.batch_size), ("data.frames", data.frames),
      ("data.validation_batches", data.validation_batches),
      ("train.steps", options.steps),
      ("train.steps_per_epoch", options.steps_per_epoch)):
    if value < 1:
      raise UsageError(f"{name} must be at least 1, got {value}")
  if options.steps % options.steps_per_epoch:
    raise UsageError(
        f"train.steps must be a multiple of train.steps_per_epoch="
        f"{options.steps_per_epoch}, got {options.steps}")
  if data.max_downscale < 1:
    raise UsageError(
        f"data.max_downscale must be at least 1, got {data.max_downscale}")
  if not 0 <= options.average < 1:
    raise UsageError(
        f"train.average must lie in 0..1, 1 excluded, got {options.average}")
  for name in ("target_bpp", "below_target", "perceptual_weight", "adversarial"):
    if getattr(options, name) < 0:
      raise UsageError(
          f"train.{name} must be at least 0, got {getattr(options, name)}")
  if bool(options.perceptual) != bool(options.perceptual_weight):
    raise UsageError(
        "train.perceptual and train.perceptual_weight go together, got "
        f"{options.perceptual!r} and {options.perceptual_weight}")
  if options.adversarial and "discriminator" not in model.networks:
    raise UsageError(
        f"train.adversarial is for models with a discriminator, not {model_name}")
  if options.lmbda <= 0:
    raise UsageError(f"train.lmbda must be above 0, got {options.lmbda}")
  for part, factor in options.rates.items():
    if not factor > 0:
      raise UsageError(f"train.rates.{part} must be above 0, got {factor}")
  _check_networks(model_name, model.networks, options)
  for network in model.networks:
    _check_choice("train.optimizer", options.of_optimizer(network).optimizer, OPTIMIZERS)


def _check_networks(model_name, networks, options):
  """Raises `UsageError` for `options.networks` that the model does not train."""
  others = sorted(networks.keys() - {"main"})
  for network, values in options.networks.items():
    if network not in others:
      raise UsageError(
          f"train.networks: beside main {model_name} trains "
          f"{', '.join(others) or 'nothing'}, not {network!r}")
    for name in values:
      _check_choice(f"train.networks.{network}", name, vars(options.of_optimizer()))


def _check_choice(name, value, choices):
  if value not in choices:
    listed = ", ".join(repr(choice) for choice in choices)
    raise UsageError(f"{name} must be one of {listed}, got {value!r}")
