"""A latent codec around two: the halves of a checkerboard, one after the other."""

import tensorflow as tf

from tfc_models.entropy_models.base import LatentCodec
from tfc_models.layers import CaseGraph
from tfc_models.ops import checkerboard


class CheckerboardCodec(LatentCodec):
  """Codes the sites of one half of a checkerboard, then the others given these.

  Latents are of any size. The codecs inside see the sites of their half as (B, n, 1, C),
  row by row.

  Args:
    first: `LatentCodec` of one half, which is told the params as they are.
    second: `LatentCodec` of the other.
    network: function of y_hat, (B, H, W, C) with zeros at the second half, and of the
      params, to params of `second`: a structure of tensors, (B, H, W, ...). Whatever of
      them selects a table must be equal on every machine, see `layers.exact`.
    name: see `LatentCodec`.

  Source: He, Zheng, Sun, Wang, Qin, "Checkerboard context model for efficient learned
    image compression", CVPR 2021, arXiv:2103.15306.
  """

  def __init__(self, first: LatentCodec, second: LatentCodec, network, name="z"):
    super().__init__(f"{name}_halves", first.reconstruction)
    self.first = first
    self.second = second
    self.network = network
    self._given = CaseGraph(self._params_of_second)

  def leaves(self):
    return [*self.first.leaves(), *self.second.leaves()]

  def __call__(self, y, params=None, noise=None):
    first, second = checkerboard.sites(y)
    first, bits = self.first(first, params, noise)
    second, more = self.second(second, self._given(first, y, params), noise)
    return checkerboard.from_sites(first, second, y), {**bits, **more}

  def symbols(self, y, params=None):
    first, second = checkerboard.sites(y)
    coded, first = self.first.symbols(first, params)
    more, second = self.second.symbols(second, self._given(first, y, params))
    return [*coded, *more], checkerboard.from_sites(first, second, y)

  def priced_symbols(self, y, params=None):
    first, second = checkerboard.sites(y)
    coded, first, bits = self.first.priced_symbols(first, params)
    more, second, rest = self.second.priced_symbols(
        second, self._given(first, y, params))
    return ([*coded, *more], checkerboard.from_sites(first, second, y),
            {**bits, **rest})

  def decode(self, reader, shape, params=None):
    height, width, depth = shape
    count = (height * width + 1) // 2
    first = self.first.decode(reader, (count, 1, depth), params)
    like = tf.zeros(tf.stack([tf.shape(first)[0], height, width, depth]))
    second = self.second.decode(
        reader, (height * width - count, 1, depth), self._given(first, like, params))
    return checkerboard.from_sites(first, second, like)

  def prepare(self, y):
    self.first.prepare(checkerboard.sites(tf.constant(y))[0].numpy())

  def rescale(self, factor):
    self.first.rescale(factor)

  def fix_tables(self):
    """Does nothing: the codecs inside have the tables."""

  def _params_of_second(self, first, like, params):
    """Returns the params of `second`, of a latent like another."""
    _, rest = checkerboard.sites(tf.zeros_like(like))
    outputs = self.network(checkerboard.from_sites(first, rest, like), params)
    return tf.nest.map_structure(lambda x: checkerboard.sites(x)[1], outputs)
