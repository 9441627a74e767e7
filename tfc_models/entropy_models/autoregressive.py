"""Latent codecs that predict each site from those coded before it."""

import functools

import tensorflow as tf

from tfc_models.entropy_models.base import Coded, LatentCodec
from tfc_models.entropy_models.neighbours import Neighbours
from tfc_models.entropy_models.symbol_codec import SymbolCodec, total
from tfc_models.layers import as_real
from tfc_models.ops import probe, wavefront


class AutoregressiveCodec(LatentCodec):
  """Codes a latent front by front, each from side information and its context.

  Sender and receiver walk the same fronts with the same arithmetic; they differ in
  a single function, which quantises or reads the symbols of a front.

  Args:
    codec: `SymbolCodec`. With its `fixed_grid` an encoder whose network is exact
      needs no walk.
    network: `transforms.causal.CausalNetwork`. If its offsets have a channel too,
      the sites are single elements, and the features of one lie along a last axis:
      y is (B, C, H, W, 1) to it.
    to_params: from outputs of the network to params of `codec`.
    name: see `LatentCodec`; by default, that of `codec` and "_walk".
    twin: another such codec, of the same `codec` and `to_params` and a network of
      the same structure, to use its graphs.

  Source: Minnen, Balle, Toderici, NeurIPS 2018, arXiv:1809.02736, section 3; of
    channels: Mentzer et al., CVPR 2018, arXiv:1801.04260.
  Departs: symbols lie in the stream by fronts, not in raster order; what each is
    conditioned on is the same.
  """

  takes_turns = True

  def __init__(self, codec: SymbolCodec, network, to_params, name=None, twin=None):
    super().__init__(name or f"{codec.name}_walk", codec.reconstruction)
    self.codec = codec
    self.network = network
    self.to_params = to_params
    self._graphs = {} if twin is None else twin._graphs

  def leaves(self):
    return [self.codec]

  def __call__(self, y, params=None, noise=None, rounding=None):
    """As of `LatentCodec`; `params` are the side information, or None.

    A network without any is given some of no channels.
    """
    if noise is not None or self._sees_all():
      y_hat, bits = self.price(y, params, noise)
      return y_hat, {self.codec.name: total(bits)}
    sites = self._as_sites(y)
    side = _side(params, tf.shape(sites)[:-1])
    self._build(sites, side)
    bits, y_hat = self._as_graph(
        self._estimate, self._weighed(sites, rounding), side)
    y_hat = tf.ensure_shape(self._as_latent(y_hat), y.shape)
    return y_hat, {self.codec.name: bits}

  def price(self, y, params=None, noise=None):
    """Returns y_hat and the bits of each element, where all of y_hat can be known.

    That is in training, and of a codec with a `fixed_grid`.
    """
    sites = self._as_sites(y)
    side = _side(params, tf.shape(sites)[:-1])
    self._build(sites, side)
    context = (self.codec.on_grid(sites) if noise is None
               else self.codec.noisy(sites, noise))
    with as_real(noise is not None):
      params = self.to_params(self.network(context, side))
    y_hat, bits = self.codec.price(sites, params, noise)
    return self._as_latent(y_hat), self._as_latent(bits)

  def symbols(self, y, params=None, rounding=None):
    sites = self._as_sites(y)
    side = _side(params, tf.shape(sites)[:-1])
    with probe.span("entropy coding"):
      if self._sees_all():
        coded, y_hat = self._symbols_at_once(sites, side)
      else:
        coded, y_hat = self._as_graph(
            self._symbols, self._weighed(sites, rounding), side)
      return [coded], self._as_latent(y_hat)

  def decode(self, reader, shape, params=None):
    with probe.span("entropy coding"):
      source = reader.take(self.codec)
      probe.note("walk", (self, reader, source, shape, params))
      y_hat, evidence = self.walk(reader, source, shape, params)
      reader.check(self.codec, evidence)
      return y_hat

  def walk(self, reader, source, shape, side):
    """Decodes what a reader has taken.

    Args:
      reader, source: see `entropy_models.reading`.
      shape, side: as of `decode`.

    Returns:
      y_hat, and the evidence by fronts, (B, sites, channels of a site).
    """
    height, width, depth = shape
    sizes = (depth, height, width) if self._has_channels else (height, width)
    side = _side(side, [tf.shape(source)[0], *sizes])
    y_hat, evidence = self._as_graph(
        self._decode, source, tf.stack(sizes), side, extra=(type(reader),))
    y_hat = self._as_latent(y_hat)
    return tf.ensure_shape(y_hat, [*y_hat.shape[:3], depth]), evidence

  def fix_tables(self):
    """Does nothing: the tables are those of the codec inside."""

  @property
  def _has_channels(self):
    """Whether sites are single elements."""
    return len(self.network.offsets[0]) == 3

  def _as_sites(self, y):
    """(B, H, W, C) to (B, C, H, W, 1), if sites are single elements."""
    return tf.transpose(y, [0, 3, 1, 2])[..., None] if self._has_channels else y

  def _build(self, sites, side):
    """Creates the network's variables, which graphs must not."""
    if not self.network.built:
      self.network(sites, side)

  def _as_latent(self, sites):
    return tf.transpose(
        sites[..., 0], [0, 2, 3, 1]) if self._has_channels else sites

  def _weighed(self, sites, rounding):
    """Returns sites, with `rounding` of their elements behind them if it is given."""
    if rounding is None:
      return sites
    rounding = tf.cast(rounding, tf.float32)
    if rounding.shape.rank:
      rounding = self._as_sites(rounding)
    return tf.concat([sites, tf.broadcast_to(rounding, tf.shape(sites))], axis=-1)

  def _unweighed(self, values):
    """Returns the values of a front, and keyword arguments, of those of `_weighed`."""
    if values.shape[-1] == self.network.depth:
      return values, {}
    values, rounding = tf.split(values, 2, axis=-1)
    return values, {"rounding": rounding}

  def _sees_all(self):
    """Returns whether an encoder knows all of y_hat beforehand, in all contexts."""
    return self.codec.fixed_grid and self.network.exact

  def _as_graph(self, function, *tensors, extra=()):
    """Runs a walk as a graph, traced once for all sizes, and weights.

    Integers are equal in graphs and eagerly.
    """
    widths = [x.shape[-1] for x in tensors if x.shape.rank > 2]
    name = " ".join(map(str, [
        function.__name__, *(kind.__name__ for kind in extra), *widths]))
    weights = self.network.site_weights()
    if name not in self._graphs:
      self._graphs[name] = tf.function(
          functools.partial(function, *extra), autograph=False,
          input_signature=[
              tf.nest.map_structure(
                  lambda x: tf.TensorSpec(x.shape, x.dtype), weights),
              *map(_of_any_size, tensors)])
    return self._graphs[name](weights, *tensors)

  def _estimate(self, weights, y, side):
    def visit(bits, values, params, evidence):
      del evidence
      values, weighed = self._unweighed(values)
      y_hat, more = self.codec.price(values, params, **weighed)
      return bits + total(more), y_hat, ()

    bits, y_hat, _, _ = self._walk(
        weights, _sizes(y), side, visit, tf.zeros(tf.shape(y)[:1]), y)
    return bits, y_hat

  def _symbols(self, weights, y, side):
    def visit(state, values, params, evidence):
      del evidence
      values, weighed = self._unweighed(values)
      y_hat, symbols = self.codec.quantize(values, params, **weighed)
      return state, y_hat, (tf.cast(symbols, tf.int32),)

    _, y_hat, evidence, (symbols,) = self._walk(
        weights, _sizes(y), side, visit, tf.constant(0), y, kept=1)
    _, splits = wavefront.fronts(_sizes(y), self._slopes())
    return Coded(symbols, evidence, splits), y_hat

  def _symbols_at_once(self, y, side):
    """As `_symbols`, with the contexts of all sites known beforehand."""
    params = self.to_params(self.network(self.codec.on_grid(y), side))
    y_hat, symbols = self.codec.quantize(y, params)
    sites, splits = wavefront.fronts(_sizes(y), self._slopes())

    def by_fronts(x):
      return tf.transpose(tf.gather(_sites_first(x), sites), [1, 0, 2])

    symbols = tf.cast(symbols, tf.int32)
    evidence = self.codec.evidence(params, tf.shape(y))
    return Coded(by_fronts(symbols), by_fronts(evidence), splits), y_hat

  def _decode(self, reader, weights, source, sizes, side):
    sizes = tf.unstack(sizes)
    state, more = reader.open(
        self.codec, source, wavefront.volume(sizes) * self.network.depth)

    def visit(state, values, params, evidence):
      del values
      state, symbols = more(state, evidence)
      return state, self.codec.reconstruct(symbols, params), ()

    _, y_hat, evidence, _ = self._walk(weights, sizes, side, visit, state)
    return y_hat, evidence

  def _walk(self, weights, sizes, side, visit, state, y=None, kept=0):
    """Fills y_hat front by front.

    Args:
      weights: of `network.site_weights`.
      sizes: of the axes of the latent, scalars.
      side: (B, *sizes, D).
      visit: (state, values, params, evidence) to (state, y_hat, int32 tensors to
        keep), all of one front: values of y and y_hat are (B, n, C).
      state: tensor that the visits hand on.
      y: (B, *sizes, C), or twice as many of `_weighed`; None for a receiver.
      kept: how many tensors visits keep.

    Returns:
      state; y_hat, (B, *sizes, C); by fronts, (B, sites, C): evidence, int32, and
      a list of what was kept.
    """
    network = self.network
    batch, depth = tf.shape(side)[0], network.depth
    slopes = self._slopes()
    sites, splits = wavefront.fronts(sizes, slopes)
    side = _sites_first(side)
    values = None if y is None else _sites_first(y)
    context = Neighbours(network.offsets, slopes, sizes, batch, depth)
    memory = Neighbours(
        network.memory_offsets, slopes, sizes, batch, network.memory_depth)

    context_lines, memory_lines = (
        kind.lines_of(sites) for kind in (context, memory))

    def of_front(x, chosen):
      return tf.transpose(tf.gather(x, chosen), [1, 0, 2])

    def step(front, coded, features, arrays, state):
      now = slice(splits[front], splits[front + 1])
      chosen, lines, memory_line = sites[now], context_lines[now], memory_lines[now]
      outputs, more = network.at_sites(
          context.of(coded, lines), of_front(side, chosen),
          memory.of(features, memory_line), weights)
      params = self.to_params(outputs)
      evidence = self.codec.evidence(
          params, tf.stack([batch, tf.size(chosen), depth]))
      state, y_hat, rest = visit(
          state, None if y is None else of_front(values, chosen), params, evidence)
      arrays = [
          array.write(front, tf.transpose(value, [1, 0, 2]))
          for array, value in zip(arrays, (y_hat, evidence, *rest))]
      return (front + 1, context.after(coded, lines, y_hat),
              memory.after(features, memory_line, more), arrays, state)

    count = tf.size(splits) - 1
    arrays = [
        tf.TensorArray(
            dtype, count, infer_shape=False, element_shape=[None, None, channels])
        for dtype, channels in (
            (tf.float32, depth), (tf.int32, depth * self.codec.evidence_size),
            *[(tf.int32, depth)] * kept)]
    *_, arrays, state = tf.while_loop(
        lambda front, *_: front < count, step,
        [tf.constant(0), context.nothing(), memory.nothing(), arrays, state],
        shape_invariants=[
            tf.TensorShape([]), context.shape, memory.shape,
            [tf.TensorShape(None)] * len(arrays), state.shape])
    latent, *rest = [array.concat() for array in arrays]
    # From the order of fronts to that of the raster.
    y_hat = tf.gather(latent, tf.math.invert_permutation(sites))
    y_hat = tf.reshape(y_hat, [*sizes, batch, depth])
    y_hat = tf.transpose(y_hat, [len(sizes), *range(len(sizes)), len(sizes) + 1])
    evidence, *rest = [tf.transpose(value, [1, 0, 2]) for value in rest]
    return state, y_hat, evidence, rest

  def _slopes(self):
    network = self.network
    return wavefront.slopes([*network.offsets, *network.memory_offsets])


def _side(params, batch_and_sizes):
  """Returns side information, of no channels if there are no params."""
  if params is None:
    return tf.zeros(tf.concat([batch_and_sizes, [0]], axis=0))
  return params


def _sizes(y):
  """Returns the sizes of the axes between batch and features, a list of scalars."""
  return tf.unstack(tf.shape(y)[1:-1])


def _sites_first(x):
  """(B, *sizes, C) to (sites, B, C)."""
  shape, axes = tf.shape(x), x.shape.rank
  x = tf.transpose(x, [*range(1, axes - 1), 0, axes - 1])
  return tf.reshape(x, [-1, shape[0], x.shape[-1]])


def _of_any_size(x):
  """Returns the signature of a tensor in a graph for all sizes of a latent."""
  if x.shape.rank == 1 and x.dtype != tf.string:
    return tf.TensorSpec(x.shape, x.dtype)  # Of the sizes themselves.
  shape = [None] * x.shape.rank
  if x.shape.rank > 2:
    shape[-1] = x.shape[-1]
  return tf.TensorSpec(shape, x.dtype)
