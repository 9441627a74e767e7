"""Where the sites of a front find what they depend on."""

import tensorflow as tf

from tfc_models.ops import wavefront


class Neighbours:
  """Keeps the latest fronts, in which all neighbours of the next one lie.

  As a tensor, (fronts, lines, B, depth): of each front there is at most one site in a
  line (a row; with a context of channels, a row of a channel). Lines have a margin;
  where a front has no site there is a zero, as outside of the latent.

  Args:
    offsets: list of tuples, see `ops.wavefront`; if empty, nothing is kept.
    slopes: of the fronts.
    sizes: of the latent's axes, scalars.
    batch: images, a scalar.
    depth: channels of what is kept.
  """

  def __init__(self, offsets, slopes, sizes, batch, depth):
    self._batch, self._depth = batch, depth
    delays = wavefront.delays(offsets, slopes)
    self._fronts = max(delays, default=0)
    self.shape = tf.TensorShape([self._fronts, None, None, depth])
    self._taps = None
    if not offsets:
      self._lines = 0
      return
    self._sizes = sizes
    self._margins = wavefront.margins(offsets)
    padded = wavefront.lines(sizes, self._margins)
    self._lines = wavefront.volume(padded)
    steps = self._strides(padded)
    self._taps = tf.stack([
        sum(step * of_axis for step, of_axis in zip(steps, offset))
        + (self._fronts - delay) * self._lines
        for offset, delay in zip(offsets, delays)])
    self._steps = steps

  def nothing(self):
    """Returns what is kept before the first front."""
    return tf.zeros([self._fronts, self._lines, self._batch, self._depth])

  def of(self, kept, lines):
    """Returns the neighbours, (B, n, offsets * depth), of sites by `lines_of`."""
    if self._taps is None:
      return None
    taps = self._taps.shape[0]
    found = tf.gather(
        tf.reshape(kept, [-1, self._batch, self._depth]),
        lines[:, None] + self._taps)  # (n, taps, B, depth)
    return tf.reshape(
        tf.transpose(found, [2, 0, 1, 3]),
        [self._batch, tf.size(lines), taps * self._depth])

  def after(self, kept, lines, values):
    """Returns what is kept after a front with `values`, (B, n, depth)."""
    if not self._fronts:
      return kept
    newest = tf.scatter_nd(
        lines[:, None], tf.transpose(values, [1, 0, 2]),
        tf.stack([self._lines, self._batch, self._depth]))
    return tf.concat([kept[1:], newest[None]], axis=0)

  def lines_of(self, sites):
    """Returns the numbers of the lines that sites, in raster order, lie in."""
    if self._taps is None:
      return tf.zeros_like(sites)
    rest = sites // self._sizes[-1]
    line = 0
    for axis in range(len(self._margins) - 1, -1, -1):
      size = self._sizes[axis]
      line += self._steps[axis] * (rest % size + self._margins[axis])
      rest //= size
    return line

  @staticmethod
  def _strides(padded):
    """Returns the distance of neighbours along each axis of the lines."""
    return [wavefront.volume(padded[axis + 1:]) for axis in range(len(padded))]
