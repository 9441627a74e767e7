"""Files of images to pixels and back, in operations of TensorFlow.

As `datasets.files.read_image` does for PNG and JPEG, to the same pixels: upright,
grey ones with one channel; what a codec of 8-bit RGB would drop is refused.
"""

import numpy as np
import tensorflow as tf

from tfc_models.datasets.files import JPEG_MAGIC, PNG_MAGIC
from tfc_models.ops import image as image_ops
from tfc_models.ops import padding
from tfc_models.ops.checks import after

# Of PNG: grey, RGB, palette; the others have an alpha channel.
_PNG_GRAY, _PNG_OPAQUE = 0, (0, 2, 3)
_START_OF_SCAN, _EXIF_SEGMENT = 0xDA, 0xE1
_ORIENTATION = 0x0112
# A bit for each of 8x8 pixels is the least that a JPEG takes, as in `read_image`.
_JPEG_PIXELS_PER_BYTE = 64 * 8
# Numbers read behind the end of a file are zeros.
_MARGIN = 16


def decode(data, max_pixels):
  """Returns the uint8 image, (H, W, 1 or 3), of the bytes of a PNG or JPEG file.

  Args:
    data: scalar string.
    max_pixels: larger images are refused before they are decoded.

  In graphs the failures are InvalidArgumentError: not such a file, broken, too large,
  transparency, 16 bits, CMYK, an animation.
  """
  is_png = tf.strings.substr(data, 0, len(PNG_MAGIC)) == PNG_MAGIC
  is_jpeg = tf.strings.substr(data, 0, len(JPEG_MAGIC)) == JPEG_MAGIC
  data = after(is_png | is_jpeg, "the image is neither PNG nor JPEG", data)
  values = _values(data)
  height, width, is_gray, orientation = tf.cond(
      is_png, lambda: _png_facts(values), lambda: _jpeg_facts(data, values))
  data = after(height * width <= max_pixels,
               f"the image has more than {max_pixels} pixels", data)

  def pixels(channels):
    # It reads PNG too.
    return tf.io.decode_jpeg(
        data, channels=channels, dct_method="INTEGER_ACCURATE")

  image = tf.cond(is_gray, lambda: pixels(1), lambda: pixels(3))
  return _upright(image, orientation)


def encode(image):
  """Returns the bytes of a PNG file of a uint8 image (H, W, 1 or 3).

  Of little compression, which takes a seventh of the time and 9 % more bytes.
  """
  return tf.io.encode_png(image, compression=1)


def to_batch(image, factor):
  """Returns (1, H', W', 3) float, padded, of uint8 (H, W, 1 or 3).

  Args:
    image: its number of channels need not be known.
    factor: sides become multiples of it.
  """
  image = image[None]
  rgb = tf.cond(tf.shape(image)[-1] == 1,
                lambda: image_ops.rgb_from_gray(image[..., :1]), lambda: image)
  return to_padded(tf.ensure_shape(rgb, [1, None, None, 3]), factor)


def to_padded(images, factor):
  """Returns (B, H', W', 3) float, padded, of uint8 (B, H, W, 3)."""
  return padding.pad_to_multiple(image_ops.to_float(images), factor)


def from_batch(x_hat, height, width, channels):
  """Returns uint8 (H, W, channels) of (1, H', W', 3) float, padded."""
  x_hat = padding.crop(x_hat, height, width)
  return image_ops.to_uint8(tf.cond(
      channels == 1, lambda: image_ops.gray_from_rgb(x_hat), lambda: x_hat))[0]


def cropped(x_hat, height, width):
  """Returns uint8 (B, height, width, 3) of (B, H', W', 3) float, padded."""
  return image_ops.to_uint8(padding.crop(x_hat, height, width))


def _values(data):
  """Returns the bytes of a string as int32, (N + _MARGIN,)."""
  values = tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32)
  return tf.pad(values, [[0, _MARGIN]])


def _number(values, position, size, little=False):
  """Returns the unsigned integer of `size` bytes, most significant first, int64."""
  factors = 256 ** np.arange(size, dtype=np.int64)
  found = tf.cast(
      tf.gather(values, tf.minimum(position + tf.range(size), tf.size(values) - 1)),
      tf.int64)
  big = tf.reduce_sum(found * factors[::-1])
  return tf.where(little, tf.reduce_sum(found * factors), big)


def _png_facts(values):
  depth, colour = values[24], values[25]
  values = after(depth <= 8, "the image has 16 bits a sample, more than 8", values)
  values = after(tf.reduce_any(colour == _PNG_OPAQUE),
                 "the image has an alpha channel", values)
  width, height = (_number(values, at, 4) for at in (16, 20))

  def more(position, *_):
    return position < tf.size(values) - _MARGIN

  def step(position, exif):
    length = tf.cast(tf.minimum(
        _number(values, position, 4), tf.size(values, tf.int64)), tf.int32)
    name = values[position + 4:position + 8]

    def named(text):
      return tf.reduce_all(name == np.frombuffer(text, np.uint8).astype(np.int32))

    length = after(~named(b"tRNS"), "the image has transparent pixels", length)
    length = after(~named(b"acTL"), "the image is an animation", length)
    return position + 12 + length, tf.where(named(b"eXIf"), position + 8, exif)

  _, exif = tf.while_loop(
      more, step, [tf.constant(len(PNG_MAGIC)), tf.constant(-1)])
  return height, width, colour == _PNG_GRAY, _orientation(values, exif)


def _jpeg_facts(data, values):
  shape = tf.io.extract_jpeg_shape(data, tf.int64)
  shape = after((shape[2] == 1) | (shape[2] == 3),
                "the image has other channels than grey or RGB", shape)
  shape = after(
      shape[0] * shape[1] <= _JPEG_PIXELS_PER_BYTE * tf.size(values, tf.int64),
      "the image has fewer bytes than its pixels take", shape)
  height, width, channels = tf.unstack(shape)

  def more(position, exif):
    marker = values[tf.minimum(position + 1, tf.size(values) - 1)]
    return (position < tf.size(values) - _MARGIN) & (exif < 0) & (
        marker != _START_OF_SCAN)

  def step(position, exif):
    length = tf.cast(_number(values, position + 2, 2), tf.int32)
    is_exif = (values[position + 1] == _EXIF_SEGMENT) & tf.reduce_all(
        values[position + 4:position + 10] == (0x45, 0x78, 0x69, 0x66, 0, 0))
    return (position + 2 + tf.maximum(length, 2),
            tf.where(is_exif, position + 10, exif))

  _, exif = tf.while_loop(more, step, [tf.constant(2), tf.constant(-1)])
  return height, width, channels == 1, _orientation(values, exif)


def _orientation(values, start):
  """Returns 1 to 8 from EXIF data at a position; 1 if that is negative."""
  little = values[tf.maximum(start, 0)] == ord("I")

  def number(at, size):
    return tf.cast(_number(values, at, size, little), tf.int32)

  def found():
    directory = start + tf.maximum(number(start + 4, 4), 0)
    count = number(directory, 2)

    def step(entry, result):
      at = directory + 2 + 12 * entry
      return entry + 1, tf.where(
          number(at, 2) == _ORIENTATION, number(at + 8, 2), result)

    _, result = tf.while_loop(
        lambda entry, _: entry < count, step, [tf.constant(0), tf.constant(1)])
    return tf.where((result >= 1) & (result <= 8), result, 1)

  return tf.cond(start >= 0, found, lambda: tf.constant(1))


def _upright(image, orientation):
  """Returns an image turned as its orientation in EXIF, 1 to 8, says."""
  mirror = tf.reverse(image, [1])
  turned = tf.transpose(image, [1, 0, 2])
  return tf.switch_case(orientation - 1, [
      lambda: image, lambda: mirror, lambda: tf.reverse(mirror, [0]),
      lambda: tf.reverse(image, [0]), lambda: turned,
      lambda: tf.reverse(turned, [1]), lambda: tf.reverse(turned, [0, 1]),
      lambda: tf.reverse(turned, [0])])

