"""What an encoder does beyond rounding, by effort: symbols that suit the decoder.

With D what the squared error of x_hat is worth in bits, and w what an error of 1 in an
element of y is worth by itself,

    y_t <- (1 - eta) y_t + eta (y_hat - dD/dy_hat / (2 w)),   y_hat = round(y_t)

so that errors of one element make up for those of others. Rounding weighs bits against
w times the squared error in y_t, by a factor that falls on the way: what is left to gain
is in y_t. Side information likewise,

    z_t <- (1 - eta) z_t + eta (z_hat - dR/dz_hat / (2 w)),   z_hat = round(z_t)

with R the bits of z_hat, and of y_hat given z_hat. Of all that was rounded, what has the
least bits + D is coded, so that no effort does worse than plain rounding. Decoders,
weights and the format know nothing of it.

Compare "Improving inference for neural image compression", Yang, Bamler, Mandt, NeurIPS
2020, arXiv:2006.04240, which descends a relaxation of rounding: on `tfcm-base`, 100
steps of that in y gained less than five of these.
"""

import functools
import math
from typing import NamedTuple, Optional

import tensorflow as tf

from tfc_models.entropy_models import NEAREST, STILL, Given, HyperpriorCodec
from tfc_models.layers import as_real
from tfc_models.models.families.refinement_state import (
    Choice,
    State,
    Weights,
)
from tfc_models.ops import probe
from tfc_models.ops.graph import Graph


class Pace(NamedTuple):
  """How far the steps of a plan go.

  Attributes:
    rate: eta of y.
    first, last: the factor on w, before the first rounding and at the last one.
    side: eta of z.
  """

  rate: float
  first: float
  last: float
  side: float = 0.0


class Plan(NamedTuple):
  """What an effort does.

  Attributes:
    steps: a letter each. y: asks the decoder for its gradient, moves y_t, and rounds;
      z: moves z_t; r: rounds.
    known: `Pace` of models that say what an error in y is worth.
    measured: of others, see `Refinement`.
  """

  steps: str
  known: Optional[Pace] = None
  measured: Optional[Pace] = None


# Found on crops of photographs, for `tfcm-base`, `tfcm-flex` and `mbt2018-mean`.
PLANS = {
    1: Plan(""),
    2: Plan("y", Pace(0.5, 2.3, 1.6), Pace(0.15, 6.0, 6.0)),
    3: Plan("yr", Pace(0.5, 1.8, 1.4), Pace(0.15, 7.0, 5.0)),
    4: Plan("yrr", Pace(0.5, 1.8, 1.2), Pace(0.15, 7.0, 4.0)),
    5: Plan("yy", Pace(0.5, 2.3, 1.5), Pace(0.13, 6.0, 4.0)),
    6: Plan("yyy", Pace(0.4, 2.3, 1.5), Pace(0.13, 5.0, 3.5)),
    7: Plan("yyyyy", Pace(0.3, 2.3, 1.4), Pace(0.1, 4.0, 2.5)),
    8: Plan("zzr" + 2 * "zyyyy", Pace(0.22, 2.3, 1.3, 0.15), Pace(0.07, 4.0, 2.0, 0.25)),
    9: Plan("zzr" + 5 * "zyyyy", Pace(0.15, 2.3, 1.2, 0.15), Pace(0.05, 4.0, 1.7, 0.25)),
}
# Of plain rounding, where `Settings.rounding` changes it.
_PLAIN = 2.3
# Bits that a squared error of 1 in z is about worth, and the farthest that z may want.
_SIDE_WORTH = 10.0
_FARTHEST = 2.0
# A step led astray if it takes so much more than the best, in parts of the bits.
_TOLERANCE = 0.02
# Of what is measured: no channel counts less than so much of their mean.
_LEAST = 1e-3


class Refinement:
  """The steps, each as one graph for images of all sizes.

  Where a model does not say what errors in y are worth, they are measured: the squared
  gradients of a random sign at each sample of x_hat, their means by channel and by site.

  Args:
    model: `TransformModel`.
  """

  def __init__(self, model):
    self._model = model
    self._measure = _StructureGraph(self._measured)
    self._move = _StructureGraph(self._moved)
    self._move_side = _StructureGraph(self._side_moved)
    self._note = _StructureGraph(self._seen)
    # By whether z has moved. Codecs that take turns have graphs of their own, which
    # take seconds to trace.
    parts = [model.latent_codec, *model.latent_codec.submodules]
    has_graphs = any(getattr(part, "takes_turns", False) for part in parts)
    self._round = {
        is_moved: functools.partial(self._rounded, is_moved) if has_graphs
        else _StructureGraph(functools.partial(self._rounded, is_moved))
        for is_moved in (False, True)}

  def looks(self, settings):
    """Returns whether an encoder looks at what the decoder will show."""
    model = self._model
    return bool(model.latent_codec.weighs and PLANS[settings.effort or 1].steps
                and model.lmbda_at(settings.quality) is not None)

  def __call__(self, scene, y, told, settings):
    """Returns the `Choice` of an encoder.

    Args:
      scene: `Scene`; None will do where nobody `looks`.
      y: its latent.
      told: of `TransformModel.told`.
      settings: `Settings`, of which `quality`, `effort` and `rounding` count.
    """
    model, plan = self._model, PLANS[settings.effort or 1]
    codec, lmbda = model.latent_codec, model.lmbda_at(settings.quality)
    whole = _whole(codec, told)
    worth, more = model.worth(*told), {}
    if not codec.weighs:
      return Choice(whole, y, more)
    if settings.rounding != 1.0 and worth is not None:
      worth = worth * settings.rounding
      more = {"rounding": _PLAIN * worth}
    if not self.looks(settings):
      return Choice(whole, y, more)
    lmbda = tf.constant(lmbda * settings.rounding / 3.0, tf.float32)
    given, state = self._start(y, told, more)
    with probe.span("refinement"):
      state = self._refined(scene, state, told, plan, lmbda, worth)
    if state.z_hat is not None and "z" in plan.steps:
      given = codec.given(state.best_z_hat, *told)
    return Choice(given, state.best_y_hat, {"rounding": NEAREST}, state.best_coded)

  def _refined(self, scene, state, told, plan, lmbda, worth):
    """Returns the `State` in the end, whose best is of all that was rounded."""
    pace = plan.known
    if worth is None:
      worth, pace = lmbda * self._measure(scene, state.y_hat, told), plan.measured
    worth = tf.convert_to_tensor(worth, tf.float32)
    steps = plan.steps if state.z_hat is not None else plan.steps.replace("z", "")
    roundings, is_moved = 0, False
    for number, step in enumerate(steps):
      roundings += step != "z"
      progress = roundings / (len(steps) - steps.count("z"))
      factor = pace.first + (pace.last - pace.first) * progress
      weights = Weights(lmbda, worth, *(
          tf.constant(value) for value in (pace.rate, pace.side, factor)))
      if step == "z":
        state, is_moved = self._move_side(state, told, weights), True
      else:
        seen = self._move if step == "y" else self._note
        state = self._round[is_moved](
            seen(scene, state, told, weights), told, weights)
        is_moved = False
      probe.note("refined", (number + 1, len(steps)))
    return self._note(scene, state, told, weights)

  def _start(self, y, told, more):
    """Returns the `Given` and the `State` of plain rounding."""
    codec = self._model.latent_codec
    z, given = None, _whole(codec, told)
    if isinstance(codec, HyperpriorCodec):
      z = codec.analyze(y, *told)
      given = codec.given(z, *told)
    coded, y_hat, bits = _coded(given.codec, y, given.params, **more)
    ones = tf.ones_like(bits)
    side_bits = tf.add_n([0.0 * ones, *given.bits.values()])
    return given, State(
        y, z, y_hat, given.side, given.params, side_bits + bits, side_bits, coded,
        math.inf * ones, y_hat, given.side, coded, y, y_hat, ones)

  def _seen(self, scene, state, told, weights):
    """Returns the state after a look at x_hat."""
    x_hat = scene.shown(self._model.synthesize, state.y_hat, told)
    return _noted(state, weights.lmbda * _squares(scene.x, x_hat))

  def _moved(self, scene, state, told, weights):
    """Returns the state after a step of y, not rounded yet."""
    with tf.GradientTape() as tape:
      tape.watch(state.y_hat)
      x_hat = scene.shown(self._model.synthesize, state.y_hat, told)
      distortion = weights.lmbda * _squares(scene.x, x_hat)
    wanted = state.y_hat - tape.gradient(
        distortion, state.y_hat) / (2.0 * weights.worth)
    return _towards(_noted(state, distortion), distortion, wanted, weights.rate)

  def _side_moved(self, state, told, weights):
    """Returns the state after a step of z."""
    codec = self._model.latent_codec
    z_hat, _ = codec.z_codec(state.z_target, *told)
    with tf.GradientTape() as tape:
      tape.watch(z_hat)
      # By the real networks behind those of integers, and what is rounded already.
      with as_real():
        params = codec.params_of(z_hat, *told)
      _, z_bits = codec.z_codec(z_hat, *told, noise=STILL)
      _, y_bits = codec.y_codec(state.y_hat, params, STILL)
      bits = tf.add_n([*z_bits.values(), *y_bits.values()])
    way = -tape.gradient(bits, z_hat) / (2.0 * _SIDE_WORTH)
    wanted = z_hat + tf.clip_by_value(way, -_FARTHEST, _FARTHEST)
    return state._replace(
        z_target=_between(state.z_target, wanted, weights.side))

  def _rounded(self, is_moved, state, told, weights):
    """Returns the state with the targets rounded; z only if it has moved."""
    codec = y_codec = self._model.latent_codec
    z_hat, params, side_bits = state.z_hat, state.params, state.side_bits
    if z_hat is not None:
      y_codec = codec.y_codec
    if is_moved:
      z_hat, bits = codec.z_codec(state.z_target, *told)
      params, side_bits = codec.params_of(z_hat, *told), _sum(bits)
    coded, y_hat, bits = _coded(
        y_codec, state.y_target, params, rounding=weights.factor * weights.worth)
    return state._replace(
        y_hat=y_hat, z_hat=z_hat, params=params, bits=side_bits + bits,
        side_bits=side_bits, coded=coded)

  def _measured(self, scene, y_hat, told):
    """Returns about what squared error, on 0..255, each error of 1 in y_hat causes."""
    with tf.GradientTape() as tape:
      tape.watch(y_hat)
      x_hat = scene.shown(self._model.synthesize, y_hat, told)
      signs = tf.sign(tf.random.stateless_uniform(tf.shape(x_hat), (0, 0), -1.0, 1.0))
      total = 255.0 * tf.reduce_sum(signs * x_hat)
    squares = tf.square(tape.gradient(total, y_hat))
    channels = tf.reduce_mean(squares, axis=(1, 2), keepdims=True)
    channels = tf.maximum(
        channels, _LEAST * tf.reduce_mean(channels, axis=-1, keepdims=True))
    return channels * tf.reduce_mean(squares / channels, axis=-1, keepdims=True)


class _StructureGraph:
  """A `Graph` of a function of structures of tensors and None, one for each kind."""

  def __init__(self, function):
    self._function = function
    self._graphs = {}

  def __call__(self, *structures):
    values = tf.nest.flatten(structures)
    kind = tuple(x is None for x in values)
    if kind not in self._graphs:
      empty = tf.nest.map_structure(lambda x: None if x is None else 0, structures)
      self._graphs[kind] = Graph(
          functools.partial(self._of_tensors, empty), built=True)
    return self._graphs[kind](*(x for x in values if x is not None))

  def _of_tensors(self, empty, *tensors):
    tensors = iter(tensors)
    return self._function(*tf.nest.map_structure(
        lambda x: None if x is None else next(tensors), empty))


def _whole(codec, told):
  """Returns the `Given` of a codec of which nothing is coded."""
  return Given(codec, *(told or (None,)), [], {})


def _coded(codec, y, params, **more):
  """Returns `Coded` where they come with the bits, otherwise None; y_hat; bits, (B,)."""
  coded = None
  if codec.prices_symbols:
    coded, y_hat, bits = codec.priced_symbols(y, params, **more)
  else:
    y_hat, bits = codec(y, params, **more)
  return coded, y_hat, _sum(bits)


def _sum(bits):
  """Returns all bits, (B,), of a dict."""
  return tf.add_n(list(bits.values()))


def _squares(x, x_hat):
  """Returns the squared error on 0..255 of all samples, (B,)."""
  return tf.reduce_sum(tf.square(255.0 * (x - x_hat)), axis=(1, 2, 3))


def _between(target, wanted, rate):
  return target + rate * (wanted - target)


def _towards(state, distortion, wanted, rate):
  """Returns a state whose y_t goes where it wants; where that led astray, back.

  Args:
    state: `State` of `_noted`.
    distortion: D of its y_hat, (B,).
    wanted: shaped like y_t.
    rate: scalar.
  """
  loss = state.bits + distortion
  # Not by a comparison that numbers which are none would pass.
  is_lost = tf.logical_not(loss <= state.best_loss + _TOLERANCE * state.bits)
  is_best = loss <= state.best_loss
  caution = tf.where(is_lost, 0.5 * state.caution, state.caution)
  target = _where(is_lost, state.safe_target, state.y_target)
  wanted = _where(is_lost, state.safe_wanted, wanted)
  return state._replace(
      y_target=_between(target, wanted, rate * caution[:, None, None, None]),
      safe_target=_where(is_best, target, state.safe_target),
      safe_wanted=_where(is_best, wanted, state.safe_wanted), caution=caution)


def _where(condition, x, y):
  """Returns `tf.where` for each image: of (B,) and (B, ...)."""
  sizes = tf.concat([tf.shape(condition), tf.ones(tf.rank(x) - 1, tf.int32)], axis=0)
  return tf.where(tf.reshape(condition, sizes), x, y)


def _noted(state, distortion):
  """Returns a state that knows whether it is the best so far, by its D, (B,)."""
  loss = state.bits + distortion
  is_better = loss < state.best_loss
  return state._replace(
      best_loss=tf.where(is_better, loss, state.best_loss),
      best_y_hat=_where(is_better, state.y_hat, state.best_y_hat),
      best_z_hat=None if state.z_hat is None else _where(
          is_better, state.z_hat, state.best_z_hat),
      best_coded=None if state.coded is None else [
          new._replace(
              symbols=_where(is_better, new.symbols, old.symbols),
              evidence=_where(is_better, new.evidence, old.evidence))
          for new, old in zip(state.coded, state.best_coded)])
