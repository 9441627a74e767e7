"""Networks whose strided windows lie centred on their samples."""

import tensorflow as tf

# What the plane of ones holds: a whole number, as integer networks take it, and
# large enough that kernels for it are not the largest of a layer.
_ONES = 16.0


class Centred(tf.keras.Sequential):
  """Layers one after the other, aligned as in CompressAI and as in `tfc`.

  Of even sizes, a window of 5 with stride 2 covers 2i - 1 .. 2i + 3 where Keras pads
  ("same"), and 2i - 2 .. 2i + 2 where both sides are padded alike. Seen from the
  other end, each is the other. So this network sees its input turned by 180
  degrees, and turns its output back. The layers and their speed stay as they are;
  kernels are stored turned.

  Args:
    layers, name: as in Keras.
    medians: whether one more plane follows those of the input, the same at each
      sample. A kernel for it adds to an input what belongs to each of its channels,
      as medians do that a quantiser has taken off; at the zeros around an image it
      adds nothing, where a bias would.
  """

  def __init__(self, layers, name, medians=False):
    super().__init__(layers, name=name)
    self._medians = medians

  def __call__(self, x):
    if self._medians:
      x = tf.concat([x, tf.fill(tf.shape(x[..., :1]), _ONES)], axis=-1)
    return _turned(super().__call__(_turned(x)))


def median_kernel(kernel, medians):
  """Returns the kernel of the plane that adds medians to the other planes.

  Args:
    kernel: (k, k, filters, C) array, of a transposed convolution.
    medians: (C,) array.
  """
  return (kernel @ medians / _ONES)[..., None]


def _turned(x):
  return tf.reverse(x, axis=[1, 2])
