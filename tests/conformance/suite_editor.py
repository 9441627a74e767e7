"""What every editor must do, beside what all models must; see `suite`."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from tests.conformance import suite
from tests.conformance.material import seen
from tests.conftest import make_image
from tfc_models import metrics
from tfc_models.codecs import EditedCodec
from tfc_models.modeling.settings import Settings

CHECKS = dict(suite.COMMON)


def check(function):
  CHECKS[function.__name__] = function
  return function


@check
def eager_and_graph_agree(model):
  """But for coefficients between two integers, of which there are few."""
  x = seen(model, 65, 127)
  eager, graph = model(x), tf.function(lambda x: model(x))(x)
  assert 255.0 * np.abs(eager.x_hat - graph.x_hat).mean() < 0.05
  np.testing.assert_allclose(eager.bits["jpeg"], graph.bits["jpeg"], 1e-3)


@check
def any_decoder_shows_what_the_model_does(model):
  codec = EditedCodec(model, b"abcd", effort=1)
  for height, width, channels in [
      (1, 1, 3), (17, 33, 3), (64, 64, 3), (65, 127, 3), (9, 65, 1)]:
    image = make_image(height, width, channels)
    data = codec.encode(image)
    decoded = codec.decode(data)
    assert decoded.shape == image.shape
    plain = Image.open(io.BytesIO(data))
    assert plain.format == "JPEG" and plain.mode == {1: "L", 3: "RGB"}[channels]
    if channels == 3:
      shown = model(seen(model, height, width)).x_hat[0, :height, :width]
      # Decoders round the colours, and their cosines are integers.
      assert np.abs(decoded - np.clip(255.0 * shown, 0, 255)).max() <= 2.5


@check
def grey_images_are_those_of_their_luma(model):
  codec = EditedCodec(model, b"abcd")
  image = make_image(40, 50, 1)
  colour = codec.decode(codec.encode(np.repeat(image, 3, axis=-1)))
  grey = codec.decode(codec.encode(image))
  assert np.abs(np.mean(colour, axis=-1, keepdims=True) - grey).max() <= 2


@check
def a_higher_quality_takes_more_bytes_and_errs_less(model):
  if "quality" not in model.capabilities:
    return
  codec = EditedCodec(model, b"abcd")
  image = make_image(64, 96)
  sizes, errors = [], []
  for quality in (1, 25, 50, 75, 100):
    data = codec.encode(image, Settings(quality=quality))
    sizes.append(len(data))
    errors.append(metrics.psnr(image, codec.decode(data)))
  assert sizes == sorted(set(sizes))
  assert errors == sorted(set(errors))


@check
def more_effort_is_worth_it(model):
  """Bits and errors together, at the weight of a quality, where the model has one."""
  if not hasattr(model, "lmbda_at"):
    return
  image = make_image(64, 96)
  losses = []
  for effort in (1, 5, 9):
    codec = EditedCodec(model, b"abcd", effort=effort)
    data = codec.encode(image)
    errors = np.square(np.float64(image) - codec.decode(data))
    losses.append(8 * len(data) + model.lmbda_at() * np.sum(errors) / 3)
  assert losses[1] < losses[0] and losses[2] < 1.002 * losses[1]


@check
def the_estimate_is_near_the_bits_of_the_file(model):
  """As near as a differentiable guess of what Huffman codes take can be."""
  codec = EditedCodec(model, b"abcd", effort=1)
  flat = len(codec.encode(np.full((64, 64, 3), 128, np.uint8)))
  estimates, coded = [], []
  for seed in (0, 1, 2):
    data = codec.encode(make_image(64, 64, seed=seed))
    coded.append(8 * (len(data) - flat))
    estimates.append(float(model(seen(model, 64, 64, seed)).bits["jpeg"][0]))
  for estimate, bits in zip(estimates, coded):
    assert 0.4 * bits < estimate < 2.5 * bits
