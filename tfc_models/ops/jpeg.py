"""What JPEG does before it quantises, and back: colours and cosines of 8x8 blocks.

Source: ITU-T T.871 (JFIF), section 7; ITU-T T.81, A.3.3.
"""

import numpy as np
import tensorflow as tf

BLOCK = 8
# Of Y, Cb, Cr: the numbers of their tables of steps.
TABLES = (0, 1, 1)

# Rows are Y, Cb, Cr of R, G, B.
_FORWARD = np.float32([
    [0.299, 0.587, 0.114],
    [-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772],
    [0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402]])
_BACK = np.linalg.inv(_FORWARD.astype(np.float64)).astype(np.float32)

_n = np.arange(BLOCK)
# Rows are frequencies; orthonormal.
_COSINES = np.float32(
    np.where(_n == 0, np.sqrt(0.5), 1.0)[:, None] * 0.5
    * np.cos((2 * _n + 1) * _n[:, None] * np.pi / 16))


def coefficients_of(x):
  """Returns the coefficients of images, not quantised.

  Args:
    x: (B, H, W, 3) float in [0, 1], H and W multiples of 8.

  Returns:
    (B, H / 8, W / 8, 3, 8, 8) float, of Y, Cb, Cr in 0..255 less 128; rows are
    vertical frequencies.
  """
  _, height, width, _ = tf.unstack(tf.shape(x))
  blocks = tf.reshape(
      x, [-1, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3])
  planes = 255.0 * tf.einsum("brycxs,ps->brcpyx", blocks, _FORWARD)
  shift = tf.reshape([128.0, 0.0, 0.0], [3, 1, 1])
  return tf.einsum(
      "brcpyx,vy,hx->brcpvh", planes - shift, _COSINES, _COSINES)


def image_of(coefficients, limited=False):
  """Returns x of `coefficients_of`, which may leave [0, 1].

  Args:
    coefficients: as of `coefficients_of`.
    limited: whether planes are whole numbers in 0..255, as decoders have them.
  """
  _, rows, columns = tf.unstack(tf.shape(coefficients)[:3])
  planes = tf.einsum(
      "brcpvh,vy,hx->brcpyx", coefficients, _COSINES, _COSINES)
  shift = tf.reshape([128.0, 0.0, 0.0], [3, 1, 1])
  if limited:
    planes = tf.clip_by_value(tf.round(planes + 128.0), 0.0, 255.0) - 128.0
  planes += shift
  blocks = tf.einsum("brcpyx,sp->brycxs", planes, _BACK)
  return tf.reshape(
      blocks, [-1, rows * BLOCK, columns * BLOCK, 3]) / 255.0
