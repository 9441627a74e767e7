"""A latent codec around several: each codes some channels."""

import tensorflow as tf

from tfc_models.entropy_models.base import LatentCodec


class SplitCodec(LatentCodec):
  """Codes the channels of a latent in groups, one after the other.

  Args:
    codecs: list of `LatentCodec`, one a group.
    depths: channels of each group.
    params_of: function of (params, number of the group, list of the y_hat of those
      before) to the params of its codec; by default all see the same params.
    name: see `LatentCodec`.

  Source: Lee, Cho, Beack, ICLR 2019, arXiv:1809.10452, section 3.3 (hybrid: one group
    with context, one without); Minnen and Singh, ICIP 2020, arXiv:2007.08739 (groups
    conditioned on those before).
  """

  def __init__(self, codecs, depths, params_of=None, name="y"):
    super().__init__(f"{name}_split")
    if len(codecs) != len(depths):
      raise ValueError(
          f"`depths` must have one number for each of {len(codecs)} codecs, "
          f"got {depths}.")
    self.codecs = list(codecs)
    self.depths = tuple(depths)
    self.params_of = params_of or (lambda params, number, before: params)

  def leaves(self):
    return [leaf for codec in self.codecs for leaf in codec.leaves()]

  def __call__(self, y, params=None, noise=None, rounding=None):
    found, bits, more = [], {}, self._roundings(rounding)
    for number, (codec, part) in enumerate(self._parts_of(y)):
      y_hat, some = codec(
          part, self.params_of(params, number, found), noise, **more[number])
      found.append(y_hat)
      bits.update(some)
    return tf.concat(found, axis=-1), bits

  def symbols(self, y, params=None, rounding=None):
    found, coded, more = [], [], self._roundings(rounding)
    for number, (codec, part) in enumerate(self._parts_of(y)):
      some, y_hat = codec.symbols(
          part, self.params_of(params, number, found), **more[number])
      found.append(y_hat)
      coded += some
    return coded, tf.concat(found, axis=-1)

  def decode(self, reader, shape, params=None):
    found = []
    for number, (codec, depth) in enumerate(zip(self.codecs, self.depths)):
      found.append(codec.decode(
          reader, (*shape[:2], depth), self.params_of(params, number, found)))
    return tf.concat(found, axis=-1)

  def fix_tables(self):
    """Does nothing: the codecs inside have the tables."""

  def _roundings(self, rounding):
    """Returns the keyword arguments of each codec."""
    if rounding is None:
      return [{}] * len(self.codecs)
    rounding = tf.convert_to_tensor(rounding, tf.float32)
    each = [rounding] * len(self.codecs) if rounding.shape.rank == 0 else tf.split(
        rounding, self.depths, axis=-1)
    return [{"rounding": one} for one in each]

  def _parts_of(self, y):
    return zip(self.codecs, tf.split(y, self.depths, axis=-1))
