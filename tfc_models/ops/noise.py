"""Random numbers of training: repeatable, and independent of distribution."""

import dataclasses
import zlib

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Noise:
  """Says where the random numbers of one training step come from.

  A number depends on (seed, step, index of the sample in the global batch,
  stream) only: not on how many replicas share the batch, and not on whether
  TensorFlow runs the step eagerly, as a graph or through XLA, since the Philox
  generator is bit-equal in all three.

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
    stream = zlib.crc32(stream.encode()) & 0xFFFF
    first = tf.cast(self.seed, tf.int64) * 2**32 + tf.cast(self.step, tf.int64)
    second = tf.cast(self.samples, tf.int64) * 2**16 + stream
    seeds = tf.stack([tf.broadcast_to(first, tf.shape(second)), second], axis=1)
    shape = tf.shape(like)[1:]
    noise = tf.map_fn(
        lambda seed: tf.random.stateless_uniform(
            shape, seed, -0.5, 0.5, alg="philox"),
        seeds, fn_output_signature=tf.float32)
    return tf.ensure_shape(noise, like.shape)
