"""Every image model computes the same eagerly, as graphs, and in batches."""

import dataclasses

import numpy as np
import tensorflow as tf

from tests.conformance import material, suite
from tests.conftest import make_image
from tfc_models import bitstream
from tfc_models.codecs import LearnedCodec
from tfc_models.modeling.settings import Settings
from tfc_models.ops import image as image_ops


@suite.check
def a_batch_gives_what_its_images_give(model):
  images = [make_image(64, 64, seed=seed) for seed in (1, 2)]
  both = model(tf.concat([suite.padded(model, image) for image in images], axis=0))
  for i, image in enumerate(images):
    one = model(suite.padded(model, image))
    assert_one_grey_level(both.x_hat[i], one.x_hat[0])
    for name in model.latents:
      np.testing.assert_allclose(both.bits[name][i], one.bits[name][0], 1e-3)


@suite.common
def eager_and_graph_agree(model):
  x = material.seen(model, 65, 127)
  eager = model(x)
  graph = tf.function(lambda x: model(x))(x)
  assert_one_grey_level(eager.x_hat, graph.x_hat)
  for name in model.latents:
    np.testing.assert_allclose(eager.bits[name], graph.bits[name], 1e-3)


@suite.check
def encoder_and_decoder_are_one_graph_each_for_all_sizes(model):
  settings = Settings()
  if "progressive" in model.capabilities:
    settings = Settings(iterations=2)  # A graph of all would take long to trace.
  codec = LearnedCodec(model, b"abcd", effort=1)
  files = [(image, bitstream.read(codec.encode(image, settings)))
           for image in (make_image(40, 50), make_image(65, 127))]
  header, chunks, *_ = files[0][1]

  @tf.function(autograph=False, input_signature=[
      tf.TensorSpec([1, None, None, 3])])
  def encode(x):
    return [chunk.strings for chunk in model.encode(x, settings)]

  @tf.function(autograph=False, input_signature=[
      [[tf.TensorSpec([1], tf.string)] * len(chunk.strings) for chunk in chunks],
      *[tf.TensorSpec([], tf.int32)] * 2])
  def decode(strings, height, width):
    return model.decode(
        [chunk._replace(strings=tuple(some))
         for chunk, some in zip(chunks, strings)],
        dataclasses.replace(header, height=height, width=width))

  for image, stream in files:
    strings = [list(chunk.strings) for chunk in stream.chunks]
    found = encode(suite.padded(model, image))
    assert [[s.numpy()[0] for s in some] for some in found] == strings
    x_hat = decode(
        [[tf.constant([s]) for s in some] for some in strings],
        tf.constant(image.shape[0]), tf.constant(image.shape[1]))
    np.testing.assert_allclose(
        x_hat, model.decode(stream.chunks, stream.header), atol=1e-6)
  for graph in (encode, decode):
    assert graph.experimental_get_tracing_count() == 1


@suite.check
def exact_pixels_are_the_same_however_they_are_computed(model):
  if "exact_pixels" not in model.capabilities:
    return
  x = tf.concat([
      suite.padded(model, make_image(64, 64, seed=seed)) for seed in (1, 2)], axis=0)
  both = model(x).x_hat
  np.testing.assert_array_equal(both[1], model(x[1:]).x_hat[0])
  np.testing.assert_array_equal(
      both, tf.function(lambda x: model(x).x_hat, autograph=False)(x))


def assert_one_grey_level(a, b):
  difference = np.abs(np.int32(image_ops.to_uint8(a)) - image_ops.to_uint8(b))
  assert difference.max() <= 1
