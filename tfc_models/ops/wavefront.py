"""Which sites of a latent may be coded together, given what each depends on.

With a causal 5x5 mask a site depends on the rows above as far as two columns to
the right, and on its own row to the left. All sites of equal `column + 3 * row` are
then independent of each other: W + 3 (H - 1) fronts instead of W * H steps, at the
same probabilities.
"""

import tensorflow as tf


def causal_offsets(size):
  """Returns the (row, column) offsets of a causal mask of `size` x `size` taps.

  The rows above, and what is left of the site in its own row: mask "A" of van den
  Oord, Kalchbrenner, Kavukcuoglu, "Pixel recurrent neural networks", ICML 2016.
  """
  half = size // 2
  return [
      (row, column) for row in range(-half, 1) for column in range(-half, half + 1)
      if row < 0 or column < 0]


def slope(offsets):
  """Returns the least s for which sites of equal column + s * row are independent.

  Raises:
    ValueError: if an offset is not before its site in raster order.
  """
  least = 0
  for row, column in offsets:
    if row > 0 or row == 0 and column >= 0:
      raise ValueError(
          f"The offset {(row, column)} does not come before its site.")
    if row < 0:
      # The front of the neighbour must be earlier: column + s * row < 0.
      least = max(least, column // -row + 1)
  return least


def fronts(height, width, step):
  """Returns the sites in the order of their fronts.

  Args:
    height, width: of the latent, scalars.
    step: of `slope`.

  Returns:
    rows, columns: (height * width,) int32, front by front, top to bottom within.
    splits: (number of fronts + 1,) int32; front t is splits[t]:splits[t + 1].
  """
  row = tf.repeat(tf.range(height), width)
  column = tf.tile(tf.range(width), [height])
  number = column + step * row
  order = tf.argsort(number, stable=True)
  counts = tf.math.bincount(
      number, minlength=width + step * (height - 1))
  splits = tf.concat([[0], tf.cumsum(counts)], axis=0)
  return tf.gather(row, order), tf.gather(column, order), splits
