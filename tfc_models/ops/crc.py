"""CRC-32 in operations of TensorFlow, for graphs that run without Python.

The checksum of zlib is linear over GF(2) but for its start and its end: blocks of a
message are summed up side by side, and joined two by two, where the first is moved on
by the length of the second. Moving on by 2**k bytes is a matrix, kept as four tables
of the bytes that it is applied to.
"""

import functools

import numpy as np
import tensorflow as tf

_POLYNOMIAL = 0xEDB88320
_MASK = 0xFFFFFFFF
# Bytes of a block, a power of two.
_BLOCK_BITS = 8
# Messages are shorter than 2**_LENGTH_BITS bytes.
_LENGTH_BITS = 40


def crc32(data):
  """Returns the CRC-32 of bytes as `zlib.crc32` does, scalar int64.

  Args:
    data: (N,) integers in 0..255.
  """
  return _crc32(tf.cast(data, tf.uint8))


# A function of its own, which graphs call instead of holding it several times.
@tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.uint8)],
             experimental_attributes={"_noinline": True})
def _crc32(data):
  data = tf.cast(data, tf.int64)
  length = tf.size(data, out_type=tf.int64)
  # Zeros in front change nothing where the register starts at zero.
  block = 2**_BLOCK_BITS
  count = tf.maximum((length + block - 1) // block, 1)
  # A power of two, so that blocks join in pairs.
  levels = tf.reduce_sum(tf.cast(
      2**tf.range(_LENGTH_BITS, dtype=tf.int64) < count, tf.int64))
  count = tf.bitwise.left_shift(tf.constant(1, tf.int64), levels)
  data = tf.pad(data, [[count * block - length, 0]])
  columns = tf.transpose(tf.reshape(data, [count, block]))
  table = tf.constant(_tables()[0])
  register = tf.foldl(
      lambda register, byte: tf.bitwise.bitwise_xor(
          tf.gather(table, tf.bitwise.bitwise_xor(register, byte) & 0xFF),
          tf.bitwise.right_shift(register, tf.constant(8, tf.int64))),
      columns, initializer=tf.zeros([count], tf.int64))
  moves = tf.constant(_tables()[1])

  def join(level, register):
    pairs = tf.reshape(register, [-1, 2])
    return level + 1, tf.bitwise.bitwise_xor(
        _moved(pairs[:, 0], moves[level]), pairs[:, 1])

  _, register = tf.while_loop(
      lambda level, register: tf.size(register) > 1, join,
      [tf.constant(_BLOCK_BITS), register],
      shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])])
  # What the register of ones at the start has become after `length` bytes.
  def move(bit, start):
    is_set = tf.bitwise.right_shift(length, tf.cast(bit, tf.int64)) & 1 > 0
    return bit + 1, tf.where(is_set, _moved(start, moves[bit]), start)

  _, start = tf.while_loop(
      lambda bit, start: bit < _LENGTH_BITS, move,
      [tf.constant(0), tf.constant([_MASK], tf.int64)])
  return tf.bitwise.bitwise_xor(register ^ start, _MASK)[0]


def _moved(register, tables):
  """Returns what registers become after zeros, by tables of shape (4, 256)."""
  result = tf.zeros_like(register)
  for byte in range(4):
    shifted = tf.bitwise.right_shift(register, tf.constant(8 * byte, tf.int64))
    result = tf.bitwise.bitwise_xor(
        result, tf.gather(tables[byte], shifted & 0xFF))
  return result


@functools.lru_cache(maxsize=1)
def _tables():
  """Returns the table of a byte, (256,), and those of 2**k zeros, (K, 4, 256)."""
  table = np.arange(256, dtype=np.int64)
  for _ in range(8):
    table = np.where(table & 1, table >> 1 ^ _POLYNOMIAL, table >> 1)
  # Of each single bit, what it becomes after one byte of zeros.
  bits = np.int64(1) << np.arange(32, dtype=np.int64)
  images = table[bits & 0xFF] ^ bits >> 8
  moves = []
  for _ in range(_LENGTH_BITS):
    moves.append([_spread(images[8 * n:8 * n + 8]) for n in range(4)])
    images = functools.reduce(np.bitwise_xor, [
        moves[-1][n][images >> 8 * n & 0xFF] for n in range(4)])
  return table, np.asarray(moves)


def _spread(images):
  """Returns the sums of all subsets of 8 numbers, (256,)."""
  sums = np.zeros([256], np.int64)
  for bit, image in enumerate(images):
    sums ^= np.where(np.arange(256) >> bit & 1, image, 0)
  return sums
