"""Variable rate: lmbda of each sample, quality in files, families and curves."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conformance import suite, toys
from tests.conformance.toys import averages, gains
from tests.conftest import make_image
from tfc_models import codecs, metrics
from tfc_models.codecs import learned_family, lineup
from tfc_models.errors import UsageError
from tfc_models.inspection import shipped
from tfc_models.modeling import weights
from tfc_models.modeling.base import ModelOutput
from tfc_models.modeling.settings import Settings, TrainingContext
from tfc_models.ops import image as image_ops
from tfc_models.ops.noise import Noise
from tfc_models.weight_info import INFO_KEY, read_info

BATCH = np.stack([make_image(32, 32, seed=seed) for seed in range(3)])


@pytest.fixture(autouse=True)
def toy():
  with toys.registered(gains), toys.registered(averages):
    yield


@pytest.fixture
def file(tmp_path):
  """A weight file of variable rate."""
  path = tmp_path / "gains.npz"
  weights.save(suite.ready(gains.get_config().model), path)
  return path


def gradient(model, objective):
  """Returns loss, figures and the gradient of it, all values joined."""
  x = image_ops.to_float(BATCH)
  noise = Noise(1, 2, tf.range(3))
  with tf.GradientTape() as tape:
    output = model(x, training=True, context=TrainingContext(noise=noise))
    output = output._replace(stages=(0.9 * output.x_hat, output.x_hat))
    loss, figures = objective(x, output)
  gradients = tape.gradient(loss, model.trainable_variables)
  return float(loss), figures, np.concatenate(
      [np.ravel(gradient) for gradient in gradients])


def test_one_lmbda_weighs_means_and_many_weigh_samples():
  model = suite.compiled(
      suite.ready(averages.get_config().model), 1e-3, lmbda=0.02)

  def means(x, output):
    """The loss of equal weights: the mean rate, and a weight of the mean error."""
    bpp = tf.reduce_mean(output.bits["y"]) / 32**2
    errors = [tf.reduce_mean(metrics.mse(x, x_hat)) for x_hat in output.stages]
    return bpp + 0.02 * tf.add_n(errors) / 2.0, {}

  def weighed(lmbda):
    context = TrainingContext(lmbda=tf.constant(lmbda))
    return gradient(model, lambda *pair: model.objective(*pair, context))

  loss, figures, slope = weighed(0.02)
  expected, _, expected_slope = gradient(model, means)
  assert loss == pytest.approx(expected, rel=1e-6)
  np.testing.assert_allclose(slope, expected_slope, rtol=1e-4, atol=1e-7)
  np.testing.assert_allclose(weighed([0.02] * 3)[2], slope, rtol=1e-4, atol=1e-7)
  # A sample without weight counts with its rate alone.
  alone = [weighed(row)[0] for row in np.float32(0.06 * np.eye(3))]
  assert np.mean(alone) == pytest.approx(loss, rel=1e-5)
  assert len(set(alone)) == 3
  mixed = weighed([0.01, 0.02, 0.05])
  assert np.abs(mixed[2] - slope).max() > 1e-2 * np.abs(slope).max()
  for name in ("bpp", "mse", "psnr"):  # Of the batch, whatever the weights.
    assert float(mixed[1][name]) == float(figures[name])


def test_a_model_without_latents_has_no_rate():
  class Filter(averages.Toy):
    latents = ()

  model = Filter(step=1.0)
  model.build_variables()
  model.compile(tf.keras.optimizers.Adam(1e-3), lmbda=0.5)
  x = image_ops.to_float(BATCH)
  loss, figures = model.objective(
      x, ModelOutput(0.9 * x, {}), TrainingContext(lmbda=model.controls.lmbda))
  assert float(figures["bpp"]) == 0.0
  assert float(loss) == pytest.approx(0.5 * float(figures["mse"]))


def test_the_lmbda_of_a_sample_depends_on_seed_step_and_sample():
  model = suite.compiled(
      suite.ready(gains.get_config().model), 1e-3, lmbda=0.02)

  def drawn(seed=0, step=0, count=64):
    model.controls.seed.assign(seed)
    model.optimizer.iterations.assign(step)
    return model.training_context(count).lmbda.numpy()

  many = drawn()
  octaves = np.log2(many / 0.02)
  assert np.abs(octaves).max() <= gains.SPREAD and np.ptp(octaves) > gains.SPREAD
  np.testing.assert_array_equal(many, drawn())
  np.testing.assert_array_equal(many[:5], drawn(count=5))
  graph = tf.function(lambda: model.training_context(64).lmbda, jit_compile=True)
  np.testing.assert_allclose(graph(), many, rtol=1e-6)
  for other in (drawn(seed=1), drawn(step=1)):
    assert np.all(other != many)
  # What validation weighs is not drawn.
  logs = model.test_step(tf.constant(BATCH))
  np.testing.assert_allclose(
      logs["loss"], logs["bpp"] + 0.02 * logs["mse"], rtol=1e-5)


def test_a_weight_file_says_what_its_model_can_vary(file, tmp_path):
  info = read_info(file)
  assert (info["kind"], info["capabilities"]) == ("image", ["quality"])
  # Files that say nothing of it are as good, and have one rate.
  with np.load(file) as archive:
    arrays = dict(archive)
  old = {key: value for key, value in info.items()
         if key not in ("kind", "capabilities")}
  arrays[INFO_KEY] = np.frombuffer(json.dumps(old).encode(), np.uint8)
  buffer = io.BytesIO()
  np.savez(buffer, **arrays)
  (tmp_path / "old.npz").write_bytes(buffer.getvalue())
  _, found = weights.load(tmp_path / "old.npz")
  assert found == old
  (family,) = lineup.parse([str(tmp_path / "old.npz")])
  assert family.settings == ("old.npz",)


def test_weights_of_variable_rate_are_a_curve_of_qualities(file):
  (family,) = lineup.parse([str(file)])
  assert isinstance(family, learned_family.QualityFamily)
  assert family.settings == (10, 20, 30, 40, 50, 60, 70, 80, 90)
  assert lineup.parse([f"{file}@1,100"])[0].settings == (1, 100)
  for setting in (0, 101, "high"):
    with pytest.raises(UsageError, match="settings from 1 to 100"):
      family.check(setting)
  assert family.facts(30) == {**family.facts(70), "quality": 30}
  assert family.facts(30)["fingerprint"] == read_info(file)["fingerprint"]
  image = make_image(65, 70)
  files = {quality: family.make(quality).encode(image) for quality in (30, 70)}
  assert len(files[30]) < len(files[70])
  loaded = codecs.load(str(file), quality=70)
  assert loaded.encode(image) == files[70]
  assert loaded.encode(image, Settings(quality=30)) == files[30]
  assert codecs.load(str(file)).encode(image)[-9:] != files[70][-9:]
  for quality, data in files.items():
    np.testing.assert_array_equal(
        codecs.load(str(file)).decode(data),
        loaded.model.reconstruct(image, Settings(quality=quality))[0])


def test_weights_are_measured_at_their_quality(file, tmp_path):
  path = tmp_path / "image.png"
  Image.fromarray(make_image(170, 180)).save(path)
  low, high = (
      shipped.summarize(codecs.load(str(file), quality), [str(path)])
      for quality in (20, 80))
  assert low.exact == high.exact == 1
  assert low.bpp < high.bpp and low.psnr < high.psnr
