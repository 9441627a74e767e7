"""Which sites of a latent may be coded together, given what each depends on.

With a causal 5x5 mask a site depends on the rows above as far as two columns to
the right, and on its own row to the left. All sites of equal `column + 3 * row` are
then independent of each other: W + 3 (H - 1) fronts instead of W * H steps, at the
same probabilities. With a context of channels too, sites are single elements, and
fronts have equal `column + s * row + t * channel`.

Offsets are (row, column), or (channel, row, column); the slopes belong to all axes but
the last, (s,) or (t, s).
"""

import itertools
import math

import tensorflow as tf


def causal_offsets(size):
  """Returns the (row, column) offsets of a causal mask of `size` x `size` taps.

  The rows above, and what is left of the site in its own row: mask "A" of van den
  Oord, Kalchbrenner, Kavukcuoglu, "Pixel recurrent neural networks", ICML 2016.
  """
  return _before((size, size))


def causal_offsets_3d(size):
  """Returns the (channel, row, column) offsets of a causal mask of `size` taps a side.

  Source: Mentzer et al., CVPR 2018, arXiv:1801.04260, section 3.4.
  """
  return _before((size, size, size))


def _before(sizes):
  """Returns the offsets in a window that come before its middle, in raster order."""
  window = itertools.product(*(
      range(-(size // 2), size // 2 + 1) for size in sizes))
  return [offset for offset in window if offset < (0,) * len(sizes)]


def slopes(offsets):
  """Returns the least slopes for which the sites of a front are independent.

  Args:
    offsets: list of tuples of one length, not empty.

  Raises:
    ValueError: if an offset is not before its site in raster order.
  """
  axes = len(offsets[0])
  for offset in offsets:
    if tuple(offset) >= (0,) * axes:
      raise ValueError(f"The offset {tuple(offset)} does not come before its site.")
  found = ()  # From the last axis but one to the first.
  for axis in range(axes - 2, -1, -1):
    least = 0
    for offset in offsets:
      if offset[axis] < 0 and not any(offset[:axis]):
        # The front of the neighbour must be earlier.
        rest = _front(offset[axis + 1:], found)
        least = max(least, rest // -offset[axis] + 1)
    found = (least, *found)
  return found


def _front(offset, of_axes):
  """Returns column + slopes * the other coordinates."""
  *others, column = offset
  return column + sum(a * b for a, b in zip(of_axes, others))


def delays(offsets, of_axes):
  """Returns how many fronts earlier each neighbour is, a list of positive ints."""
  return [-_front(offset, of_axes) for offset in offsets]


def count(sizes, of_axes):
  """Returns how many fronts a latent of `sizes` has."""
  return 1 + _front([size - 1 for size in sizes], of_axes)


def fronts(sizes, of_axes):
  """Returns the sites in the order of their fronts.

  Args:
    sizes: of the axes of the latent, ints or scalar tensors.
    of_axes: slopes, see `slopes`.

  Returns:
    sites: (N,) int32, numbers of the sites in raster order, front by front, in
      raster order within.
    splits: (number of fronts + 1,) int32; front t is splits[t]:splits[t + 1].
  """
  coordinates = tf.meshgrid(*(tf.range(size) for size in sizes), indexing="ij")
  number = tf.reshape(_front(coordinates, of_axes), [-1])
  order = tf.argsort(number, stable=True)
  counts = tf.math.bincount(number, minlength=count(sizes, of_axes))
  return order, tf.concat([[0], tf.cumsum(counts)], axis=0)


def lines(sizes, margins):
  """Returns the sizes of all axes but the last, with margins before and after them."""
  return [size + 2 * margin for size, margin in zip(sizes[:-1], margins)]


def margins(offsets):
  """Returns how far neighbours lie outside along all axes but the last."""
  return [
      max(abs(offset[axis]) for offset in offsets)
      for axis in range(len(offsets[0]) - 1)]


def volume(sizes):
  """Returns the product of sizes, an int or a scalar tensor."""
  return math.prod(sizes)
