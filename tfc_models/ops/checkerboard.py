"""The two halves of a checkerboard, as batches of dense grids.

Half 0 holds the sites with an even sum of row and column. Of two rows it has the even
columns of one and the odd columns of the other: two grids of a quarter of the sites
each, which stand one after the other in a batch.
"""

import tensorflow as tf

# Row and column that each grid of each half begins with.
_GRIDS = (((0, 0), (1, 1)), ((0, 1), (1, 0)))


def half(x, number):
  """Returns one half, (2 B, H / 2, W / 2, C), of (B, H, W, C) with even sides."""
  batch, height, width = (tf.shape(x)[axis] for axis in range(3))
  # Slices with a stride take three times as long; TFLite has five axes for others.
  pairs = tf.reshape(x, [batch * height // 2, 2, width // 2, 2, x.shape[-1]])
  grids = tf.concat(
      [pairs[:, row, :, column] for row, column in _GRIDS[number]], axis=0)
  return tf.reshape(grids, [2 * batch, height // 2, width // 2, x.shape[-1]])


def whole(first, second=None):
  """Returns (B, H, W, C) of both halves; without a second one there are zeros."""
  if second is None:
    second = tf.zeros_like(first)
  (even, odd), (right, left) = (tf.split(x, 2, axis=0) for x in (first, second))
  upper = tf.stack([even, right], axis=3)  # (B, H / 2, W / 2, 2, C).
  lower = tf.stack([left, odd], axis=3)
  rows = tf.stack([upper, lower], axis=2)  # (B, H / 2, 2, W / 2, 2, C).
  shape = tf.shape(first)
  return tf.reshape(rows, [
      shape[0] // 2, 2 * shape[1], 2 * shape[2], first.shape[-1]])


def surroundings(x, number, size):
  """Returns what a convolution sees that gives results at the sites of a half.

  Args:
    x: (B, H, W, C).
    number: of the half.
    size: of its kernel, odd; its stride is 2, it pads nothing.

  Returns:
    (2 B, H - 2 + size, W - 2 + size, C).
  """
  margin = size // 2
  x = tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
  height, width = tf.shape(x)[1] - 1, tf.shape(x)[2] - 1
  return tf.concat(
      [x[:, row:row + height, column:column + width]
       for row, column in _GRIDS[number]], axis=0)


# As lists of sites, of latents of any size.

def sites(x):
  """Returns the sites of half 0 and of half 1, (B, n, 1, C) each, of (B, H, W, C)."""
  shape = tf.shape(x)
  order = _order(shape[1], shape[2])
  flat = tf.gather(tf.reshape(
      x, [shape[0], shape[1] * shape[2], 1, x.shape[-1]]), order, axis=1)
  count = (shape[1] * shape[2] + 1) // 2
  return flat[:, :count], flat[:, count:]


def from_sites(first, second, like):
  """Returns the inverse of `sites`, shaped like a tensor (B, H, W, C)."""
  shape = tf.shape(like)
  places = tf.argsort(_order(shape[1], shape[2]))
  flat = tf.gather(tf.concat([first, second], axis=1), places, axis=1)
  return tf.ensure_shape(tf.reshape(flat, shape), like.shape)


def _order(height, width):
  """Returns the numbers of all sites, row by row: half 0, then half 1."""
  half = (tf.range(height)[:, None] + tf.range(width)) % 2
  return tf.argsort(tf.reshape(half, [-1]), stable=True)


def sums(values, batch):
  """Returns the sums of each image, (B,), of (B,), or (2 B,) of the grids of a half."""
  return tf.reduce_sum(tf.reshape(values, [-1, batch]), axis=0)


def flat(x, batch):
  """Returns (B, N, 1), in the order of grids, rows, columns, channels.

  Args:
    x: (B, H, W, C), or (2 B, H, W, C), a half.
    batch: B.
  """
  x = tf.reshape(x, tf.concat([[-1, batch], tf.shape(x)[1:]], axis=0))
  return tf.reshape(tf.transpose(x, [1, 0, 2, 3, 4]), [batch, -1, 1])


def from_flat(x, sizes):
  """Returns x of `flat`, of these sizes."""
  batch = tf.shape(x)[0]
  x = tf.reshape(x, tf.concat([[batch, -1], sizes[1:]], axis=0))
  return tf.reshape(tf.transpose(x, [1, 0, 2, 3, 4]), sizes)
