"""Attention looks at all of an image, at linear cost; elements are joined with z."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import causal
from tests.conftest import make_image
from tests.test_starts import half_quiet
from tfc_models import configs, metrics, registry
from tfc_models.entropy_models import (
    INDEX_UNIT,
    GaussianCodec,
    integer_bits,
    params_from_integers,
)
from tfc_models.layers import ExactAttention, NonLocalAttention
from tfc_models.layers.non_local import NonLocal
from tfc_models.transforms.context_3d import JointContext3D

# Of a model without shipped weights.
pytestmark = pytest.mark.slow


def features(shape, seed=0):
  return tf.constant(np.random.default_rng(seed).normal(0, 1, shape), tf.float32)


def awake(layer, x):
  """Returns a layer whose zeros are none."""
  layer(x)
  rng = np.random.default_rng(1)
  for variable in layer.trainable_variables:
    if not np.any(variable):
      variable.assign(0.3 * rng.normal(size=variable.shape))
  return layer


def test_small_images_are_looked_at_site_by_site():
  x = features((2, 5, 7, 4))
  layer = awake(NonLocal(4), x)
  query, key, value = (
      tf.reshape(embed(x), [2, 35, 2]) for embed in (layer.theta, layer.phi, layer.g))
  weights = tf.nn.softmax(tf.einsum("bid,bjd->bij", query, key))
  seen = tf.reshape(tf.einsum("bij,bjd->bid", weights, value), [2, 5, 7, 2])
  np.testing.assert_allclose(layer(x), x + layer.last(seen), atol=1e-5)


def test_large_images_are_looked_at_in_cells():
  """Each site in one of them: what is constant in a cell is all that counts."""
  x = features((1, 40, 33, 4))
  layer = awake(NonLocal(4), x)
  cell = np.float32(np.arange(40) * 16 // 40 == 3)
  ripple = cell * (np.arange(40) % 2 - np.mean((np.arange(40) % 2)[cell > 0]))
  moved = x + tf.constant(np.float32(ripple)[None, :, None, None])
  changed = np.abs((layer(moved) - moved) - (layer(x) - x)).max(axis=(0, 2, 3))
  # Only queries of the sites themselves have changed.
  assert np.all((changed > 1e-5) == (ripple != 0))


@pytest.mark.parametrize("kind", [NonLocalAttention, ExactAttention])
def test_attention_starts_near_the_identity_and_masks(kind):
  x = tf.round(50.0 * features((1, 6, 8, 4)))
  layer = kind(4)
  np.testing.assert_allclose(layer(x), x, rtol=0.01, atol=1.0)
  awake(layer, x)
  layer.branch[-1].bias.assign([4.0] * 4)
  if kind is ExactAttention:
    for module in layer.submodules:
      if hasattr(module, "fix_tables"):
        module.fix_tables()
    np.testing.assert_array_equal(layer(x), np.round(layer(x)))
  assert float(tf.reduce_max(tf.abs(layer(x) - x))) > 3.0


def test_elements_are_walked_given_their_side_information():
  tf.keras.utils.set_random_seed(3)
  network = JointContext3D(integer_bits(1, means=True), features=6, widths=(8, 8))
  codec = GaussianCodec("y", "round", fixed_grid=True)
  codec.fix_tables()
  y = 4.0 * features((2, 6, 5, 7))
  side = tf.round(20.0 * features((2, 7, 6, 5, 2), seed=4))
  network(tf.zeros([2, 7, 6, 5, 1]), side)
  for layer in (network.context, *network.parameters):
    layer.kernel.assign(2.0 * layer.kernel)
    layer.fix_tables()
  causal.check(network, codec, lambda outputs: params_from_integers(
      outputs, means=True), y, side)


@pytest.mark.slow
def test_weights_start_as_a_transform_codec():
  tf.keras.utils.set_random_seed(0)
  images = np.stack([make_image(64, 64, seed=seed) for seed in range(8)])
  model = registry.create("nlaic", num_filters=96, latent_depth=192, side_depth=8)
  model.prepare([images], 0.1)
  decoded, bits = model.reconstruct(images[0])
  assert float(metrics.psnr(images[0], decoded)) > 32.0
  # Priced by the scales of its channels: by one for all it would be much more.
  assert bits / 64**2 < 4.0


def test_a_start_knows_where_an_image_is_quiet():
  tf.keras.utils.set_random_seed(3)
  model = registry.create("nlaic", num_filters=16, latent_depth=24, side_depth=16)
  model.prepare([np.stack([half_quiet(seed) for seed in range(8)])], 0.013)
  codec = model.latent_codec
  y = model.analyze(tf.constant(half_quiet(20)[None], tf.float32) / 255.0)
  said = codec.params_of(tf.round(codec.analyze(y))).numpy()
  # (B, M, H, W, 2): what is an index, in 1/16 of the unit that is 8 of them.
  indexes = said[0, ..., 0] / 16.0 * INDEX_UNIT
  quiet, loud = indexes[:, :, :6], indexes[:, :, 10:]
  assert np.mean(loud) - np.mean(quiet) > 8.0


def test_the_prior_takes_the_transforms_of_others():
  model = registry.create(**{"name": "nlaic", **configs.get("nlaic:tiny-gdn").model.arguments})
  others = registry.create("mbt2018-mean", num_filters=8, latent_depth=8)
  for each in (model, others):
    each.build_variables()
  for part in ("analysis_transform", "synthesis_transform"):
    assert [v.shape for v in getattr(model, part).variables] == [
        v.shape for v in getattr(others, part).variables]
