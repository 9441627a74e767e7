"""Images, padding, gradients of bounds, and noise."""

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.ops import conv, image, padding, quantize
from tfc_models.ops.noise import Noise


def test_all_grey_levels_survive_the_way_in_and_out():
  levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
  np.testing.assert_array_equal(image.to_uint8(image.to_float(levels)), levels)
  rgb = image.rgb_from_gray(image.to_float(levels))
  assert rgb.shape == (1, 16, 16, 3)
  np.testing.assert_array_equal(
      image.to_uint8(image.gray_from_rgb(rgb)), levels)


def test_uint8_rounds_and_clips():
  x = tf.constant([-1.0, 0.49 / 255, 0.51 / 255, 2.0])
  np.testing.assert_array_equal(image.to_uint8(x), [0, 0, 1, 255])


@pytest.mark.parametrize("height, width, factor", [
    (1, 1, 64), (17, 33, 16), (64, 128, 64), (65, 127, 32)])
def test_padding_repeats_the_edge_and_is_cropped_away(height, width, factor):
  x = np.random.default_rng(0).random((2, height, width, 3))
  padded = padding.pad_to_multiple(tf.constant(x), factor).numpy()
  assert padded.shape == (2, padding.padded_size(height, factor),
                          padding.padded_size(width, factor), 3)
  expected = np.pad(x, [(0, 0), (0, padded.shape[1] - height),
                        (0, padded.shape[2] - width), (0, 0)], mode="edge")
  np.testing.assert_array_equal(padded, expected)
  np.testing.assert_array_equal(padding.crop(padded, height, width), x)


def test_gradients_pass_a_bound_only_on_their_way_back():
  x = tf.constant([-2.0, -2.0, 0.5, 2.0, 2.0])
  direction = tf.constant([1.0, -1.0, 1.0, 1.0, -1.0])
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = quantize.clip_towards(x, -1.0, 1.0)
    loss = tf.reduce_sum(y * direction)
  np.testing.assert_array_equal(y, [-1.0, -1.0, 0.5, 1.0, 1.0])
  # Descent moves against the gradient.
  np.testing.assert_array_equal(
      tape.gradient(loss, x), [0.0, -1.0, 1.0, 1.0, 0.0])


def noise(samples, seed=1, step=2, stream="y"):
  like = tf.zeros((len(samples), 8, 8, 3))
  return Noise(seed, step, tf.constant(samples)).uniform(like, stream).numpy()


def test_noise_does_not_depend_on_how_a_batch_is_split():
  whole = noise([0, 1, 2, 3])
  np.testing.assert_array_equal(whole[2:], noise([2, 3]))


def test_noise_is_uniform_and_differs_by_everything_it_depends_on():
  draws = [noise([0]), noise([1]), noise([0], seed=2), noise([0], step=3),
           noise([0], stream="z")]
  for i, one in enumerate(draws):
    assert -0.5 <= one.min() < -0.45 and 0.45 < one.max() < 0.5
    assert abs(one.mean()) < 0.07 and abs(one.var() - 1 / 12) < 0.02
    for other in draws[:i]:
      assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.25


def test_noise_is_bit_equal_in_eager_graph_and_xla():
  def draw(step):
    return Noise(1, step, tf.range(2)).uniform(tf.zeros((2, 8, 8, 3)), "y")

  eager = draw(tf.constant(7))
  for compiled in (False, True):
    function = tf.function(draw, jit_compile=compiled)
    np.testing.assert_array_equal(eager, function(tf.constant(7)))


@pytest.mark.parametrize("size, strides", [(16, 8), (9, 4), (5, 2), (4, 2), (3, 1)])
def test_subpixel_form_equals_the_transposed_convolution(size, strides):
  rng = np.random.default_rng(size)
  x = tf.constant(rng.normal(size=(2, 5, 7, 4)), tf.float32)
  kernel = tf.constant(rng.normal(size=(size, size, 3, 4)), tf.float32)
  expected = tf.nn.conv2d_transpose(
      x, kernel, [2, 5 * strides, 7 * strides, 3], strides, "SAME")
  np.testing.assert_allclose(
      conv.subpixel_conv_transpose(x, kernel, strides), expected, atol=1e-4)
