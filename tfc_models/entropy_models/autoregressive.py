"""Latent codecs that predict each site from those coded before it."""

import tensorflow as tf

from tfc_models.entropy_models import digest
from tfc_models.entropy_models.base import LatentCodec
from tfc_models.ops import wavefront


class AutoregressiveCodec(LatentCodec):
  """Codes a latent front by front, each from side information and its context.

  Sender and receiver walk the same fronts with the same arithmetic; they differ in
  a single function, which codes or reads the symbols of a front.

  Args:
    codec: `IndexedCodec`. With its `fixed_grid` an encoder whose network is exact
      needs no walk.
    network: of integers, see `transforms.context.ContextNetwork`: `offsets` of its
      context, `depth` of the latent, whether it is `exact`, `__call__(y_hat, side)`
      for all sites at once, and `site_weights()` and `at_sites(weights, context,
      side, memory)`, the same function of single sites, which also returns what
      later sites see of these beside y_hat: at `memory_offsets`, (B, n,
      memory_depth).
    to_params: from outputs of the network to params of `codec`.
    name: see `LatentCodec`; by default, that of `codec` and "_walk".
    twin: another such codec, of the same `codec` and `to_params` and a network of
      the same structure, to use its graphs.

  Source: Minnen, Balle, Toderici, NeurIPS 2018, arXiv:1809.02736, section 3.
  Departs: symbols lie in the stream by fronts, not in raster order; what each is
    conditioned on is the same.
  """

  def __init__(self, codec, network, to_params, name=None, twin=None):
    super().__init__(name or f"{codec.name}_walk", codec.reconstruction)
    self.codec = codec
    self.network = network
    self.to_params = to_params
    self._graphs = {} if twin is None else twin._graphs

  def __call__(self, y, side=None, noise=None):
    """As of `LatentCodec`; `side` is (B, H, W, D), integers carried by floats."""
    if not self.network.built:
      self.network(y, side)  # Creates variables, which graphs must not.
    if noise is not None:
      context = self.codec.noisy(y, noise)
    elif self._sees_all():
      context = self.codec.on_grid(y)
    else:
      bits, y_hat = self._as_graph(self._estimate, y, side)
      return tf.ensure_shape(y_hat, y.shape), bits
    return self.codec(y, self.to_params(self.network(context, side)), noise)

  def compress(self, y, side=None):
    self.codec.tables.check()
    if self._sees_all():
      strings, y_hat, indexes = self._encode_at_once(y, side)
    else:
      strings, y_hat, indexes = self._as_graph(self._encode, y, side)
    return digest.append(strings, indexes), y_hat

  def decompress(self, strings, shape, side=None):
    strings, digests = digest.split(strings)
    y_hat, indexes = self.walk(strings, shape, side)
    digest.check(digests, indexes)
    return y_hat

  def walk(self, strings, shape, side):
    """Decodes without a check of digests.

    Args:
      strings: (B,) bytes, without digests.
      shape, side: as of `decompress`.

    Returns:
      y_hat, and the numbers of the tables, (B, H * W, C) int32 by fronts.
    """
    self.codec.tables.check()
    return self._as_graph(
        self._decode, strings, tf.constant(shape[:2], tf.int32), side)

  def fix_tables(self):
    """Does nothing: the tables are those of the codec inside."""

  def _sees_all(self):
    """Returns whether an encoder knows all of y_hat beforehand, in all contexts."""
    return self.codec.fixed_grid and self.network.exact

  def _as_graph(self, function, *tensors):
    """Runs a walk as a graph, traced once for all sizes, and weights.

    Integers are equal in graphs and eagerly.
    """
    name = function.__name__
    weights = self.network.site_weights()
    if name not in self._graphs:
      self._graphs[name] = tf.function(
          function, autograph=False, input_signature=[
              tf.nest.map_structure(
                  lambda x: tf.TensorSpec(x.shape, x.dtype), weights), *(
                  tf.TensorSpec(
                      [None] * (len(x.shape) - 1) + x.shape[-1:].as_list()
                      if len(x.shape) == 4 else [None] * len(x.shape), x.dtype)
                  for x in tensors)])
    return self._graphs[name](weights, *tensors)

  def _estimate(self, weights, y, side):
    values = _sites_first(y)

    def visit(bits, sites, params, indexes):
      del indexes
      front = tf.transpose(tf.gather(values, sites), [1, 0, 2])
      # As an image of one row.
      y_hat, more = self.codec(front[:, None], _as_row(params))
      return bits + more, y_hat[:, 0]

    bits, y_hat, _ = self._walk(
        weights, tf.shape(y)[1:3], side, visit, tf.zeros(tf.shape(y)[:1]))
    return bits, y_hat

  def _encode(self, weights, y, side):
    values, tables = _sites_first(y), self.codec.tables

    def visit(handle, sites, params, indexes):
      front = tf.transpose(tf.gather(values, sites), [1, 0, 2])
      y_hat, symbols = self.codec.quantize(front, params)
      handle = tables.encode_more(
          handle, tf.cast(symbols, tf.int32), indexes)
      return handle, y_hat

    handle, y_hat, indexes = self._walk(
        weights, tf.shape(y)[1:3], side, visit,
        tables.create_encoder(tf.shape(y)[:1]))
    return tables.finish(handle), y_hat, indexes

  def _encode_at_once(self, y, side):
    """As `_encode`, with the contexts of all sites known beforehand."""
    tables = self.codec.tables
    y_hat = self.codec.on_grid(y)
    params = self.to_params(self.network(y_hat, side))
    _, _, sites, _ = self._fronts(tf.shape(y)[1], tf.shape(y)[2])

    def by_fronts(x):
      return tf.transpose(tf.gather(_sites_first(x), sites), [1, 0, 2])

    indexes = by_fronts(self.codec.table_indexes(params))
    symbols = by_fronts(self.codec.quantize(y, params)[1])
    handle = tables.encode_more(
        tables.create_encoder(tf.shape(y)[:1]), tf.cast(symbols, tf.int32),
        indexes)
    return tables.finish(handle), y_hat, indexes

  def _decode(self, weights, strings, shape, side):
    tables = self.codec.tables

    def visit(handle, sites, params, indexes):
      del sites
      handle, symbols = tables.decode_more(handle, indexes)
      return handle, self.codec.reconstruct(symbols, params)

    _, y_hat, indexes = self._walk(
        weights, shape, side, visit, tables.create_decoder(strings))
    return y_hat, indexes

  def _walk(self, weights, shape, side, visit, state):
    """Fills y_hat front by front.

    Args:
      weights: of `network.site_weights`.
      shape: (2,) int32, height and width of the latent.
      side: (B, H, W, D).
      visit: (state, sites, params, indexes) to (state, y_hat), all of one front:
        the sites are numbers in raster order, (n,); indexes of tables and y_hat
        are (B, n, C).
      state: tensor that the visits hand on.

    Returns:
      state; y_hat, (B, H, W, C); indexes, (B, H * W, C) int32, by fronts.
    """
    height, width = shape[0], shape[1]
    network = self.network
    batch, depth = tf.shape(side)[0], network.depth
    slope, rows, sites, splits = self._fronts(height, width)
    side = _sites_first(side)
    context = _Neighbours(network.offsets, slope, height, batch, depth)
    memory = _Neighbours(
        network.memory_offsets, slope, height, batch, network.memory_depth)

    def step(front, coded, kept, latents, used, state):
      chosen = slice(splits[front], splits[front + 1])
      row, site = rows[chosen], sites[chosen]
      outputs, features = network.at_sites(
          weights, context.of(coded, row),
          tf.transpose(tf.gather(side, site), [1, 0, 2]), memory.of(kept, row))
      params = self.to_params(outputs)
      indexes = self.codec.table_indexes(params)
      state, y_hat = visit(state, site, params, indexes)
      return (
          front + 1, context.after(coded, row, y_hat),
          memory.after(kept, row, features),
          latents.write(front, tf.transpose(y_hat, [1, 0, 2])),
          used.write(front, tf.transpose(indexes, [1, 0, 2])), state)

    count = tf.size(splits) - 1
    by_fronts = {
        dtype: tf.TensorArray(
            dtype, count, infer_shape=False, element_shape=[None, None, depth])
        for dtype in (tf.float32, tf.int32)}
    *_, latents, used, state = tf.while_loop(
        lambda front, *_: front < count, step,
        [tf.constant(0), context.nothing(), memory.nothing(),
         by_fronts[tf.float32], by_fronts[tf.int32], state],
        shape_invariants=[
            tf.TensorShape([]), context.shape, memory.shape,
            tf.TensorShape(None), tf.TensorShape(None), state.shape])
    # From the order of fronts to that of the raster.
    y_hat = tf.gather(latents.concat(), tf.math.invert_permutation(sites))
    y_hat = tf.reshape(y_hat, [height, width, batch, depth])
    return (state, tf.transpose(y_hat, [2, 0, 1, 3]),
            tf.transpose(used.concat(), [1, 0, 2]))

  def _fronts(self, height, width):
    """Returns the slope; row and number in raster order of each site; splits."""
    slope = wavefront.slope([*self.network.offsets, *self.network.memory_offsets])
    rows, columns, splits = wavefront.fronts(height, width, slope)
    return slope, rows, rows * width + columns, splits


class _Neighbours:
  """Where the sites of a front find their neighbours: all in the latest fronts.

  Those are kept as a tensor, (fronts, rows, B, depth), below a margin; where a
  front has no site there is a zero, as outside of the image.

  Args:
    offsets: list of (row, column); if empty, nothing is kept.
    slope: of the fronts.
    height: of the latent, batch: scalars.
    depth: channels of what is kept.
  """

  def __init__(self, offsets, slope, height, batch, depth):
    self._height, self._batch, self._depth = height, batch, depth
    self._margin = max((-row for row, _ in offsets), default=0)
    delays = [-(column + slope * row) for row, column in offsets]
    self._fronts = max(delays, default=0)
    self._taps = tf.constant(
        [self._margin + row for row, _ in offsets], tf.int32) + (
            self._fronts - tf.constant(delays, tf.int32)) * self._rows
    self.shape = tf.TensorShape([self._fronts, None, None, depth])

  @property
  def _rows(self):
    return self._margin + self._height

  def nothing(self):
    """Returns what is kept before the first front."""
    return tf.zeros([self._fronts, self._rows, self._batch, self._depth])

  def of(self, kept, row):
    """Returns the neighbours, (B, n, offsets * depth), of sites by their rows."""
    taps = self._taps.shape[0]
    if not taps:
      return None
    found = tf.gather(
        tf.reshape(kept, [-1, self._batch, self._depth]),
        row[:, None] + self._taps)  # (n, taps, B, depth)
    return tf.reshape(
        tf.transpose(found, [2, 0, 1, 3]),
        [self._batch, tf.size(row), taps * self._depth])

  def after(self, kept, row, values):
    """Returns what is kept after a front with `values`, (B, n, depth)."""
    if not self._fronts:
      return kept
    # Rows of a front are consecutive; a narrow image has fronts without any.
    first = tf.reduce_sum(row[:1])
    newest = tf.pad(tf.transpose(values, [1, 0, 2]), [
        [self._margin + first, self._height - first - tf.size(row)], [0, 0], [0, 0]])
    return tf.concat([kept[1:], newest[None]], axis=0)


def _sites_first(x):
  """(B, H, W, C) to (H * W, B, C)."""
  shape = tf.shape(x)
  return tf.reshape(
      tf.transpose(x, [1, 2, 0, 3]),
      [shape[1] * shape[2], shape[0], x.shape[-1]])


def _as_row(params):
  """Gives (B, n, C) params the rank of an image."""
  return type(params)(*(
      None if value is None else value[:, None] for value in params))
