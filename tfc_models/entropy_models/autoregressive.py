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
    codec: codes the symbols, such as `GaussianCodec`; the noise of training goes
      by its name. With its `fixed_grid` an encoder whose network is exact needs
      no walk.
    network: of integers, see `transforms.context.ContextNetwork`: `offsets` of its
      context, `depth` of the latent, whether it is `exact`, `__call__(y_hat, side)`
      for all sites at once, and `prepared()`, the same function of the context of
      single sites.
    to_params: from outputs of the network to params of `codec`.

  Source: Minnen, Balle, Toderici, NeurIPS 2018, arXiv:1809.02736, section 3.
  Departs: symbols lie in the stream by fronts, not in raster order; what each is
    conditioned on is the same.
  """

  def __init__(self, codec, network, to_params):
    super().__init__(f"{codec.name}_walk", codec.reconstruction)
    self.codec = codec
    self.network = network
    self.to_params = to_params
    self._graphs = {}

  def __call__(self, y, side=None, noise=None):
    """As of `LatentCodec`; `side` is (B, H, W, D), integers carried by floats."""
    if not self.network.built:
      self.network(y, side)  # Creates variables, which graphs must not.
    if noise is None:
      bits, y_hat = self._as_graph(self._estimate, y, side)
      return tf.ensure_shape(y_hat, y.shape), bits
    y_tilde = y + noise.uniform(y, self.codec.name)
    params = self.to_params(self.network(y_tilde, side))
    return self.codec(y, params, noise)

  def compress(self, y, side=None):
    self.codec.tables.check()
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

  def _as_graph(self, function, *tensors):
    """Runs a walk as a graph, traced once for all sizes.

    Integers are equal in graphs and eagerly.
    """
    name = function.__name__
    if name not in self._graphs:
      self._graphs[name] = tf.function(
          function, autograph=False, input_signature=[
              tf.TensorSpec(
                  [None] * (len(x.shape) - 1) + x.shape[-1:].as_list()
                  if len(x.shape) == 4 else [None] * len(x.shape), x.dtype)
              for x in tensors])
    return self._graphs[name](*tensors)

  def _estimate(self, y, side):
    values = _sites_first(y)

    def visit(bits, sites, params, indexes):
      del indexes
      front = tf.transpose(tf.gather(values, sites), [1, 0, 2])
      # As an image of one row.
      y_hat, more = self.codec(front[:, None], _as_row(params))
      return bits + more, y_hat[:, 0]

    bits, y_hat, _ = self._walk(
        tf.shape(y)[1:3], side, visit, tf.zeros(tf.shape(y)[:1]))
    return bits, y_hat

  def _encode(self, y, side):
    if self.codec.fixed_grid and self.network.exact:
      return self._encode_at_once(y, side)
    values, tables = _sites_first(y), self.codec.tables

    def visit(handle, sites, params, indexes):
      front = tf.transpose(tf.gather(values, sites), [1, 0, 2])
      y_hat, symbols = self.codec.quantize(front, params)
      handle = tables.encode_more(
          handle, tf.cast(symbols, tf.int32), indexes)
      return handle, y_hat

    handle, y_hat, indexes = self._walk(
        tf.shape(y)[1:3], side, visit, tables.create_encoder(tf.shape(y)[:1]))
    return tables.finish(handle), y_hat, indexes

  def _encode_at_once(self, y, side):
    """As `_encode`, with the context of all sites known beforehand."""
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

  def _decode(self, strings, shape, side):
    tables = self.codec.tables

    def visit(handle, sites, params, indexes):
      del sites
      handle, symbols = tables.decode_more(handle, indexes)
      return handle, self.codec.reconstruct(symbols, params)

    _, y_hat, indexes = self._walk(
        shape, side, visit, tables.create_decoder(strings))
    return y_hat, indexes

  def _walk(self, shape, side, visit, state):
    """Fills y_hat front by front.

    Args:
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
    batch, depth = tf.shape(side)[0], self.network.depth
    offsets = self.network.offsets
    slope, rows, sites, splits = self._fronts(height, width)
    side = _sites_first(side)
    predict = self.network.prepared()
    # All context lies in the latest fronts, each (rows, B, C) below a margin;
    # where a front has no site there is a zero, as outside of the image.
    margin = max(-row for row, _ in offsets)
    delays = [-(column + slope * row) for row, column in offsets]
    memory = max(delays)
    taps = (memory - tf.constant(delays)) * (margin + height) + tf.constant(
        [margin + row for row, _ in offsets])

    def step(front, recent, latents, used, state):
      chosen = slice(splits[front], splits[front + 1])
      row, site = rows[chosen], sites[chosen]
      context = tf.gather(
          tf.reshape(recent, [memory * (margin + height), batch, depth]),
          row[:, None] + taps)  # (n, taps, B, C)
      context = tf.reshape(
          tf.transpose(context, [2, 0, 1, 3]),
          [batch, tf.size(site), len(offsets) * depth])
      params = self.to_params(predict(
          context, tf.transpose(tf.gather(side, site), [1, 0, 2])))
      indexes = self.codec.table_indexes(params)
      state, y_hat = visit(state, site, params, indexes)
      y_hat = tf.transpose(y_hat, [1, 0, 2])
      # Rows of a front are consecutive; a narrow image has fronts without any.
      first = tf.reduce_sum(row[:1])
      newest = tf.pad(
          y_hat, [[margin + first, height - first - tf.size(row)], [0, 0], [0, 0]])
      return (
          front + 1, tf.concat([recent[1:], newest[None]], axis=0),
          latents.write(front, y_hat),
          used.write(front, tf.transpose(indexes, [1, 0, 2])), state)

    count = tf.size(splits) - 1
    by_fronts = {
        dtype: tf.TensorArray(
            dtype, count, infer_shape=False, element_shape=[None, None, depth])
        for dtype in (tf.float32, tf.int32)}
    _, _, latents, used, state = tf.while_loop(
        lambda front, *_: front < count, step,
        [tf.constant(0), tf.zeros([memory, margin + height, batch, depth]),
         by_fronts[tf.float32], by_fronts[tf.int32], state],
        shape_invariants=[
            tf.TensorShape([]), tf.TensorShape([memory, None, None, depth]),
            tf.TensorShape(None), tf.TensorShape(None), state.shape])
    # From the order of fronts to that of the raster.
    y_hat = tf.gather(latents.concat(), tf.math.invert_permutation(sites))
    y_hat = tf.reshape(y_hat, [height, width, batch, depth])
    return (state, tf.transpose(y_hat, [2, 0, 1, 3]),
            tf.transpose(used.concat(), [1, 0, 2]))

  def _fronts(self, height, width):
    """Returns the slope; row and number in raster order of each site; splits."""
    slope = wavefront.slope(self.network.offsets)
    rows, columns, splits = wavefront.fronts(height, width, slope)
    return slope, rows, rows * width + columns, splits


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
