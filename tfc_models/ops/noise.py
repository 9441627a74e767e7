"""Random numbers of training: repeatable, and independent of distribution."""

import dataclasses
import zlib

import tensorflow as tf

_SEED_MASK = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Noise:
  """Says where the random numbers of one training step come from.

  A number depends on (seed, step, index of the sample in the global batch,
  stream) only: not on how many replicas share the batch, and not on whether
  TensorFlow runs the step eagerly, as a graph or through XLA, since the
  integers of the Philox generator are equal in all three.

  Attributes:
    seed: int or scalar integer tensor below 2**31.
    step: likewise, the optimizer's step.
    samples: (B,) integer tensor below 2**31, index of each sample of this
      batch in the global batch.
  """

  seed: object
  step: object
  samples: tf.Tensor

  def uniform(self, like, stream):
    """Returns numbers in [-1/2, 1/2).

    Args:
      like: (B, ...) float32 tensor that the noise is meant for.
      stream: name of the consumer; other names give other numbers.

    Returns:
      float32 tensor of the shape of `like`.
    """
    # XLA keeps the low 32 bits of a seed only, so that four numbers do not fit
    # into the two seeds: (seed, step) is turned into random bits first.
    key = _integers(
        [2], tf.stack([_seed(self.seed), _seed(self.step)])) & _SEED_MASK
    stream = zlib.crc32(stream.encode()) & _SEED_MASK
    first = tf.bitwise.bitwise_xor(key[0], _seed(self.samples))
    second = tf.bitwise.bitwise_xor(key[1], stream)
    seeds = tf.stack(
        [first, tf.broadcast_to(second, tf.shape(first))], axis=1)
    shape = tf.shape(like)[1:]
    bits = tf.map_fn(
        lambda seed: _integers(shape, seed), seeds,
        fn_output_signature=tf.int32)
    # Drawn as integers: TensorFlow and XLA turn the same bits into different
    # floats. 24 bits are a float32 exactly.
    noise = tf.cast(bits & (2**24 - 1), tf.float32) * 2.0**-24 - 0.5
    return tf.ensure_shape(noise, like.shape)


def _seed(value):
  return tf.cast(value, tf.int32)


def _integers(shape, seed):
  return tf.random.stateless_uniform(
      shape, seed, minval=None, maxval=None, dtype=tf.int32, alg="philox")


@dataclasses.dataclass(frozen=True)
class Drawn:
  """Noise that is there already."""

  values: tf.Tensor

  def uniform(self, like, stream):
    """As of `Noise`: whatever is asked for."""
    del like, stream
    return self.values
