"""What every progressive image model must do, beside what `suite` asks."""

import numpy as np
import pytest
import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tests.conformance import material, suite
from tests.conftest import make_image
from tfc_models import bitstream, metrics
from tfc_models.codecs import FileOptions, LearnedCodec
from tfc_models.errors import TruncatedError, UsageError
from tfc_models.modeling.settings import Settings, TrainingContext
from tfc_models.ops.noise import Noise


@suite.check
def the_last_progressive_image_is_the_decoded_one(model):
  image = make_image(40, 50)
  header, chunks, *_ = bitstream.read(LearnedCodec(model, b"abcd", effort=1).encode(image))
  images = list(model.decode_progressively(chunks, header))
  np.testing.assert_array_equal(images[-1], model.decode(chunks, header))
  assert len(images) == 1 or "progressive" in model.capabilities



@suite.check
def a_progressive_file_may_end_after_any_iteration(model):
  if "progressive" not in model.capabilities:
    return
  codec = LearnedCodec(model, b"abcd", effort=1)
  image = make_image(40, 50)
  data = codec.encode(image)
  images = list(codec.decode_progressively(data))
  assert len(images) > 1
  ends = []
  for count, expected in enumerate(images, 1):
    shorter = codec.encode(image, Settings(iterations=count))
    ends.append(len(shorter))
    for found in (codec.decode(shorter), codec.decode(data, iterations=count),
                  codec.decode(data[:ends[-1]], allow_partial=True)):
      np.testing.assert_array_equal(found, expected)
    if count < len(images):
      with pytest.raises(TruncatedError):
        codec.decode(data[:ends[-1]])
    # Cut in the middle of the next iteration.
    partial = codec.decode(data[:ends[-1] + 3], allow_partial=True)
    np.testing.assert_array_equal(partial, expected)
  with pytest.raises(TruncatedError):
    codec.decode(data[:ends[0] - 1], allow_partial=True)



@suite.check
def truncated_gradients_stop_between_iterations(model):
  if "progressive" not in model.capabilities:
    return
  x = material.seen(model, 64, 64)

  def run(truncate):
    context = TrainingContext(
        noise=Noise(0, 0, tf.range(1)), truncate=truncate)
    with tf.GradientTape() as tape:
      output = model(x, training=True, context=context)
      bits = tf.add_n(list(output.bits.values()))
      loss = tf.reduce_mean(tf.square(output.stages[-1] - x)) + 1e-4 * bits
    gradients = tape.gradient(
        loss, model.trainable_variables, unconnected_gradients="zero")
    return output.stages, [gradient.numpy() for gradient in gradients]

  stages, gradients = run(0)
  for truncate, equal in ((len(stages), True), (1, False)):
    same, others = run(truncate)
    np.testing.assert_array_equal(same[-1], stages[-1])
    assert equal == all(
        np.allclose(gradient, other, rtol=1e-4, atol=1e-9)
        for gradient, other in zip(gradients, others)), f"truncate={truncate}"


@suite.check
def a_progressive_encoder_stops_at_its_target(model):
  codec = LearnedCodec(model, b"abcd", effort=1)
  image = make_image(40, 50)
  if "progressive" not in model.capabilities:
    with pytest.raises(UsageError, match="is not progressive"):
      codec.encode(image, Settings(iterations=1))
    return
  sizes = [len(codec.encode(image, Settings(iterations=count)))
           for count in (1, 2)]
  for target in (sizes[0], sizes[1] - 1, sizes[1]):
    found = codec.encode(image, options=FileOptions(target_bytes=target))
    assert len(found) == max(size for size in sizes if size <= target)
  with pytest.raises(UsageError, match=f"takes {sizes[0]} bytes"):
    codec.encode(image, options=FileOptions(target_bytes=sizes[0] - 1))
  images = list(codec.decode_progressively(codec.encode(image)))
  reached = [metrics.psnr(image, decoded) for decoded in images]
  found = codec.encode(image, options=FileOptions(target_psnr=reached[0] - 0.01))
  assert len(found) == sizes[0]
  found = codec.encode(image, options=FileOptions(target_psnr=99.0))
  assert found == codec.encode(image)
  for quality in (1, 100):
    count = len(bitstream.read(codec.encode(
        image, Settings(quality=quality))).chunks)
    assert count == (1 if quality == 1 else len(images))
