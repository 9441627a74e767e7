"""A latent codec of wavelet subbands, from coarse to fine."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.base import Coded, LatentCodec
from tfc_models.entropy_models.gaussian import GaussianParams
from tfc_models.entropy_models.symbol_codec import SymbolCodec, total
from tfc_models.layers import as_constants, as_real
from tfc_models.ops import checkerboard, probe, quantize


class _Place(NamedTuple):
  """Of which coefficients a pass speaks: the last LL has the band -1."""

  level: int
  band: int
  half: int
  plane: int


class SubbandCodec(LatentCodec):
  """Codes planes of integers by the subbands of a transform that loses nothing.

  The last LL comes first, then of each level, the coarsest first, HL, LH, HH, each in
  two passes over the halves of a checkerboard, in each the planes in turn. When a level
  is known, the inverse transform makes the LL of the next one of it, which that sees.
  All symbols lie in one string.

  With `steps` subbands are quantised, and the integers that come of it go to the inverse
  transform; params are then qualities, (B,) int32, which networks see. Contexts count in
  steps. Without, there are no params.

  Args:
    codec: `SymbolCodec` of integers.
    transform: `transforms.lifting.LiftingTransform`.
    coarsest: `transforms.subband_context.SubbandNetwork` of the last LL.
    networks: likewise, those of the levels from the finest on; the last of them is that
      of all coarser levels too.
    levels: how many.
    steps: `SubbandSteps`; None loses nothing.
  """

  takes_turns = True

  def __init__(self, codec: SymbolCodec, transform, coarsest, networks, levels,
               steps=None):
    super().__init__(f"{codec.name}_subbands", codec.reconstruction)
    self.codec = codec
    self.transform = transform
    self.coarsest = coarsest
    self.networks = networks
    self.levels = levels
    self.steps = steps

  def leaves(self):
    return [self.codec]

  def __call__(self, y, params=None, noise=None):
    if noise is None:
      _, y_hat, bits = self.priced_symbols(y, params)
      return y_hat, bits
    with as_real():
      y_hat, bits = self._priced(y, params, noise)
    return tf.ensure_shape(y_hat, y.shape), {self.codec.name: bits}

  def symbols(self, y, params=None):
    with probe.span("entropy coding"):
      return self._coded(y, params)[:2]

  def priced_symbols(self, y, params=None):
    bits = []

    def price(values, own):
      _, found = self.codec.price(values, own)
      bits.append(checkerboard.sums(total(found), tf.shape(y)[0]))

    coded, y_hat = self._coded(y, params, price)
    return coded, y_hat, {self.codec.name: tf.add_n(bits)}

  def decode(self, reader, shape, params=None):
    with probe.span("entropy coding"):
      height, width, depth = shape
      y_hat = self._decode(reader, reader.take(self.codec), height, width, params)
      return tf.ensure_shape(y_hat, [*y_hat.shape[:3], depth])

  def prepare(self, y, params=None):
    """Starts with the scales of subbands, as if nothing were predicted."""
    lows, details = self._pyramid(tf.convert_to_tensor(y), params)
    self.coarsest.start([_deviations(lows[-1])])
    for number, network in enumerate(self.networks):
      network.start([_deviations(band) for band in details[number]])

  def fix_tables(self):
    """Does nothing: the tables are those of the codec inside."""

  def _pyramid(self, y, params):
    """Returns LL of each level, and HL, LH and HH, the finest first, in steps."""
    lows, details = [y], []
    for level in range(self.levels):
      y, bands = self.transform.forward(y)
      lows.append(y)
      details.append([
          band if params is None else band / self.steps.unit(level, number, params)
          for number, band in enumerate(bands)])
    if params is not None:
      lows[-1] /= self.steps.unit(self.levels, -1, params)
    return lows, details

  def _priced(self, y, params, noise):
    """Returns y_hat and the bits, (B,), in training."""
    batch, found = tf.shape(y)[0], []
    source = _Known(*self._pyramid(y, params))

    def visit(place, own):
      values = source(place)
      found.append([checkerboard.flat(x, batch) for x in (values, *own)])
      return values if params is None else quantize.round_straight_through(values)

    y_hat = self._walk(source.lows, visit, params)
    values, *own = (tf.concat(each, axis=1) for each in zip(*found))
    _, bits = self.codec.price(values, GaussianParams(*own), noise)
    return y_hat, total(bits)

  def _coded(self, y, params, price=None):
    """Returns a list of one `Coded`, and y_hat.

    Args:
      price: function of values and their params, if any.
    """
    batch, symbols, evidence = tf.shape(y)[0], [], []

    def visit(place, own):
      values = source(place)
      y_hat, found = self.codec.quantize(values, own)
      symbols.append(checkerboard.flat(tf.cast(found, tf.int32), batch))
      evidence.append(checkerboard.flat(self.codec.evidence(own, tf.shape(values)), batch))
      if price:
        price(values, own)
      return y_hat

    with as_constants():
      source = _Known(*self._pyramid(y, params))
      y_hat = self._walk(source.lows, visit, params)
    coded = Coded(tf.concat(symbols, axis=1), tf.concat(evidence, axis=1))
    return [coded], tf.ensure_shape(y_hat, y.shape)

  def _decode(self, reader, source, height, width, params):
    """Returns y_hat of what a reader took."""
    codec, evidence, batch = self.codec, [], tf.shape(source)[0]
    state, more = reader.open(codec, source, 3 * height * width)

    def visit(place, own):
      nonlocal state
      del place
      sizes = tf.shape(own.indexes)
      evidence.append(checkerboard.flat(codec.evidence(own, sizes), batch))
      state, symbols = more(state, evidence[-1])
      return codec.reconstruct(checkerboard.from_flat(symbols, sizes), own)

    down = 2**self.levels
    like = tf.zeros([batch, height // down, width // down, 3])
    with as_constants():
      y_hat = self._walk([like], visit, params)
    reader.check(codec, tf.concat(evidence, axis=1))
    return y_hat

  def _walk(self, lows, visit, params):
    """Visits all coefficients, those first that others depend on.

    Args:
      lows: LL of each level, the finest first, where they are known and nothing is
        lost; otherwise the last counts, for its shape.
      visit: function of a `_Place` and the params of what is there, (2 B, h, w, 1) each,
        to its integers.
      params: of the codec.

    Returns:
      y_hat, (B, H, W, planes).
    """
    (ll,) = self._level(self.coarsest, lows[-1], self.levels, [-1], visit, params)
    for level in reversed(range(self.levels)):
      network = self.networks[min(level, len(self.networks) - 1)]
      bands = self._level(network, ll, level, [0, 1, 2], visit, params)
      if params is None and len(lows) > 1:
        ll = lows[level]
      else:
        ll = self.transform.inverse(ll, bands)
    return ll

  def _level(self, network, ll, level, bands, visit, params):
    """Returns the bands of a level, dequantised."""
    if params is None:
      gradients, features = network.look(ll)
    else:
      per_unit = None if level == self.levels else self.steps.per_unit(level, params)
      gradients, features = network.look(ll, per_unit, params)
    known = []
    for number in range(len(bands)):
      first = None
      for half in (0, 1):
        seen = [*known, checkerboard.whole(first)] if half else known
        part = network.passes[2 * number + half]
        common = part.begin(half, gradients, features, seen)
        values = []
        for plane in range(3):
          own = GaussianParams(*part.params(plane, common, values))
          values.append(visit(_Place(level, bands[number], half, plane), own))
        values = tf.concat(values, axis=-1)
        if half:
          known.append(checkerboard.whole(first, values))
        first = values
    if params is None:
      return known
    return [
        self.steps.dequantized(symbols, self.steps.unit(level, band, params))
        for symbols, band in zip(known, bands)]


class _Known:
  """The coefficients of an image that is known, by their place."""

  def __init__(self, lows, details):
    self.lows = lows
    self._details = details
    self._halves = {}

  def __call__(self, place):
    key = place[:3]
    if key not in self._halves:
      band = self.lows[-1] if place.band < 0 else self._details[place.level][place.band]
      self._halves[key] = checkerboard.half(band, place.half)
    return self._halves[key][..., place.plane:place.plane + 1]


def _deviations(band):
  """Returns the mean absolute values of the planes of a band."""
  return np.abs(band.numpy()).mean(axis=(0, 1, 2))
