"""What the latents of every image model must do, beside what `suite` asks."""

import contextlib

import numpy as np
import tensorflow as tf

from tests.conformance import suite
from tests.conftest import make_image
from tfc_models.entropy_models import (
    AutoregressiveCodec,
    BernoulliCodec,
    SignCodec,
    SymbolCodec,
    digest,
)
from tfc_models.ops.byte_strings import bytes_of

# Of a symbol within a table.
_MOST_BITS = 12.0


def leaves(model):
  """Returns the codecs of a model that write strings."""
  return [c for c in model.latent_codecs() if isinstance(c, SymbolCodec)]


@contextlib.contextmanager
def patched(objects, **functions):
  """A context in which methods of objects are others.

  Args:
    objects: modules.
    **functions: name of a method to function of (object, method, *args).
  """
  def bound(one, function, method):
    return lambda *args, **kwargs: function(one, method, *args, **kwargs)

  for one in objects:
    for name, function in functions.items():
      object.__setattr__(one, name, bound(one, function, getattr(one, name)))
  try:
    yield
  finally:
    for one in objects:
      for name in functions:
        object.__delattr__(one, name)


@suite.check
def every_latent_says_something(model):
  """Otherwise a decoder that ignored it would pass all other checks."""
  seen = {}

  def write(leaf, method, symbols, evidence, *args):
    seen.setdefault(leaf.name, (leaf, symbols, evidence))
    return method(symbols, evidence, *args)

  with patched(leaves(model), write=write):
    model.compress(make_image(65, 127))
  assert seen, "no latent codec has written anything"
  for name, (leaf, symbols, evidence) in seen.items():
    values = len(np.unique(symbols))
    if isinstance(leaf, (SignCodec, BernoulliCodec)):
      assert values == 2, name
    else:
      assert values >= 5, f"{name} takes {values} values, see `waking.wake`"
    if leaf.digested:
      assert len(np.unique(evidence)) > 2, f"one table for all of {name}"


@suite.check
def the_estimated_bits_are_those_coded(model):
  """Of latents that are drawn from the prior, as those of trained models are.

  What is drawn replaces what the analysis says of this image, in the estimate and in
  the coder alike. Untrained, it would lie outside of the tables.
  """
  busy = []

  def of_drawn(leaf, method, y, params=None, *noise, **more):
    if busy:  # One of the two calls the other.
      return method(y, params, *noise, **more)
    busy.append(leaf)
    try:
      return method(_drawn(leaf, y, params), params, *noise, **more)
    finally:
      busy.pop()

  # A raw sign takes a bit, whatever it is.
  drawn = [leaf for leaf in leaves(model) if not isinstance(leaf, SignCodec)]
  written = []

  def write(leaf, method, *args):
    strings = method(*args)
    written.append(len(strings.numpy()[0]) - digest.SIZE * leaf.digested)
    return strings

  image = make_image(150, 210)
  with _fresh_graphs(model), patched(leaves(model), write=write), patched(
      drawn, price=of_drawn, quantize=of_drawn):
    estimate = model.reconstruct(image)[1]
    chunks = model.compress(image)
  assert sum(written) <= sum(len(s) for c in chunks for s in c.strings)
  # Each string ends with a part of a byte, or two, of its own.
  slack = 64 + 8 * len(written)
  assert 0.99 * estimate - slack <= 8 * sum(written) <= 1.03 * estimate + slack, (
      estimate, 8 * sum(written))


def _drawn(leaf, y, params):
  """Returns a latent like `y` from the prior: what random bytes decode to.

  The same for all y of one size and number of positive elements.
  """
  evidence = leaf.evidence(params, tf.shape(y))
  evidence = tf.reshape(evidence, [1, -1, evidence.shape[-1]])
  seed = tf.stack([tf.size(y), tf.reduce_sum(tf.cast(y >= 0.0, tf.int32))])
  numbers = tf.random.stateless_uniform(
      [8 * tf.size(y) + 64], seed, 0, 256, tf.int32)
  strings = tf.strings.reduce_join(bytes_of(numbers))[None]

  @tf.function(autograph=False)
  def decode():  # Eagerly, it would refuse symbols that no encoder writes.
    return leaf.decode_more(
        leaf.create_decoder(strings, tf.size(y)), evidence)[1]

  symbols = tf.reshape(decode(), tf.shape(y))
  # Some are escape codes, whose estimate is another matter.
  _, bits = leaf.price(leaf.reconstruct(symbols, params), params)
  return leaf.reconstruct(tf.where(bits < _MOST_BITS, symbols, 0), params)


@contextlib.contextmanager
def _fresh_graphs(model):
  """A context for other methods than those that graphs of walks were traced with."""
  walks = [c for c in model.latent_codecs() if isinstance(c, AutoregressiveCodec)]
  kept = [walk._graphs for walk in walks]
  # Those that had one in common still have.
  fresh = {id(graphs): {} for graphs in kept}
  for walk, graphs in zip(walks, kept):
    object.__setattr__(walk, "_graphs", fresh[id(graphs)])
  try:
    yield
  finally:
    for walk, graphs in zip(walks, kept):
      object.__setattr__(walk, "_graphs", graphs)
