"""Importance maps: levels are coded, channels beyond them are not, and maps learn."""

import numpy as np
import pytest
import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tests.conformance import causal
from tfc_models import configs, registry
from tfc_models.entropy_models import (
    STILL,
    AutoregressiveCodec,
    FactorizedCodec,
    ImportanceCodec,
    LevelCodec,
    MaskedCodec,
)
from tfc_models.modeling import weights
from tfc_models.ops.noise import Noise
from tfc_models.transforms.importance import LevelContext

LEVELS, DEPTH = 4, 8


def walk(codec, context):
  return AutoregressiveCodec(codec, context, lambda outputs: outputs, name="walk")


def noise(step=0):
  return Noise(0, step, tf.constant([0]))


def level_codec():
  context = LevelContext(LEVELS)
  codec = LevelCodec(LEVELS, np.arange(context.contexts) // context.ways)
  codec.fix_tables()
  return codec, context


def smooth(shape=(1, 9, 13, 1)):
  rows, columns = np.mgrid[:shape[1], :shape[2]]
  t = 2.0 + 2.0 * np.sin(rows / 3.0) * np.cos(columns / 4.0)
  return tf.constant(np.broadcast_to(t[None, ..., None], shape), tf.float32)


def test_levels_are_walked_by_their_neighbours():
  codec, context = level_codec()
  causal.check(context, codec, lambda outputs: outputs, smooth(), tf.zeros([1, 9, 13, 0]))
  assert float(tf.reduce_max(context(tf.fill([1, 5, 5, 1], 4.0), None))) < context.contexts


def test_tables_hold_every_level():
  codec, context = level_codec()
  codec.logits.assign(30.0 * codec.logits)  # Others are next to impossible.
  codec.fix_tables()
  for level in range(LEVELS + 1):
    y = tf.fill([1, 40, 1, 1], float(level))
    (string,), y_hat = codec.compress(y, tf.zeros_like(y))
    np.testing.assert_array_equal(
        codec.decompress([string], (40, 1, 1), tf.zeros_like(y)), y_hat)
    np.testing.assert_array_equal(y_hat, y)


def test_levels_in_training_are_those_beside_t_and_t_on_average():
  codec, _ = level_codec()
  y = tf.fill([1, 50, 50, 1], 1.3)
  y_hat, bits = codec.price(y, tf.zeros_like(y), noise())
  assert set(np.unique(y_hat)) == {1.0, 2.0}
  assert float(tf.reduce_mean(y_hat)) == pytest.approx(1.3, abs=0.03)
  # As many bits on average as these levels take.
  _, each = codec.price(y_hat, tf.zeros_like(y), STILL)
  assert float(tf.reduce_mean(each)) == pytest.approx(float(bits[0, 0, 0, 0]), rel=0.03)


def test_only_as_many_channels_as_the_level_says_are_coded():
  codec, context = level_codec()
  y = tf.constant(np.random.default_rng(0).normal(0, 5, (1, 9, 13, DEPTH)), tf.float32)
  logits = tf.math.log(smooth() + 0.01) - tf.math.log(LEVELS + 0.02 - smooth())
  whole = ImportanceCodec(
      lambda y: logits, walk(codec, context),
      MaskedCodec(FactorizedCodec(DEPTH, "y", certain=True)), LEVELS, DEPTH)
  whole.codec.codec.fix_tables()
  strings, y_hat = whole.compress(y)
  np.testing.assert_array_equal(whole.decompress(strings, y.shape[1:]), y_hat)
  level = np.round(LEVELS * tf.sigmoid(logits))
  assert len(np.unique(level)) == LEVELS + 1
  kept = np.arange(DEPTH) * LEVELS // DEPTH < level
  np.testing.assert_array_equal(y_hat, np.where(kept, np.round(y), 0.0))
  with pytest.raises(ValueError, match="multiple of 3 levels, got 8"):
    ImportanceCodec(lambda y: logits, codec, codec, 3, DEPTH)


@pytest.mark.parametrize("worth, rises", [(0.05, False), (5.0, True)])
def test_a_level_rises_where_its_channels_are_worth_their_bits(worth, rises):
  """At the middle between levels, of which each is taken as often."""
  codec, context = level_codec()
  codec.logits.assign(0.0 * codec.logits)
  y = 4.0 * tf.ones([1, 20, 20, DEPTH])
  logit = tf.Variable(0.2)
  whole = ImportanceCodec(
      lambda y: tf.fill([1, 20, 20, 1], 1.0) * logit, walk(codec, context),
      MaskedCodec(FactorizedCodec(DEPTH, "y", certain=True)), LEVELS, DEPTH)
  slope = 0.0
  for step in range(4):
    with tf.GradientTape() as tape:
      y_hat, bits = whole(y, noise=noise(step))
      loss = worth * tf.reduce_sum(tf.square(y - y_hat)) + tf.add_n(
          [tf.reduce_sum(each) for each in bits.values()])
    slope += float(tape.gradient(loss, logit))
  assert (slope < 0) == rises


def test_a_sender_that_looks_finds_the_level_that_costs_least():
  codec, context = level_codec()
  whole = ImportanceCodec(
      None, walk(codec, context),
      MaskedCodec(FactorizedCodec(DEPTH, "y", certain=True)), LEVELS, DEPTH, worth=3.0)
  whole.codec.codec.fix_tables()
  y = tf.constant(np.random.default_rng(0).normal(0, 2, (1, 9, 13, DEPTH)), tf.float32)
  y_hat, bits = whole.codec.codec.price(y)
  groups = np.arange(DEPTH) * LEVELS // DEPTH
  costs = [
      tf.reduce_sum(kept * bits + 3.0 * tf.square(y - kept * y_hat), axis=-1)
      for kept in (np.float32(groups < level) for level in range(LEVELS + 1))]
  level = whole.importance(y)
  np.testing.assert_array_equal(level[..., 0], np.argmin(costs, axis=0))
  assert len(np.unique(level)) > 2
  # These are the levels that files have, and those of training.
  strings, decoded = whole.compress(y)
  np.testing.assert_array_equal(whole.decompress(strings, y.shape[1:]), decoded)
  np.testing.assert_array_equal(decoded, np.where(groups < level, y_hat, 0.0))
  trained, _ = whole(y, noise=noise())
  # Kept ones are noisy, never zero.
  np.testing.assert_array_equal(trained != 0, np.broadcast_to(groups < level, y.shape))


def test_the_parts_of_the_poster_can_be_had_one_by_one():
  latents, baseline = latents_and_weights("balle-li:baseline")
  assert (latents, baseline) == latents_and_weights("bmshj2018_factorized:low")
  _, deeper = latents_and_weights("balle-li:deeper-baseline")
  assert deeper - baseline == 3 * 2 * (9 * 128 * 128 + 128)
  latents, mapped = latents_and_weights("balle-li:low")
  assert latents == ("map", "y_masked") and baseline < mapped < 1.2 * baseline


def latents_and_weights(recipe):
  config = configs.get(recipe)
  model = registry.create(
      config.model.name, **config.model.arguments).build_variables()
  for part in config.train.rates:
    assert any(weights.is_below(path, [part]) for path in weights.variables_by_path(model))
  return model.latents, sum(int(np.prod(v.shape)) for v in model.trainable_variables)
