"""Residual transforms, two passes, and what is particular to these models."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import waking
from tests.conftest import make_image
from tests.test_models import parameters
from tfc_models import configs, metrics, registry
from tfc_models.codecs import LearnedCodec
from tfc_models.entropy_models import (
  GaussianCodec,
  GaussianParams,
  TwoPassCodec,
)
from tfc_models.models import cheng2020
from tfc_models.transforms import residual_conv
from tfc_models.transforms.context import CheckerboardNetwork

TINY = dict(num_filters=16, latent_depth=12, widths=(24, 20))


def macs(network, x):
  """Returns multiplications a pixel of x of the convolutions of a network."""
  found = []
  kept = tf.keras.layers.Conv2D.call

  def call(self, inputs):
    outputs = kept(self, inputs)
    found.append(int(np.prod(outputs.shape[1:3])) * int(np.prod(self.kernel.shape)))
    return outputs

  tf.keras.layers.Conv2D.call = call
  try:
    for _ in range(2):  # Layers are built by the first.
      found.clear()
      tf.keras.Sequential.__call__(network, tf.zeros(x))  # Not as a graph.
  finally:
    tf.keras.layers.Conv2D.call = kept
  return sum(found)


@pytest.mark.parametrize("attention", [False, True])
def test_layers_are_those_of_the_page(attention):
  """Counted by hand, of N filters: in N^2 a pixel, without the three colours."""
  n, side = 32, 64
  analysis = residual_conv.analysis(n, n, attention)
  synthesis = residual_conv.synthesis(n, attention)
  # Four 3x3 at 1/2, but one of three channels; five of those, one with stride, and a
  # skip at 1/4 and at 1/8; a strided one at 1/16.
  down = 27 / 4 / n + 3 / 4 / n + 27 / 4 + (36 + 1) / 16 + (36 + 1) / 64 + 9 / 256
  # Upwards: blocks at 1/16, 1/8, 1/4, 1/2 of two 3x3; a sub-pixel one of four times as
  # many and its skip before, a 3x3 behind each doubling; twelve outputs at 1/2.
  up = sum(18 / 4**level for level in (1, 2, 3, 4)) + 108 / 4 / n
  up += sum((36 + 4) / 4 ** (level + 1) + 9 / 4**level for level in (1, 2, 3))
  # Six units of half the width, and the mask, at 1/4 and 1/16.
  unit = 0.5 + 9 / 4 + 0.5
  more = attention * (6 * unit + 1) * (1 / 16 + 1 / 256)
  for network, shape, expected in [
      (analysis, (1, side, side, 3), down + more),
      (synthesis, (1, side // 16, side // 16, n), up + more)]:
    assert macs(network, shape) / side**2 / n**2 == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("recipe, millions", [
    ("cheng2020_anchor:low", 9.6), ("cheng2020_gmm:low-plain", 10.3)])
def test_published_widths_have_so_many_weights(recipe, millions):
  assert parameters(recipe) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize("attention", [False, True])
def test_transforms_start_as_a_projection_onto_what_varies_most(attention):
  analysis = residual_conv.analysis(32, 96, attention)
  synthesis = residual_conv.synthesis(32, attention)
  x = np.stack([make_image(64, 64, seed=seed) for seed in range(4)])
  synthesis(analysis(tf.cast(x, tf.float32) / 255.0))
  step = 6.0
  residual_conv.start(analysis, synthesis, x, step)
  seen = tf.constant(make_image(64, 64, seed=9)[None], tf.float32) / 255.0
  once = synthesis(analysis(seen))
  twice = synthesis(analysis(once))
  # GDN is near the identity only.
  left, again = (float(metrics.mse(*pair)[0]) for pair in ((seen, once), (once, twice)))
  assert again < 0.1 * left
  assert left < 0.2 * float(tf.math.reduce_variance(255.0 * seen))
  # 96 of 768 coefficients, each with the error of the quantiser.
  error = float(metrics.mse(twice, synthesis(tf.round(analysis(once))))[0])
  assert 0.5 < error / (step**2 / 12 * 96 / 768) < 1.3


@pytest.fixture(scope="module", params=[False, True])
def trained(request):
  """Transforms whose branches all say something."""
  analysis = residual_conv.analysis(16, 12, request.param)
  synthesis = residual_conv.synthesis(16, request.param)
  synthesis(analysis(tf.zeros([1, 64, 64, 3])))
  for number, variable in enumerate(
      [*analysis.trainable_variables, *synthesis.trainable_variables]):
    if "gdn" not in variable.name:
      variable.assign_add(tf.random.stateless_normal(
          variable.shape, [number, 1], stddev=0.1))
  return analysis, synthesis


@pytest.mark.slow
def test_a_louder_latent_is_the_same_picture(trained):
  analysis, synthesis = trained
  x = tf.constant(make_image(64, 64)[None], tf.float32) / 255.0
  y = analysis(x)
  x_hat = synthesis(tf.round(y))
  residual_conv.rescale(analysis, synthesis, 4.0)
  np.testing.assert_allclose(analysis(x), 4.0 * y, rtol=1e-3, atol=1e-3)
  np.testing.assert_allclose(synthesis(4.0 * tf.round(y)), x_hat, rtol=1e-3, atol=1e-3)


def half_passes(seed=0):
  """Returns a codec in two passes, a latent, and side information."""
  depth = 3
  network = CheckerboardNetwork(depth, [3] * depth + [6] * depth, 5, 8, (8,))
  codec = TwoPassCodec(
      GaussianCodec(), network,
      lambda outputs: GaussianParams(
          26.0 + outputs[..., :depth] % 10.0, outputs[..., depth:] / 64.0))
  rng = np.random.default_rng(seed)
  y = tf.constant(rng.normal(0, 3, (2, 6, 8, depth)), tf.float32)
  side = tf.constant(rng.integers(0, 200, (2, 6, 8, 5)), tf.float32)
  codec(y, side)
  codec.codec.fix_tables()
  return codec, y, side


def test_two_passes_code_what_they_estimate():
  codec, y, side = half_passes()
  (strings,), sent = codec.compress(y, side)
  np.testing.assert_array_equal(codec.decompress([strings], (6, 8, 3), side), sent)
  coded, _ = codec.symbols(y, side)
  np.testing.assert_array_equal(
      codec.from_symbols([coded[0].symbols], (6, 8, 3), side), sent)
  assert np.abs(sent - y).max() <= 0.5 + 1e-4
  y_hat, bits = codec(y, side)
  np.testing.assert_array_equal(y_hat, sent)
  for one, estimate in zip(strings.numpy(), bits["y"].numpy()):
    assert 8 * (len(one) - 2) == pytest.approx(estimate, rel=0.03, abs=32)


def test_the_second_pass_sees_the_first_and_nothing_else():
  codec, y, side = half_passes()
  before, _ = codec.symbols(y, side)
  place = np.zeros(y.shape, np.float32)
  evidence = {}
  for row, column in ((2, 4), (2, 3)):
    moved = place.copy()
    moved[0, row, column] = 9.0
    after, _ = codec.symbols(y + moved, side)
    evidence[row, column] = np.any(
        after[0].evidence != before[0].evidence, axis=-1)[0]
  half = evidence[2, 4].size // 2
  # Half 0 has even sums of row and column.
  assert not evidence[2, 4][:half].any() and evidence[2, 4][half:].any()
  assert not evidence[2, 3].any()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [
    dict(context="checkerboard"), dict(components=1, context="serial"),
    dict(transforms="gdn", attention=False, context="checkerboard")])
def test_parts_combine(arguments):
  tf.keras.utils.set_random_seed(2)
  model = registry.create("cheng2020-gmm", **{**TINY, **arguments}).build_variables()
  waking.wake(model, model.to_batch(make_image(64, 64)))
  model.fix_tables()
  codec = LearnedCodec(model, b"abcd", effort=1)
  for size in ((1, 1), (17, 33)):
    image = make_image(*size)
    np.testing.assert_array_equal(
        codec.decode(codec.encode(image)), model.reconstruct(image)[0])


@pytest.mark.parametrize("arguments, reason", [
    (dict(context="raster"), "`context` must be one of serial, checkerboard"),
    (dict(transforms="gdn"), "`transforms` must be .*'gdn'"),
    (dict(transforms="dct"), "`transforms` must be .*'dct'")])
def test_what_does_not_combine_is_refused(arguments, reason):
  with pytest.raises(ValueError, match=reason):
    registry.create("cheng2020-gmm", **{**TINY, **arguments})


def test_recipes_name_all_parts():
  config = configs.get("cheng2020_gmm:narrow-plain-checkerboard-gdn")
  arguments = config.model.arguments.to_dict()
  assert arguments["context"] == "checkerboard" and arguments["transforms"] == "gdn"
  assert not arguments["attention"]
  assert cheng2020.Mixture(**{**arguments, "num_filters": 8}).latents == ("z", "y")


@pytest.mark.slow
def test_components_start_at_scales_of_their_own_and_keep_them_apart():
  tf.keras.utils.set_random_seed(2)
  model = registry.create("cheng2020-gmm", **{**TINY, "attention": False})
  model.prepare([np.stack([make_image(64, 64, seed=seed) for seed in range(2)])], 0.01)

  def params():
    z = tf.zeros([1, 1, 1, 16])
    side = model.latent_codec.synthesis(z)
    return model.latent_codec.y_codec.to_params(
        model.context_network(tf.zeros([1, 4, 4, 12]), side))

  indexes, loc, logits = params()
  first, middle, last = np.split(indexes.numpy(), 3, axis=-1)
  # Rounded, each by itself.
  for step in (middle - first, last - middle):
    assert 3.5 < step.min() and step.max() < 6.5
  assert not np.any(loc) and not np.any(logits)
  model.adapt(0.01, 0.16)
  louder = params().indexes - indexes
  np.testing.assert_allclose(louder, np.log(4.0) / 0.12306, atol=1.1)
