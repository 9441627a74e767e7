"""The `.tfcm` container in operations of TensorFlow; twin of `bitstream.container`.

What an export writes and reads is known but for sizes and strings: the model, the
weights, the settings, and of which chunks a file consists. So the bytes up to the
fingerprint are a constant, and a file that begins otherwise is one of other weights.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfc_models import bitstream
from tfc_models.bitstream import chunks as kinds
from tfc_models.bitstream.header import MAX_PIXELS, MAX_SIDE, write_header
from tfc_models.bitstream.reading import CHECKSUM_SIZE
from tfc_models.ops.byte_strings import bytes_of
from tfc_models.ops.checks import after
from tfc_models.ops.crc import crc32

_VARINT_BYTES = 9
# Types of settings, see FORMAT.md.
_FLOAT, _STRING = 1, 2


class Parsed(NamedTuple):
  """What a file holds; scalar tensors.

  Attributes:
    height, width, channels: int32.
    count: int32, how many of the template's chunks there are, the first ones.
    strings: for each chunk of the template a list of strings; empty from `count` on.
  """

  height: tf.Tensor
  width: tf.Tensor
  channels: tf.Tensor
  count: tf.Tensor
  strings: list


class Container:
  """Writes and reads the files of one model with one set of weights.

  Args:
    header: `bitstream.Header`; its height, width and channels do not count.
    template: list of `bitstream.Chunk`, what the model writes; their strings count
      only by their number. A file may hold fewer of them if they are iterations.
  """

  def __init__(self, header, template):
    head = write_header(dataclasses.replace(header, height=1, width=1))
    # Magic, version and name with their lengths; then height, width and layout.
    start = len(bitstream.MAGIC) + 2 + len(header.model) + len(header.fingerprint)
    self._prefix, self._settings = head[:start], head[start + 3:]
    self._template = template
    self._least_count = (
        1 if template[0].type in bitstream.ITERATIONS else len(template))

  def write(self, height, width, channels, strings):
    """Returns the bytes of a file, a scalar string.

    Args:
      height, width, channels: scalar int32.
      strings: list of scalar strings for each of the first chunks of the template.
    """
    layout = tf.where(channels == 1, 0x17, 0x37)
    head = tf.strings.join([
        self._prefix, varint(height), varint(width), bytes_of(layout), self._settings])
    parts = [head, checksum(head)]
    for number, (chunk, some) in enumerate(zip(self._template, strings)):
      final = kinds.FINAL if number == len(strings) - 1 else 0
      lengths = [tf.strings.length(string) for string in some]
      payload = tf.strings.join(
          [varint(len(some)), *map(varint, lengths), *some])
      body = tf.strings.join([
          bytes([chunk.type | final]), varint(chunk.index),
          varint(tf.strings.length(payload)), payload])
      parts += [body, checksum(tf.strings.join([head, body]))]
    return tf.strings.join(parts)

  def read(self, data, max_pixels):
    """Returns what a file, a scalar string, holds: `Parsed`.

    Args:
      data: scalar string.
      max_pixels: files that claim larger images are refused.

    In graphs the failures are InvalidArgumentError.
    """
    prefix = len(self._prefix)
    data = after(tf.strings.substr(data, 0, prefix) == self._prefix,
                 "the stream is none of this model with these weights", data)
    values = _Bytes(data)
    height, position = values.varint(tf.constant(prefix, tf.int64))
    width, position = values.varint(position)
    layout, position = values.byte(position)
    head = values.after_settings(position)
    position = values.after_sum(0, head, 0)
    position = after(
        (height > 0) & (width > 0) & (height <= MAX_SIDE) & (width <= MAX_SIDE)
        & (height * width <= min(max_pixels, MAX_PIXELS)),
        "the stream claims an image beyond the limit of pixels", position)
    position = after((layout == 0x17) | (layout == 0x37),
                     "the stream has other channels than 1 or 3 of 8 bits", position)
    types, indexes, starts, ends = self._chunks(values, position, head)
    known = tf.constant([chunk.type for chunk in self._template], tf.int64)
    numbers = tf.constant([chunk.index for chunk in self._template], tf.int64)
    count = after(
        (tf.size(types) >= self._least_count) & (tf.size(types) <= tf.size(known)),
        "chunks of the stream are missing, or too many", tf.size(types))
    count = after(
        tf.reduce_all(types == known[:count]) & tf.reduce_all(
            indexes == numbers[:count]), "the stream holds something else", count)
    strings = [
        self._strings(data, values, starts, ends, number, count)
        for number in range(len(self._template))]
    # Only now may anything large be made of these.
    with tf.control_dependencies([count]):
      return Parsed(
          *(tf.cast(value, tf.int32) for value in (height, width, layout // 16)),
          count, strings)

  def _chunks(self, values, position, head):
    """Returns types, indexes, starts and ends of payloads, int64, (N,) each.

    Of the picture: chunks that are ancillary are left out.
    """
    def step(position, final, arrays):
      del final
      start = position
      kind, position = values.byte(position)
      index, position = values.varint(position)
      length, position = values.varint(position)
      end = position + length
      following = values.after_sum(start, end, head)
      row = (kind & ~kinds.FINAL, index, position, end)
      arrays = [array.write(array.size(), value)
                for array, value in zip(arrays, row)]
      return following, kind & kinds.FINAL != 0, arrays

    arrays = [tf.TensorArray(tf.int64, 0, dynamic_size=True, element_shape=[])
              for _ in range(4)]
    position, _, arrays = tf.while_loop(
        lambda position, final, arrays: ~final, step,
        [position, tf.constant(False), arrays])
    columns = tf.stack([array.stack() for array in arrays])
    columns = after(position == values.size, "bytes follow the end of the stream",
                    columns)
    return tf.unstack(tf.boolean_mask(
        columns, columns[0] & kinds.ANCILLARY == 0, axis=1))

  def _strings(self, data, values, starts, ends, number, count):
    """Returns the strings of chunk `number`, scalars; empty if it is not there."""
    wanted = len(self._template[number].strings)

    def found():
      start, end = starts[number], ends[number]
      strings, position = values.varint(start)
      position = after(
          strings == wanted, "a chunk holds another number of strings", position)
      lengths = []
      for _ in range(wanted):
        length, position = values.varint(position)
        lengths.append(length)
      position = after(position + tf.add_n(lengths) == end,
                       "a chunk contradicts its length", position)
      pieces = []
      for length in lengths:
        pieces.append(tf.strings.substr(data, position, length))
        position += length
      return pieces

    if number < self._least_count:
      return found()
    pieces = tf.cond(number < count, found, lambda: [tf.constant("")] * wanted)
    return list(pieces) if isinstance(pieces, (list, tuple)) else [pieces]


class _Bytes:
  """The bytes of a string, and numbers among them; positions are int64."""

  def __init__(self, data):
    self._values = tf.io.decode_raw(data, tf.uint8)
    self.size = tf.size(self._values, tf.int64)

  def within(self, position):
    """Returns a position that lies among the bytes, or at their end."""
    return after(position <= self.size, "the stream is cut off", position)

  def byte(self, position):
    """Returns the byte at a position, int64, and the position after it."""
    end = self.within(position + 1)
    return tf.cast(self._values[end - 1], tf.int64), end

  def varint(self, position):
    """Returns the number at a position, int64, and the position after it."""
    some = tf.cast(self._values[position:position + _VARINT_BYTES], tf.int64)
    ends = tf.where(some < 0x80)[:, 0]
    ends = after(tf.size(ends) > 0, "the stream is cut off within a number", ends)
    size = ends[0] + 1
    shifts = 7 * tf.range(size)
    value = tf.reduce_sum(tf.bitwise.left_shift(some[:size] & 0x7F, shifts))
    # Sums and products of larger ones than lengths and sizes would overflow.
    value = after(value < 2**31, "the stream holds a number that is too large", value)
    return value, position + size

  def after_settings(self, position):
    """Returns the position behind the table of settings, which only inform."""
    count, position = self.varint(position)
    count = after(count <= 64, "the header holds too many settings", count)

    def step(number, position):
      tag, position = self.byte(position)
      kind = after(
          tag & 3 <= _STRING, "the header holds a setting of unknown type", tag & 3)

      def value_size():
        length, after = self.varint(position)
        return after + tf.where(kind == _STRING, length, 0)

      position = tf.cond(kind == _FLOAT, lambda: position + 4, value_size)
      return number + 1, self.within(position)

    return tf.while_loop(
        lambda number, _: number < count, step,
        [tf.constant(0, tf.int64), position])[1]

  def after_sum(self, start, end, head):
    """Returns the position after the checksum of bytes, which stands behind them.

    Args:
      start, end: of the bytes.
      head: so many first bytes of the file count in front of them.
    """
    following = self.within(end + CHECKSUM_SIZE)
    stored = tf.cast(
        self._values[following - CHECKSUM_SIZE:following], tf.int64)
    stored = tf.reduce_sum(
        stored * 256 ** np.arange(CHECKSUM_SIZE, dtype=np.int64))
    found = crc32(tf.concat(
        [self._values[:head], self._values[start:end]], axis=0))
    return after(
        stored == found, "the stream was changed (checksum differs)", following)


def varint(value):
  """Returns the bytes of a number below 2**31, a scalar string."""
  value = tf.cast(value, tf.int64)
  groups = tf.bitwise.right_shift(value, 7 * np.arange(5, dtype=np.int64))
  more = tf.cast(groups >= 0x80, tf.int64) * 0x80
  used = tf.concat([[True], groups[1:] > 0], axis=0)
  return tf.strings.reduce_join(
      tf.boolean_mask(bytes_of(groups & 0x7F | more), used))


def checksum(data):
  """Returns the CRC-32 of a scalar string as the 4 bytes that stand behind it."""
  value = crc32(tf.io.decode_raw(data, tf.uint8))
  shifts = 8 * np.arange(CHECKSUM_SIZE, dtype=np.int64)
  return tf.strings.reduce_join(
      bytes_of(tf.bitwise.right_shift(value, shifts) & 0xFF))

