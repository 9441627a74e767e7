"""The entropy coder of recurrent codecs, and bits where they are needed."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream, configs, metrics
from tfc_models.codecs import FileOptions, LearnedCodec
from tfc_models.entropy_models import (
  BernoulliCodec,
  SignParams,
  read_flags,
  write_flags,
)
from tfc_models.errors import BitstreamError, DesyncError, UsageError
from tfc_models.inspection import progressive
from tfc_models.layers import Lookup, lstm_step
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings
from tfc_models.models.families.iteration_coder import BinaryRNN, Past
from tfc_models.models.families.stopping import Tiles
from tfc_models.ops.noise import Noise

DEPTH = 3


@functools.cache
def make_coder():
  """Returns a coder with random weights of which much comes out."""
  tf.keras.utils.set_random_seed(0)
  coder = BinaryRNN(iterations=3, depth=DEPTH, width=5)
  past = Past()
  for t in range(3):
    _, past = coder(signs((1, 2, 2)), t, past)
  for variable in coder.trainable_variables:
    variable.assign(2.0 * variable)
  for module in coder.submodules:
    if hasattr(module, "fix_tables"):
      module.fix_tables()
  return coder


def signs(shape, seed=0):
  rng = np.random.default_rng(seed)
  return tf.constant(rng.choice([-1.0, 1.0], (*shape, DEPTH)), tf.float32)


@pytest.mark.parametrize("shape", [
    (1, 1, 1), (1, 1, 6), (1, 6, 1), (1, 7, 2), (2, 9, 11)])
def test_signs_survive_and_each_is_predicted_from_what_came_before(shape):
  coder = make_coder()
  before = sent = received = Past()
  for t in range(3):
    code = signs(shape, seed=t)
    strings, found, sent = coder.compress(code, t, sent)
    np.testing.assert_array_equal(found, code)
    decoded, received = coder.decompress(strings, t, code.shape[1:], received)
    np.testing.assert_array_equal(decoded, code)
    bits, after = coder(code, t, before)
    # All sites at once, as in training, say the same as the walk.
    at_once, _ = coder(code, t, before, Noise(0, 0, [0]))
    np.testing.assert_allclose(at_once, bits, rtol=1e-3)
    before = after


def test_a_batch_codes_as_its_images_do():
  coder = make_coder()
  code = signs((2, 6, 7))
  _, past = coder(code, 0, Past())
  strings, _, _ = coder.compress(code, 1, past)
  for n in (0, 1):
    _, one = coder(code[n:n + 1], 0, Past())
    assert coder.compress(code[n:n + 1], 1, one)[0][0][0] == strings[0][n]


def test_predictions_use_the_row_above_and_the_iteration_before():
  coder = make_coder()
  code = signs((1, 8, 9))

  def logits(t, code, past):
    side = coder._side(t, tf.shape(code), past)
    return coder.predictors[t](code, side).numpy()

  _, past = coder(code, 0, Past())
  expected = logits(1, code, past)
  _, other_past = coder(signs((1, 8, 9), seed=7), 0, Past())
  assert np.mean(logits(1, code, other_past)[..., :DEPTH] != expected[..., :DEPTH]) > 0.5
  changed = code.numpy()
  changed[0, 3, 4] *= -1.0
  differs = np.any(logits(1, changed, past) != expected, axis=-1)[0]
  assert not differs[:3].any() and not differs[3, :5].any()
  # The state of the rows carries it beyond the three rows of the mask.
  assert differs[3, 5] and differs[4].any() and differs[7].any()


def test_bits_follow_probabilities_and_the_coder_keeps_to_them():
  codec = BernoulliCodec("bits")
  codec.fix_tables()
  rng = np.random.default_rng(0)
  shape = (1, 40, 50, 8)
  logits = rng.integers(-127, 128, shape)
  y = tf.constant(rng.uniform(0, 1, shape) - 1 / (1 + np.exp(logits / 16)), tf.float32)
  params = SignParams(tf.constant(logits, tf.float32))
  y_hat, bits = codec(y, params)
  np.testing.assert_array_equal(y_hat, np.where(y >= 0, 1.0, -1.0))
  _, trained = codec(y, params, Noise(0, 0, [0]))
  np.testing.assert_allclose(bits["bits"], trained["bits"], rtol=1e-3)
  (strings,), _ = codec.compress(y, params)
  assert len(strings.numpy()[0]) == pytest.approx(
      float(bits["bits"][0]) / 8, rel=1e-3, abs=4)
  np.testing.assert_array_equal(
      codec.decompress([strings], shape[1:], params), y_hat)
  sure = SignParams(params.logits, tf.ones([1, 40, 50, 1], bool))
  (strings,), y_hat = codec.compress(y, sure)
  np.testing.assert_array_equal(y_hat, np.where(logits >= 0, 1.0, -1.0))
  assert len(strings.numpy()[0]) <= 2 + 2  # With the digest.


def test_learning_lowers_the_bits_and_leaves_the_transforms_alone():
  spec = configs.get("toderici2017:gru-coded-tiny")
  assert spec.model.arguments.stochastic is False
  model = suite.fresh(spec.model.name, **spec.model.arguments)
  model.compile(
      tf.keras.optimizers.Adam(1e-2), lmbda=0.1, freeze=spec.train.freeze)
  trained = {id(variable) for variable in model.controls.trained["main"]}
  assert trained == {id(v) for v in model.binary_rnn.trainable_variables}
  batch = tf.constant(np.stack([make_image(64, 64, seed=s) for s in (1, 2)]))
  rates = suite.train(model, batch, 30, "bpp")
  assert rates[-1] < 0.8 * rates[0]
  with tf.GradientTape() as tape:
    x = tf.cast(batch, tf.float32) / 255.0
    output = model(x, training=True, context=model.training_context(2))
  gradients = tape.gradient(
      output.bits["code"], model.encoders[0].trainable_variables,
      unconnected_gradients="zero")
  assert not any(np.any(gradient) for gradient in gradients)


@functools.cache
def make_codec():
  model = suite.tiny("toderici2017")
  assert model.binary_rnn
  return LearnedCodec(model, b"abcd")


def test_raw_bits_stay_a_mode():
  codec = make_codec()
  image = make_image(70, 90)
  chunks = bitstream.read(codec.encode(image)).chunks
  assert [chunk.type for chunk in chunks] == [bitstream.PREDICTED_ITERATION] * 2
  raw = codec.encode(image, Settings(raw_bits=True))
  chunks = bitstream.read(raw).chunks
  assert [chunk.type for chunk in chunks] == [bitstream.ITERATION] * 2
  np.testing.assert_array_equal(codec.decode(raw), codec.decode(codec.encode(image)))
  small = make_image(32, 32)
  thumbnail = codec.encode(small, options=FileOptions(thumbnail=True))
  np.testing.assert_array_equal(
      codec.decode(thumbnail), codec.decode(codec.encode(small)))


def test_a_flipped_prediction_is_noticed(monkeypatch):
  codec = make_codec()
  data = codec.encode(make_image(70, 90))
  layer = codec.model.binary_rnn.state_convs[0]
  monkeypatch.setattr(layer, "call", lambda x, call=layer.call: call(x) + 9.0)
  with pytest.raises(DesyncError, match="came out different"):
    codec.decode(data)


def test_what_is_not_of_the_model_is_refused():
  codec, image = make_codec(), make_image(40, 50)
  header, chunks, *_ = bitstream.read(codec.encode(image))
  without = LearnedCodec(suite.tiny("johnston2018"), b"abcd")
  for wrong in (chunks[0]._replace(strings=chunks[0].strings[1:]),
                chunks[0]._replace(type=bitstream.ITERATION)):
    with pytest.raises(BitstreamError, match="holds something else"):
      codec.decode(bitstream.write(header, [wrong]))
  other = dataclasses.replace(header, model="johnston2018")
  with pytest.raises(BitstreamError, match="holds something else"):
    without.decode(bitstream.write(other, chunks))
  def flagged(number, flags):
    changed = list(chunks)
    changed[number] = chunks[number]._replace(
        strings=(flags, chunks[number].strings[1]))
    return bitstream.write(header, changed)

  for number, flags, reason in [
      (1, bytes([0]) + b"xyz", "flags of which none"),
      (0, bytes([9]), "before the first")]:
    with pytest.raises(BitstreamError, match=reason):
      codec.decode(flagged(number, flags))
  stopped = Tiles(np.ones([2, 2], bool), 32)
  assert stopped.read(b"") is stopped
  with pytest.raises(BitstreamError, match="stopped before"):
    stopped.read(bytes([9]))
  for other, settings in ((without, Settings(tile_psnr=20.0)),
                          (codec, Settings(tile_psnr=20.0, raw_bits=True))):
    with pytest.raises(UsageError, match="tile_psnr needs the entropy coder"):
      other.encode(image, settings)


@functools.cache
def adaptive():
  """Returns a codec, an image, a tile_psnr and the file where some tiles stop."""
  arguments = configs.get("toderici2017:tiny").model.arguments.to_dict()
  model = suite.fresh("toderici2017", **{
      **arguments, "iterations": 4, "reconstruction": "additive"})
  model.fix_tables()
  codec = LearnedCodec(model, b"abcd")
  image = make_image(100, 150)
  image[:40, :70] = 120  # Good enough at once.
  first = codec.decode(codec.encode(image, Settings(iterations=1)))
  tile = metrics.psnr(image[:32, :64], first[:32, :64])
  return codec, image, tile - 1.0


def test_tiles_that_are_good_enough_take_no_bits():
  codec, image, psnr = adaptive()
  data = codec.encode(image, Settings(tile_psnr=psnr))
  chunks = bitstream.read(data).chunks
  flags = [chunk.strings[0] for chunk in chunks]
  assert flags[0] == b"" and len(flags[1]) > 1
  plain = bitstream.read(codec.encode(image)).chunks
  assert len(chunks[1].strings[1]) < len(plain[1].strings[1])
  images = list(codec.decode_progressively(data))
  for found, (_, sent) in zip(images, codec.model.compress_progressively(
      image, Settings(tile_psnr=psnr))):
    np.testing.assert_array_equal(found, sent)
  # They stay as they are, the others do not.
  np.testing.assert_array_equal(images[0][:32, :64], images[-1][:32, :64])
  assert np.any(images[0][64:] != images[-1][64:])
  # Prefixes are valid.
  ends = [len(codec.encode(image, Settings(tile_psnr=psnr, iterations=k)))
          for k in (1, 2, 3)]
  for end, expected in zip(ends, images):
    np.testing.assert_array_equal(
        codec.decode(data[:end], allow_partial=True), expected)


def test_the_table_of_iterations_says_what_coder_and_tiles_save():
  codec, image, psnr = adaptive()
  plain = progressive.stages(codec, [image])
  for k in (1, 4):
    data = codec.encode(image, Settings(iterations=k))
    assert plain.num_bytes[k - 1] == len(data)
    assert plain.psnr[k - 1] == metrics.psnr(image, codec.decode(data))
    raw = codec.encode(image, Settings(iterations=k, raw_bits=True))
    assert abs(plain.raw_bytes[k - 1] - len(raw)) <= 3 * k
  found = progressive.stages(codec, [image], psnr)
  assert found.num_bytes[-1] == len(codec.encode(image, Settings(tile_psnr=psnr)))
  saved = progressive.saved_at_equal_psnr(
      plain._replace(psnr=np.array([20.0, 22, 24, 26]),
                     num_bytes=np.array([100.0, 200, 300, 400])),
      found._replace(psnr=np.array([25.0]), num_bytes=np.array([280.0])))
  assert saved == pytest.approx(0.2)
  lines = progressive.table(plain, 15000)
  assert len(lines) == 6 and lines[2].startswith(
      f"| 1 | {plain.raw_bytes[0]:.0f} | {plain.num_bytes[0]:.0f} | ")


def test_an_image_whose_tiles_have_all_stopped_ends_there():
  codec, image, _ = adaptive()
  chunks = bitstream.read(codec.encode(image, Settings(tile_psnr=1.0))).chunks
  assert len(chunks) == 1
  assert codec.encode(image, Settings(tile_psnr=99.0)) == codec.encode(image)


def test_flags_take_bytes_only_where_some_are_true():
  assert write_flags(np.zeros(9, bool)) == b""
  rng = np.random.default_rng(0)
  for count, share in [(1, 1.0), (7, 0.5), (384, 0.03), (384, 1.0), (384, 0.97)]:
    flags = rng.uniform(size=count) < share
    np.testing.assert_array_equal(read_flags(write_flags(flags), count), flags)
  rare = np.arange(384) % 40 == 0
  assert len(write_flags(rare).numpy()) < 14
  assert not len(read_flags(b"", 0))


def test_the_command_line_takes_tiles_and_raw_bits(tmp_path):
  codec, image, psnr = adaptive()
  weights.save(codec.model, tmp_path / "model.npz")
  Image.fromarray(image).save(tmp_path / "a.png")
  sizes = {}
  for name, more in {"plain": [], "raw": ["--raw_bits"],
                     "tiles": [f"--tile_psnr={psnr}"]}.items():
    out = tmp_path / f"{name}.tfcm"
    assert tfcm("compress", tmp_path / "a.png", "--model", tmp_path / "model.npz",
                "-o", out, *more)[0] == 0
    sizes[name] = out.stat().st_size
    assert tfcm("decompress", out, "--model_path", tmp_path / "model.npz",
                "-o", tmp_path / f"{name}.png")[0] == 0
  assert sizes["tiles"] < sizes["plain"] != sizes["raw"]
  fails(1, "tile_psnr needs the entropy coder", "compress", tmp_path / "a.png",
        "--model", tmp_path / "model.npz", "--tile_psnr=20", "--raw_bits", "-o",
        tmp_path / "x.tfcm")


@pytest.mark.parametrize("kind, function", [
    ("tanh", np.tanh), ("sigmoid", lambda x: 1 / (1 + np.exp(-x)))])
def test_stored_functions_are_the_real_ones_within_half_a_step(kind, function):
  lookup = Lookup(kind)
  x = tf.range(-1500.0, 1501.0)
  values = lookup(x).numpy()
  np.testing.assert_array_equal(values, np.round(values))
  np.testing.assert_allclose(values / 128, function(x.numpy() / 128), atol=0.0041)
  np.testing.assert_allclose(
      lookup(x, exact=False) / 128, function(x.numpy() / 128), atol=1e-6)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = lookup(x)
  slope = tape.gradient(y, x).numpy()
  real = function(x.numpy() / 128)
  expected = 1 - real**2 if kind == "tanh" else real * (1 - real)
  np.testing.assert_allclose(slope, expected, atol=1e-5)
  # The table is a weight: it says what comes out.
  lookup.table.assign_add(tf.ones_like(lookup.table))
  np.testing.assert_array_equal(lookup(x), values + 1)


def test_the_fixed_point_lstm_follows_the_real_one():
  tanh, sigmoid = Lookup("tanh"), Lookup("sigmoid")
  rng = np.random.default_rng(0)
  memory = real_memory = tf.zeros([4, 6])
  for _ in range(20):
    gates = tf.constant(rng.integers(-400, 401, (4, 24)), tf.float32)
    hidden, memory = lstm_step(gates, memory, tanh, sigmoid)
    real, real_memory = lstm_step(gates, real_memory, tanh, sigmoid, exact=False)
    for integers in (hidden, memory):
      np.testing.assert_array_equal(integers, np.round(integers))
    np.testing.assert_allclose(hidden / 128, real / 128, atol=0.04)
