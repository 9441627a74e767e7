"""What every image model must do; a check is a function of a tiny model.

`test_registry.py` runs all checks on all registered models, so a new model is
tested by being registered. Checks look at class facts to see what applies. Those of
`COMMON` are of models of all kinds; `suite_video` and `suite_editor` have the others.
"""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tests.conformance import material, waking
from tests.conftest import make_image
from tfc_models import bitstream, configs, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.entropy_models import SymbolCodec
from tfc_models.errors import BitstreamError
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings, TrainingContext
from tfc_models.ops import image as image_ops
from tfc_models.ops.noise import Noise

CHECKS = {}
COMMON = {}
LMBDA = 0.01


def check(function):
  CHECKS[function.__name__] = function
  return function


def common(function):
  COMMON[function.__name__] = function
  return check(function)


@functools.lru_cache
def bare(name, **changes):
  """Returns a tiny model of a registered name without variables, to look at."""
  spec = configs.get(f"{name}:tiny").model
  return registry.create(spec.name, **{**spec.arguments, **changes})


@functools.lru_cache
def tiny(name):
  """Returns a tiny model of a registered name, prepared and with tables."""
  return ready(configs.get(f"{name}:tiny").model)


def ready(spec):
  """Returns the model of a config's `model` section, ready to code."""
  model = fresh(spec.name, **spec.arguments)
  model.fix_tables()
  return model


def fresh(name, **arguments):
  tf.keras.utils.set_random_seed(1)
  model = registry.create(name, **arguments)
  model.build_variables()
  model.prepare([material.batch(model, [0])], LMBDA)
  side = max(model.downsampling_factor, 64)
  waking.wake(model, material.seen(model, side, side, seed=1))
  return model


def again(model):
  """Returns a new model like this one, with fresh variables."""
  return fresh(model.registered_name, **model.arguments)


def compiled(model, rate, **options):
  """Returns a new model like this one, with an optimizer for each network."""
  model = again(model)
  if "discriminator" in model.networks:
    options.setdefault("adversarial", 0.1)
  model.compile(
      {name: tf.keras.optimizers.Adam(rate) for name in model.networks}, **options)
  return model


def padded(model, image):
  """Returns the batch (1, H, W, 3) that the model sees of an image."""
  return model.to_batch(image)


def train(model, batch, steps, figure="loss"):
  """Takes steps of a compiled model on one batch; returns a figure before each."""
  step = tf.function(model.train_step)
  found = []
  for _ in range(steps):
    model.reset_metrics()
    found.append(float(step(batch)[figure]))
  return found


@common
def class_facts_are_stated(model):
  assert model.downsampling_factor >= 1
  assert model.kind in registry.KINDS
  assert model.capabilities <= {
      "quality", "progressive", "lossless", "exact_pixels", "keep"}
  output = model(material.seen(model, 20, 30))
  assert tuple(output.bits) == model.latents
  names = [codec.name for codec in model.latent_codecs()]
  assert names or model.kind == "editor"
  assert len(set(names)) == len(names), "noise would be shared"


@check
def more_effort_decodes_to_what_its_encoder_says(model):
  codec = LearnedCodec(model, b"abcd", effort=5)
  image = make_image(65, 127)
  model.lmbda, before = 0.01, model.lmbda  # As weights of a training have it.
  try:
    np.testing.assert_array_equal(
        codec.decode(codec.encode(image)),
        model.reconstruct(image, Settings(effort=5))[0])
  finally:
    model.lmbda = before


@check
def any_size_and_grey_round_trip(model):
  codec = LearnedCodec(model, b"abcd", effort=1)
  for height, width, channels in [
      (1, 1, 3), (17, 33, 3), (64, 64, 3), (65, 127, 3), (1, 65, 1)]:
    image = make_image(height, width, channels)
    header, chunks, *_ = bitstream.read(codec.encode(image))
    expected, _ = model.reconstruct(image)
    assert expected.shape == image.shape
    x_hat = model.decode(chunks, header)
    np.testing.assert_array_equal(x_hat, model(padded(model, image)).x_hat)
    decoded = codec.decode(codec.encode(image))
    np.testing.assert_array_equal(decoded, expected)
    if "lossless" in model.capabilities:
      np.testing.assert_array_equal(decoded, image)


@check
def a_higher_quality_takes_more_bytes_and_errs_less(model):
  """Also of an untrained model, so that an encoder can look for a target."""
  if "quality" not in model.capabilities or "progressive" in model.capabilities:
    return
  codec = LearnedCodec(model, b"abcd", effort=1)
  image = make_image(65, 127)
  sizes, errors, coded = [], [], set()
  for quality in (1, 25, 50, 75, 100):
    settings = Settings(quality=quality)
    data = codec.encode(image, settings)
    header, chunks, *_ = bitstream.read(data)
    # A decoder knows the quality from the header, not from how it was made.
    decoded = LearnedCodec(model, b"abcd", quality=1, effort=1).decode(data)
    np.testing.assert_array_equal(decoded, model.reconstruct(image, settings)[0])
    np.testing.assert_array_equal(
        model.decode(chunks, header),
        model(padded(model, image), settings=settings).x_hat)
    sizes.append(bitstream.coded_bytes(chunks))
    errors.append(np.square(np.float64(image) - decoded).mean())
    coded.add(tuple(chunk.strings for chunk in chunks))
  assert len(coded) == len(sizes)
  assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True)
  assert sizes[0] < sizes[-1] and errors[0] > errors[-1]


@common
def saved_and_loaded_weights_write_the_same_bytes(model, tmp_path):
  info = weights.save(model, tmp_path / "model.npz", note="kept")
  loaded, found = weights.load(tmp_path / "model.npz")
  assert found == info and found["note"] == "kept"
  got = weights.variables_by_path(loaded)
  integers = set()
  for layer, other in zip(model.submodules, loaded.submodules):
    if getattr(layer, "exact", False) and hasattr(layer, "integers"):
      integers.add(id(layer.kernel))
      for one, same in zip(layer.integers(), other.integers()):
        np.testing.assert_array_equal(one, same)
  for path, variable in weights.variables_by_path(model).items():
    if id(variable) not in integers:
      np.testing.assert_allclose(  # To half precision.
          got[path], variable, rtol=2.0**-11, atol=2.0**-25, err_msg=path)
  reloaded, _ = weights.load(tmp_path / "model.npz")
  data = material.coded(loaded, 65, 127)
  assert data == material.coded(loaded, 65, 127)
  assert data == material.coded(reloaded, 65, 127)


@common
def all_variables_are_saved(model):
  model.build_training_variables()
  saved = {id(v) for v in weights.variables_by_path(model).values()}
  everything = {id(v) for v in model.variables}
  left_out = {id(v) for name in model.training_only
              for v in getattr(model, name).variables}
  assert saved == everything - left_out and left_out <= everything
  assert everything == {
      id(v) for v in weights.variables_by_path(model, training_only=True).values()}


@common
def training_noise_depends_on_seed_step_and_sample(model):
  x = material.seen(model, 64, 64)

  def seen(seed=3, step=4, sample=5):
    noise = Noise(seed, step, tf.constant([sample]))
    output = model(x, training=True, context=TrainingContext(noise=noise))
    bits = sum(float(output.bits[name][0]) for name in model.latents)
    return bits, float(tf.reduce_sum(tf.square(output.x_hat)))

  assert seen() == seen()
  codecs = [module for module in model.submodules if isinstance(module, SymbolCodec)]
  still = codecs and not any(codec.random for codec in codecs)
  assert len({seen(), seen(seed=9), seen(step=9), seen(sample=9)}) == (1 if still else 4)


@common
def thirty_steps_lower_the_loss_and_reach_every_variable(model):
  model = compiled(model, 1e-3, lmbda=LMBDA)
  batch = tf.constant(material.batch(model, (1, 2)))
  variables = model.trainable_variables
  trained = {id(v) for some in model.controls.trained.values() for v in some}
  assert trained == {id(v) for v in variables}
  before = [variable.numpy() for variable in variables]
  # With the noise and the weights of the distortion of the first step.
  context = model.training_context(2)
  context = dataclasses.replace(
      context, lmbda=tf.identity(context.lmbda),
      noise=dataclasses.replace(context.noise, step=0))

  def loss():
    x = image_ops.to_float(batch)
    output = model(x, training=True, context=context)
    return float(model.objective(x, output, context)[0])

  first = loss()
  train(model, batch, 30)
  assert loss() < first
  for variable, old in zip(variables, before):
    assert np.any(variable.numpy() != old), variable.name


@check
def ms_ssim_is_trained_towards_too(model):
  model = compiled(model, 1e-4, lmbda=10.0, distortion="ms-ssim")
  side = 192
  logs = model.train_step(tf.constant(make_image(side, side)[None]))
  assert 0.0 <= float(logs["ms_ssim"]) <= 1.0
  assert np.isfinite(logs["gradient_norm"])
  # Of a progressive model it is of all stages, of others at many weights.
  if "progressive" not in model.capabilities and (
      "quality" not in model.capabilities):
    np.testing.assert_allclose(
        logs["loss"], logs["bpp"] + 10.0 * (1.0 - logs["ms_ssim"]), 1e-4)


@check
def chunks_of_another_shape_are_refused(model):
  image = make_image(20, 30)
  header, chunks, *_ = bitstream.read(LearnedCodec(model, b"abcd", effort=1).encode(image))
  for wrong in ([], chunks * 2, [chunks[0]._replace(strings=())]):
    try:
      model.decode(wrong, header)
    except BitstreamError:
      continue
    raise AssertionError("no BitstreamError")
