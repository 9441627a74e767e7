"""Latent codecs nest, and codecs of other symbols than one table number each fit."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import causal
from tfc_models.entropy_models import (
    NEAREST,
    STILL,
    AutoregressiveCodec,
    BernoulliCodec,
    CheckerboardCodec,
    FactorizedCodec,
    GainCodec,
    GaussianCodec,
    GaussianParams,
    HyperpriorCodec,
    MaskedCodec,
    SplitCodec,
    SymbolCodec,
    SymbolReader,
)
from tfc_models.errors import DesyncError
from tfc_models.ops import wavefront
from tfc_models.ops.noise import Noise
from tfc_models.transforms.causal import CausalNetwork

DEPTH = 4
NOISE = Noise(0, 0, tf.constant([0, 1]))


def latent(shape, seed=0, scale=3.0):
  rng = np.random.default_rng(seed)
  return tf.constant(rng.normal(0, scale, shape), tf.float32)


def pool(y):
  return tf.nn.avg_pool2d(y, 2, 2, "SAME") * 2.0


def grow(z_hat):
  """Integers to integers, so equal on every machine."""
  return tf.repeat(tf.repeat(tf.abs(z_hat), 2, axis=1), 2, axis=2)


def hyperprior(z_codec, y_codec, to_params=GaussianParams, depth=DEPTH):
  return HyperpriorCodec(pool, grow, z_codec, y_codec, depth, to_params, factor=2)


def neighbours(z_hat, params):
  """Returns what a half is given: the sum of the four sites beside one."""
  del params
  x = tf.pad(z_hat, [[0, 0], [1, 1], [1, 1], [0, 0]])
  total = x[:, 1:-1, :-2] + x[:, 1:-1, 2:] + x[:, :-2, 1:-1] + x[:, 2:, 1:-1]
  return GaussianParams(tf.abs(total) + 16.0, total / 4.0)


def side_by_halves():
  side = CheckerboardCodec(
      FactorizedCodec(DEPTH), GaussianCodec("z_near", fixed_grid=True), neighbours)
  return hyperprior(side, GaussianCodec())


def two_levels():
  inner = hyperprior(FactorizedCodec(DEPTH, "z2"), GaussianCodec("z1"))
  return hyperprior(inner, GaussianCodec("y"))


def halves(weight=0.0):
  def of_part(params, number, before):
    # The second half knows the first.
    index = params[..., :2] if number == 0 else tf.abs(before[0])
    return GaussianParams(tf.round(index))

  return hyperprior(
      FactorizedCodec(DEPTH), SplitCodec(
          [GaussianCodec(name, distortion_weight=weight) for name in ("first", "second")],
          [2, 2], of_part), None)


def masked(weight=0.0):
  def with_mask(params):
    return GaussianParams(params), tf.cast(params[..., :1] > 1.0, tf.float32)

  return hyperprior(
      FactorizedCodec(DEPTH),
      MaskedCodec(GaussianCodec(certain=True, distortion_weight=weight)), with_mask)


def coarse(weight=0.0):
  # Errors of what is coded are smaller than those of y.
  return hyperprior(
      FactorizedCodec(DEPTH), GainCodec(
          GaussianCodec(distortion_weight=weight / 0.3**2), lambda: tf.constant(0.3)))


@pytest.mark.parametrize("make, latents", [
    (two_levels, ("z2", "z1", "y")), (halves, ("z", "first", "second")),
    (masked, ("z", "y_masked")), (coarse, ("z", "y")),
    (side_by_halves, ("z", "z_near", "y"))])
def test_nested_codecs_decode_what_they_coded(make, latents):
  codec = make()
  for module in codec.submodules:
    if isinstance(module, SymbolCodec):
      module.fix_tables()
  assert codec.latents == latents
  y = latent((2, 8, 12, DEPTH))
  shape = y.shape[1:]
  strings, y_hat = codec.compress(y)
  assert len(strings) == len(latents)
  np.testing.assert_array_equal(codec.decompress(strings, shape), y_hat)
  # The same through the seam, without a range coder.
  coded, again = codec.symbols(y)
  np.testing.assert_array_equal(again, y_hat)
  reader = SymbolReader([one.symbols for one in coded])
  np.testing.assert_array_equal(codec.decode(reader, shape), y_hat)
  for one, evidence in zip(coded, reader.evidence):
    np.testing.assert_array_equal(one.evidence, evidence)
  estimate, bits = codec(y)
  np.testing.assert_array_equal(estimate, y_hat)
  assert tuple(bits) == latents
  for name, leaf, string in zip(latents, codec.leaves(), strings):
    for number in range(2):
      size = 8 * (len(string[number].numpy()) - 2 * leaf.digested)
      assert size == pytest.approx(float(bits[name][number]), rel=0.35, abs=64), name
  trained, _ = codec(y, noise=NOISE)
  assert trained.shape == y.shape


@pytest.mark.parametrize("make", [two_levels, halves, masked, side_by_halves])
def test_a_side_latent_that_is_lost_is_noticed(make):
  codec = make()
  for module in codec.submodules:
    if isinstance(module, SymbolCodec):
      module.fix_tables()
  y = latent((1, 8, 12, DEPTH))
  strings, _ = codec.compress(y)
  others, _ = codec.compress(latent(y.shape, seed=1, scale=9.0))
  with pytest.raises(DesyncError):
    codec.decompress([others[0], *strings[1:]], y.shape[1:])


def test_elements_that_a_mask_leaves_out_take_no_bits():
  codec = MaskedCodec(FactorizedCodec(DEPTH, "y", certain=True))
  codec.codec.fix_tables()
  y = latent((1, 32, 32, DEPTH))
  sizes = []
  for share in (1.0, 0.5, 0.0):
    mask = tf.constant(
        np.random.default_rng(0).uniform(size=y.shape) < share, tf.float32)
    (string,), y_hat = codec.compress(y, (None, mask))
    np.testing.assert_array_equal(y_hat, mask * tf.round(y))
    np.testing.assert_array_equal(
        codec.decompress([string], y.shape[1:], (None, mask)), y_hat)
    sizes.append(len(string[0].numpy()))
  assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.1) and sizes[2] <= 6
  with pytest.raises(ValueError, match="certain=True"):
    MaskedCodec(FactorizedCodec(DEPTH))


class Categories(SymbolCodec):
  """One of four centres, by logits of two binary decisions, high bit first."""

  evidence_size = 2
  several_decisions = True

  def __init__(self, name="y"):
    super().__init__(name)
    self.coin = BernoulliCodec("coin")
    self.tables = self.coin.tables

  def price(self, y, params=None, noise=None):
    y_hat, symbols = self.quantize(y)
    total = 0.0
    for bit, table in zip(
        self._decisions(symbols), self._halves(self.evidence(params, tf.shape(y)))):
      odds = tf.sigmoid((tf.cast(table, tf.float32) - 128.0) / 16.0)
      total -= tf.math.log(tf.where(bit > 0, odds, 1.0 - odds)) / np.log(2.0)
    return y_hat, total

  def quantize(self, y, params=None):
    symbols = tf.clip_by_value(tf.round(y), 0.0, 3.0)
    return symbols, symbols

  def evidence(self, params, shape):
    return tf.cast(tf.clip_by_value(params, -127.0, 127.0), tf.int32) + 128

  def reconstruct(self, symbols, params=None):
    return tf.cast(symbols, tf.float32)

  def encode_more(self, handle, symbols, evidence):
    for bit, table in zip(self._decisions(symbols), self._halves(evidence)):
      handle = self.tables.encode_more(handle, bit, table)
    return handle

  def decode_more(self, handle, evidence):
    symbols = 0
    for table in self._halves(evidence):
      handle, bit = self.tables.decode_more(handle, table)
      symbols = 2 * symbols + bit
    return handle, symbols

  def fix_tables(self):
    self.coin.fix_tables()

  @staticmethod
  def _halves(evidence):
    return tf.split(evidence, 2, axis=-1)

  @staticmethod
  def _decisions(symbols):
    symbols = tf.cast(symbols, tf.int32)
    return [symbols // 2, symbols % 2]


class Sum(CausalNetwork):
  """Adds up what is in reach, with integer weights of its own for each neighbour."""

  def __init__(self, depth, offsets, outputs):
    super().__init__(depth, offsets)
    rng = np.random.default_rng(1)
    self.kernel = tf.constant(rng.integers(
        -3, 4, (len(offsets) * depth, outputs)), tf.float32)

  def call(self, y_hat, side):
    sizes, reach = y_hat.shape[1:-1], 3
    padded = np.pad(y_hat, [(0, 0), *[(reach, reach)] * len(sizes), (0, 0)])
    windows = [
        padded[(slice(None), *(
            slice(reach + step, reach + step + size)
            for step, size in zip(offset, sizes)))] for offset in self.offsets]
    return tf.concat(windows, axis=-1) @ self.kernel + side

  def site_weights(self):
    return (self.kernel,)

  def at_sites(self, context, side, memory, weights):
    return context @ weights[0] + side, memory


@pytest.mark.parametrize("sizes", [(1, 5, 7), (4, 6, 5), (3, 1, 1)])
@pytest.mark.parametrize("size", [3, 5])
def test_a_context_of_channels_walks_through_elements(sizes, size):
  channels, height, width = sizes
  codec = Categories()
  codec.fix_tables()
  network = Sum(1, wavefront.causal_offsets_3d(size), 2)
  y = latent((2, height, width, channels)) + 1.5
  side = tf.round(latent((2, *sizes, 2), seed=2, scale=20.0))
  causal.check(network, codec, lambda outputs: outputs, y, side)


def test_a_context_of_rows_takes_codecs_of_several_decisions():
  codec = Categories()
  codec.fix_tables()
  network = Sum(DEPTH, wavefront.causal_offsets(5), 2 * DEPTH)
  y = latent((2, 6, 9, DEPTH)) + 1.5
  side = tf.round(latent((2, 6, 9, 2 * DEPTH), seed=2, scale=20.0))
  causal.check(network, codec, lambda outputs: outputs, y, side)
  walk = AutoregressiveCodec(codec, network, lambda outputs: outputs)
  _, bits = walk(y, side)
  (strings,), _ = walk.compress(y, side)
  for number in range(2):
    assert 8 * len(strings[number].numpy()) == pytest.approx(
        float(bits["y"][number]), rel=0.02, abs=48)


def walking(weight=0.0):
  codec = GaussianCodec(distortion_weight=weight)
  network = Sum(DEPTH, wavefront.causal_offsets(3), DEPTH)
  return hyperprior(
      FactorizedCodec(DEPTH), AutoregressiveCodec(
          codec, network, lambda outputs: GaussianParams(tf.abs(outputs))), None)


def walking_through_elements(weight=0.0):
  codec = GaussianCodec(distortion_weight=weight)
  network = Sum(1, wavefront.causal_offsets_3d(3), 1)

  def with_channels(z_hat):
    return tf.transpose(grow(z_hat), [0, 3, 1, 2])[..., None]

  return HyperpriorCodec(
      pool, with_channels, FactorizedCodec(DEPTH), AutoregressiveCodec(
          codec, network, lambda outputs: GaussianParams(tf.abs(outputs))), DEPTH,
      factor=2)


ROUNDING = [halves, masked, coarse, walking, walking_through_elements]


@pytest.mark.parametrize("make", ROUNDING)
def test_what_rounds_is_told_what_errors_are_worth(make):
  y = latent((2, 8, 12, DEPTH))
  weighing, plain = make(5.0), make()
  assert plain.weighs
  coded, expected = weighing.symbols(y)
  assert np.any(expected != plain.symbols(y)[1])
  for rounding in (tf.constant(5.0), tf.fill(y.shape, 5.0)):
    told, y_hat = plain.symbols(y, rounding=rounding)
    np.testing.assert_array_equal(y_hat, expected)
    for one, other in zip(told, coded):
      np.testing.assert_array_equal(one.symbols, other.symbols)
    y_hat, bits = plain(y, rounding=rounding)
    np.testing.assert_array_equal(y_hat, expected)
    for name, some in weighing(y)[1].items():
      if name != "z":  # Densities start at random.
        np.testing.assert_array_equal(bits[name], some)


@pytest.mark.parametrize("make", [halves, masked, coarse])
def test_errors_of_elements_may_be_worth_different_bits(make):
  y = latent((2, 8, 12, DEPTH))
  codec = make()
  is_left = tf.range(12)[:, None] < 6
  rounding = tf.broadcast_to(tf.where(is_left, NEAREST, 5.0), y.shape)
  np.testing.assert_array_equal(
      codec.symbols(y, rounding=rounding)[1],
      tf.where(is_left, codec.symbols(y)[1], make(5.0).symbols(y)[1]))


@pytest.mark.parametrize("make", ROUNDING)
def test_what_is_rounded_already_stays_as_it_is(make):
  codec, y = make(5.0), latent((2, 8, 12, DEPTH))
  given = codec.given(codec.analyze(y))
  coded, y_hat = given.symbols(y)
  again, same = given.symbols(y_hat, rounding=NEAREST)
  np.testing.assert_array_equal(same, y_hat)
  for one, other in zip(again, coded):
    np.testing.assert_array_equal(one.symbols, other.symbols)
  for name, bits in given.price(y_hat, rounding=NEAREST)[1].items():
    np.testing.assert_allclose(bits, codec(y)[1][name], rtol=1e-6)


def test_densities_and_fixed_grids_do_not_weigh():
  assert not hyperprior(FactorizedCodec(DEPTH), FactorizedCodec(DEPTH, "y")).weighs
  assert not hyperprior(
      FactorizedCodec(DEPTH), GaussianCodec(fixed_grid=True)).weighs


@pytest.mark.parametrize("make", [masked, coarse, walking])
def test_bits_of_what_is_rounded_have_gradients(make):
  """They say which way z would have to go for fewer bits of y."""
  codec, y = make(), latent((1, 16, 16, DEPTH))
  z_hat, _ = codec.z_codec(codec.analyze(y))
  y_hat, _ = codec.given(z_hat).price(y)

  def bits(z):
    _, bits = codec.y_codec(y_hat, codec.params_of(z), STILL)
    return tf.add_n(list(bits.values()))

  with tf.GradientTape() as tape:
    # Contexts see y_hat as it is; scales are in proportion to 1 + step.
    step = tf.Variable(0.0)
    total = bits(z_hat * (1.0 + step))
  slope = float(tape.gradient(total, step))
  less, more = (float(bits(z_hat * (1.0 + step))[0]) for step in (-0.2, 0.2))
  assert np.sign(slope) == np.sign(more - less) and abs(slope) > 1.0


@pytest.mark.parametrize("sides", [(1, 1), (1, 5), (3, 3), (4, 7)])
def test_half_a_checkerboard_is_coded_given_the_other_at_any_size(sides):
  codec = side_by_halves().z_codec
  for leaf in codec.leaves():
    leaf.fix_tables()
  z = latent((2, *sides, DEPTH))
  strings, z_hat = codec.compress(z)
  np.testing.assert_array_equal(z_hat, tf.round(z))
  np.testing.assert_array_equal(codec.decompress(strings, z.shape[1:]), z_hat)
  white = (np.arange(sides[0])[:, None] + np.arange(sides[1])) % 2 == 0
  first, second = codec.symbols(z)[0]
  np.testing.assert_array_equal(
      first.symbols[:, :, 0], tf.boolean_mask(z_hat, white, axis=1))
  # What the other half is priced by.
  given = tf.where(white[None, :, :, None], z_hat, 0.0)
  expected = tf.boolean_mask(neighbours(given, None).indexes, ~white, axis=1)
  np.testing.assert_array_equal(second.evidence[:, :, 0] // 8, tf.cast(expected, tf.int32))
