"""Recurrent codecs: signs, cells, every network, and the rates of the papers."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import suite
from tests.conftest import make_image
from tfc_models import bitstream, configs, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.entropy_models import SignCodec
from tfc_models.modeling import weights
from tfc_models.modeling.model import ModelOutput
from tfc_models.models.families.progress import Progress
from tfc_models.ops.noise import Noise

# Besides those that conformance tests.
VARIANTS = [
    "toderici2016:fc-residual", "vric:fc", *(
        pytest.param(variant, marks=pytest.mark.slow) for variant in (
            "toderici2016:fc-lstm", "vric:lstm", "toderici2017:lstm",
            "toderici2016:conv-residual", "vric:fc-residual-16bpp",
            "vric:conv", "vric:conv-residual", "vric:lstm-residual",
            "toderici2017:alstm"))]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_network_learns_and_codes_through_files(variant, tmp_path):
  model = suite.ready(configs.get(f"{variant}-tiny").model)
  model.compile(tf.keras.optimizers.Adam(2e-3), lmbda=0.01)
  batch = tf.constant(np.stack([make_image(64, 64, seed=s) for s in (1, 2)]))
  losses = suite.train(model, batch, 25)
  assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:4])
  assert all(np.any(v != 0) for v in model.trainable_variables if "kernel" in v.name)

  weights.save(model, tmp_path / "model.npz")
  codec = LearnedCodec.from_file(tmp_path / "model.npz")
  for shape in [(32, 32), (37, 53)]:
    image = make_image(*shape)
    decoded = codec.decode(codec.encode(image))
    np.testing.assert_array_equal(decoded, codec.model.reconstruct(image)[0])
    assert decoded.shape == image.shape


@pytest.mark.parametrize("variant, sizes", [
    ("toderici2016:fc-residual", [8] * 16), ("toderici2016:conv-lstm", [8] * 16),
    ("vric:fc", [64]), ("vric:fc-residual-0.5bpp", [8] * 8),
    ("vric:fc-residual-1bpp", [32] * 4), ("vric:fc-residual-4bpp", [64] * 8),
    ("vric:fc-residual-16bpp", [256] * 8), ("vric:conv-residual", [8] * 8),
    ("vric:conv", [64]),
    ("vric:lstm", [64]), ("vric:lstm-residual", [8] * 8),
    ("toderici2017:gru", [16] * 16)])
def test_a_thumbnail_takes_the_bytes_of_the_paper(variant, sizes):
  arguments = dict(configs.get(variant).model.arguments, width=16)
  if variant.startswith("vric:conv"):
    arguments["width"] = 64
  model = registry.create(configs.get(variant).model.name, **arguments)
  data = LearnedCodec(model, b"abcd").encode(make_image(32, 32))
  chunks = bitstream.read(data).chunks
  assert [len(chunk.strings[0]) for chunk in chunks] == sizes


def test_signs_are_a_bit_each_and_survive():
  codec = SignCodec("code")
  rng = np.random.default_rng(0)
  for shape in [(1, 1, 1, 1), (1, 1, 3, 3), (2, 5, 7, 4), (1, 8, 8, 16)]:
    y = tf.constant(rng.uniform(-1, 1, shape), tf.float32)
    (strings,), signs = codec.compress(y)
    np.testing.assert_array_equal(signs, np.where(y >= 0, 1.0, -1.0))
    np.testing.assert_array_equal(
        codec.decompress([strings], shape[1:]), signs)
    estimate, bits = codec(y)
    np.testing.assert_array_equal(estimate, signs)
    size = np.prod(shape[1:])
    np.testing.assert_array_equal(bits["code"], np.full(shape[0], size))
    assert all(len(s) <= -(-size // 8) for s in strings.numpy())
  # Both zeros are 1.
  np.testing.assert_array_equal(
      codec.compress(tf.constant([[[[0.0, -0.0]]]]))[1], [[[[1.0, 1.0]]]])


def test_512_and_1024_signs_are_64_and_128_bytes():
  rng = np.random.default_rng(0)
  for size in (64, 512, 1024):
    y = tf.constant(rng.normal(size=(1, 1, 1, size)), tf.float32)
    (string,) = SignCodec("code").compress(y)[0][0].numpy()
    assert string == np.packbits(y.numpy() >= 0).tobytes()


def test_signs_of_training_have_the_activation_as_their_mean():
  v = tf.repeat(tf.constant([[[[-1.0, -0.6, 0.0, 0.3, 1.0]]]]), 4000, axis=1)
  noise = Noise(1, 2, tf.constant([0]))
  with tf.GradientTape() as tape:
    tape.watch(v)
    signs, _ = SignCodec("code")(v, noise=noise)
  assert set(np.unique(signs)) == {-1.0, 1.0}
  np.testing.assert_allclose(
      np.mean(signs, axis=(0, 1, 2)), [-1.0, -0.6, 0.0, 0.3, 1.0], atol=0.05)
  np.testing.assert_array_equal(tape.gradient(signs, v), tf.ones_like(v))
  firm, _ = SignCodec("code", stochastic=False)(v, noise=noise)
  np.testing.assert_array_equal(firm, np.where(v >= 0, 1.0, -1.0))


def test_patches_of_fully_connected_networks_do_not_see_each_other():
  model = suite.ready(configs.get("toderici2016:fc-lstm-tiny").model)
  image = make_image(32, 32)
  other = image.copy()
  other[8:16, 16:24] = 255 - other[8:16, 16:24]
  a, b = (model.reconstruct(i)[0] for i in (image, other))
  differs = np.any(a != b, axis=-1)
  assert differs[8:16, 16:24].any()
  differs[8:16, 16:24] = False
  assert not differs.any()


def test_the_state_of_vric_goes_from_patch_to_patch():
  model = suite.ready(configs.get("vric:lstm-tiny").model)
  image = make_image(32, 32)
  other = image.copy()
  other[8:16, 16:24] = 255 - other[8:16, 16:24]
  a, b = (model(model.to_batch(i)).x_hat[0].numpy() for i in (image, other))
  differs = np.any(a != b, axis=-1)
  assert not differs[:8].any() and not differs[8:16, :16].any()
  assert differs[8:16, 16:24].any() and differs[16:].any()


@pytest.mark.parametrize(
    "reconstruction", [pytest.param("additive", marks=pytest.mark.slow), "scaled"])
def test_the_frameworks_of_2017_learn_and_code(reconstruction):
  arguments = configs.get("toderici2017:tiny").model.arguments.to_dict()
  model = suite.fresh(
      "toderici2017", **{
          **arguments, "iterations": 3, "reconstruction": reconstruction,
          "binary_rnn_width": 0})
  batch = tf.constant(make_image(64, 64)[None])
  model.compile(tf.keras.optimizers.Adam(2e-3), lmbda=0.01, distortion="mae")
  losses = suite.train(model, batch, 20)
  assert losses[-1] < losses[0]
  model.fix_tables()
  codec = LearnedCodec(model, b"abcd")
  image = make_image(37, 53)
  np.testing.assert_array_equal(
      codec.decode(codec.encode(image)), model.reconstruct(image)[0])
  if reconstruction == "scaled":
    gains = model._gain(model.to_batch(image))
    assert gains.shape == (1, 64, 64, 1) and np.all(gains > 1.0)
    assert len(np.unique(gains)) <= 4  # One for each block of 32x32.


def test_by_log_mse_the_stages_of_a_model_count_alike():
  """A stage with six times the error of another has six times the gradient of mse."""
  model = suite.ready(configs.get("toderici2016:fc-residual-tiny").model)
  x = tf.zeros([2, 16, 16, 3])
  errors = [tf.Variable(0.06), tf.Variable(0.06 / 6.0**0.5)]

  def shares(distortion):
    model.compile(tf.keras.optimizers.Adam(), lmbda=1.0, distortion=distortion)
    context = model.training_context(2)
    with tf.GradientTape() as tape:
      stages = tuple(x + error for error in errors)
      output = ModelOutput(stages[-1], {"code": tf.zeros([2])}, stages)
      loss, _ = model.objective(x, output, context)
    return [float(gradient * error) for gradient, error in zip(
        tape.gradient(loss, errors), errors)]

  first, last = shares("mse")
  assert first == pytest.approx(6.0 * last, rel=1e-3)
  first, last = shares("log-mse")
  assert first == pytest.approx(last, rel=1e-2) and first == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize("truncate, reached", [
    (0, [[0], [0, 1], [0, 1, 2]]), (1, [[0], [1], [2]]), (2, [[0], [0, 1], [2]])])
def test_truncated_gradients_reach_back_so_many_iterations(truncate, reached):
  """Each iteration of this network has an encoder of its own."""
  model = suite.ready(configs.get("toderici2016:fc-residual-tiny").model)
  model.compile(tf.keras.optimizers.Adam(), lmbda=1.0, truncate=truncate)
  x = model.to_batch(make_image(16, 16))
  with tf.GradientTape(persistent=True) as tape:
    stages = model(x, training=True, context=model.training_context(1)).stages
  found = [
      [number for number, encoder in enumerate(model.encoders)
       if tape.gradient(stage, encoder.trainable_variables[0]) is not None]
      for stage in stages]
  assert found == reached


def test_truncated_gradients_stop_in_states_and_still_reach_every_network():
  """Also those of states and gains, which only later iterations use."""
  model = suite.ready(configs.get("toderici2017:scaled-tiny").model)
  model.compile(tf.keras.optimizers.Adam(), lmbda=1.0, truncate=1)
  x = model.to_batch(make_image(64, 64))
  with tf.GradientTape(persistent=True) as tape:
    code, before = model._analyze(0, x, Progress())
    _, before = model._synthesize(0, code, before)
    stopped = tf.nest.flatten(model._detached(before)._replace(gain=None))
    stages = model(x, training=True, context=model.training_context(1)).stages
  for old, new in zip(tf.nest.flatten(before._replace(gain=None)), stopped):
    if old is not None:
      np.testing.assert_array_equal(new, old)
      assert tape.gradient(new, old) is None
  gradients = tape.gradient(stages, model.trainable_variables)
  assert all(gradient is not None for gradient in gradients)


def test_the_networks_of_2017_have_the_published_size():
  model = registry.create("toderici2017", cell="lstm", iterations=1)
  model.build_variables()
  for stack, millions in ((model.encoders[0], 17.1), (model.decoders[0], 18.3)):
    kernels = sum(int(tf.size(v)) for v in stack.weights if v.shape.rank == 4)
    assert kernels == pytest.approx(1e6 * millions, rel=0.005)


def test_priming_is_a_pass_for_the_state_alone():
  arguments = configs.get("johnston2018:tiny").model.arguments.to_dict()
  model = suite.fresh(
      "johnston2018", **{**arguments, "priming": 2, "diffusion": 0})
  x = model.to_batch(make_image(32, 32))
  residual = model.span * (x - 0.5)
  states = None
  for _ in range(3):
    expected, states = model.encoders[0](residual, states)
  code, progress = model._analyze(0, x, Progress())
  np.testing.assert_array_equal(code, expected)
  signs = tf.sign(code)
  states = None
  for _ in range(3):
    expected, states = model.decoders[0](signs, states)
  x_hat, progress = model._synthesize(0, signs, progress)
  np.testing.assert_array_equal(progress.x_hat, expected)
  # Without diffusion the second iteration is a single pass.
  expected, _ = model.encoders[0](
      residual - progress.x_hat, progress.encoder)
  np.testing.assert_array_equal(model._analyze(1, x, progress)[0], expected)


def test_distinct_weights_are_those_of_each_iteration():
  def parameters(**arguments):
    model = registry.create(
        "toderici2016", network="conv_residual", width=16, iterations=3,
        **arguments)
    return sum(int(tf.size(v)) for v in model.build_variables().weights)

  assert parameters() == 3 * parameters(distinct=False)


@pytest.mark.parametrize("name, arguments, message", [
    ("toderici2016", {"network": "gru"}, "`network` must be one of"),
    ("toderici2016", {"reconstruction": "half"}, "`reconstruction` must be one"),
    ("toderici2017", {"cell": "rnn"}, "`cell` must be one of"),
    ("vric", {"network": "conv_residual"}, "`patch` of conv_residual must be 32"),
    ("vric", {"network": "lstm", "iterations": 2}, "`iterations` of lstm must be 1")])
def test_wrong_arguments_are_refused(name, arguments, message):
  with pytest.raises(ValueError, match=message):
    registry.create(name, **arguments)
