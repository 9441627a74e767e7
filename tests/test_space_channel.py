"""Context of halves of a checkerboard and groups of channels."""

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.entropy_models import NUM_SCALES, scale_from_index
from tfc_models.layers import Condition, as_real
from tfc_models.ops import checkerboard
from tfc_models.transforms.space_channel import SpaceChannelNetwork

SCALES = scale_from_index(np.arange(NUM_SCALES, dtype=np.float32)).numpy()


def test_halves_are_those_of_a_checkerboard_and_make_the_whole():
  x = tf.random.stateless_normal([2, 4, 6, 3], [1, 2])
  first, second = (checkerboard.half(x, number) for number in (0, 1))
  np.testing.assert_array_equal(checkerboard.whole(first, second), x)
  row, column = np.mgrid[:4, :6]
  white = ((row + column) % 2 == 0)[..., None]
  np.testing.assert_array_equal(checkerboard.whole(first), np.where(white, x, 0.0))


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("number", [0, 1])
def test_a_convolution_of_surroundings_is_one_at_the_sites_of_a_half(size, number):
  x = tf.random.stateless_normal([2, 8, 6, 3], [1, 2])
  kernel = tf.random.stateless_normal([size, size, 3, 4], [3, 4])
  np.testing.assert_allclose(
      tf.nn.conv2d(checkerboard.surroundings(x, number, size), kernel, 2, "VALID"),
      checkerboard.half(tf.nn.conv2d(x, kernel, 1, "SAME"), number), atol=1e-5)


@pytest.fixture(scope="module")
def network():
  """A network that says something in every pass."""
  network = SpaceChannelNetwork((2, 3), 8, np.ones([1, 1], np.float32), SCALES)
  told = Condition(tf.ones([4, 1]), tf.zeros([4], tf.int32))
  features, before = tf.zeros([2, 8, 8, 5]), []
  for group, depth in enumerate((2, 3)):
    for half in (0, 1):
      network.outputs(group, half, features, before,
                      tf.zeros([4, 4, 4, 2 * depth]), told)
    before.append(tf.zeros([2, 8, 8, 2 * depth]))
  for seed, each in enumerate(network.passes):
    kernel = each.last.kernel
    kernel.assign(tf.random.stateless_normal(kernel.shape, [seed, 1], stddev=0.1))
    each.last.fix_tables()
  return network


def outputs(network, group, half, before, first):
  told = Condition(tf.ones([4, 1]), tf.zeros([4], tf.int32))
  return network.outputs(
      group, half, tf.zeros([2, 8, 8, 5]), before, first, told).numpy()


def test_a_pass_sees_what_was_decoded_before_it(network):
  rng = np.random.default_rng(0)

  def numbers(*shape):
    return tf.constant(np.float32(rng.integers(-150, 150, shape)))

  before, first = [numbers(2, 8, 8, 4)], numbers(4, 4, 4, 6)
  base = [outputs(network, 1, half, before, first) for half in (0, 1)]
  # The first half: all of the groups before. The second: the first half too.
  assert np.any(base[0] != outputs(network, 1, 0, [0.0 * before[0]], first))
  assert np.any(base[1] != outputs(network, 1, 1, [0.0 * before[0]], first))
  assert np.any(base[1] != outputs(network, 1, 1, before, 0.0 * first))
  # One site is seen within two sites of it, and there alone.
  dot = np.zeros([2, 8, 8, 6], np.float32)
  dot[0, 4, 4] = 100.0
  silent = np.zeros_like(dot)
  moved = [
      outputs(network, 1, 1, before, checkerboard.half(x, 0)) for x in (dot, silent)]
  moved = np.any(moved[0] != moved[1], axis=-1)[..., None]
  moved = np.argwhere(checkerboard.whole(tf.zeros([4, 4, 4, 1]), tf.cast(
      moved, tf.float32)).numpy()[..., 0])
  assert len(moved) and set(moved[:, 0]) == {0}
  assert np.abs(moved[:, 1:] - 4).max() == 2


def test_residuals_count_standard_deviations(network):
  indexes = tf.constant(np.float32(np.arange(64)).reshape(1, 8, 8, 1))
  loc = tf.round(tf.random.stateless_normal([1, 8, 8, 1], [1, 2], 0, 640)) / 64.0
  y_hat = loc + tf.round(scale_from_index(indexes)) * 1.5 + 1.0
  exact = network.residuals(y_hat, indexes, loc).numpy()
  np.testing.assert_array_equal(exact, np.round(exact))
  expected = (y_hat - loc) / (scale_from_index(indexes) + 0.5)
  np.testing.assert_allclose(exact[..., :1] / 32.0, expected, atol=0.03)
  np.testing.assert_array_equal(exact[..., 1:], np.abs(exact[..., :1]))
  with as_real():
    real = network.residuals(y_hat, indexes, loc).numpy()
  np.testing.assert_allclose(exact, real, atol=1.0)


def test_refined_means_are_multiples_of_a_unit_and_near_the_real_ones(network):
  rng = np.random.default_rng(0)
  indexes = tf.constant(np.float32(rng.integers(0, 64, [2, 4, 4, 3])))
  loc = tf.constant(np.float32(rng.integers(-999, 999, [2, 4, 4, 3]) / 64.0))
  said = tf.constant(np.float32(rng.integers(-255, 255, [2, 4, 4, 6])))
  more, mean = network.refined(indexes, loc, said)
  np.testing.assert_array_equal(mean * 64.0, np.round(mean * 64.0))
  np.testing.assert_array_equal(more, indexes + said[..., 3:])
  with as_real():
    _, real = network.refined(indexes, loc, said)
  np.testing.assert_allclose(
      mean, real, rtol=0, atol=float(tf.reduce_max(np.abs(real - loc))) * 0.05 + 0.01)
