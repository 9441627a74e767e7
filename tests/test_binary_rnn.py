"""The entropy coder of recurrent codecs, and bits where they are needed."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import suite
from tests.conftest import make_image
from tfc_models import bitstream, configs
from tfc_models.codecs import FileOptions, LearnedCodec
from tfc_models.entropy_models import (
  BernoulliCodec,
  SignParams,
)
from tfc_models.errors import BitstreamError, DesyncError, UsageError
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
    # All sites at once, as in training and not rounded, say the same as the walk.
    at_once, _ = coder(code, t, before, Noise(0, 0, [0]))
    np.testing.assert_allclose(at_once, bits, rtol=1e-2)
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


@pytest.mark.slow
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
  assert np.all(stopped.read(b"").stopped)
  with pytest.raises(BitstreamError, match="stopped before"):
    stopped.read(bytes([9]))
  for other, settings in ((without, Settings(tile_psnr=20.0)),
                          (codec, Settings(tile_psnr=20.0, raw_bits=True))):
    with pytest.raises(UsageError, match="tile_psnr needs the entropy coder"):
      other.encode(image, settings)
