"""Several threads share a model."""

import concurrent.futures

import pytest

from tests.conftest import make_image
from tfc_models.codecs import LearnedCodec


@pytest.mark.parametrize("direction", ["writing", "reading"])
def test_threads_share_a_codec_from_its_first_image_on(tiny_weights, direction):
  """Keras rebuilds a Sequential for sizes that it has not seen."""
  images = [make_image(40 + 40 * n, 56 + 70 * n, seed=n) for n in range(4)]
  reference, codec = (LearnedCodec.from_file(tiny_weights) for _ in range(2))
  inputs, expected = images, [reference.encode(image) for image in images]
  function = codec.encode
  if direction == "reading":
    inputs, expected = expected, [reference.decode(data) for data in expected]
    function = codec.decode
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    found = list(pool.map(function, inputs))
  assert [bytes(one) for one in found] == [bytes(one) for one in expected]
