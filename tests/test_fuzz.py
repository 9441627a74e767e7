"""A little of what `python -m tests.fuzz` does for long, on every run."""

import random

import numpy as np
import pytest

from tests.conformance import suite
from tests.conftest import make_image
from tests.fuzz import mutation
from tests.fuzz.targets import Raw
from tfc_models import bitstream
from tfc_models.codecs import LearnedCodec
from tfc_models.errors import BitstreamError


def test_only_streams_and_errors_come_out_of_the_container():
  target = Raw()
  outcomes = {target.take(target.make(seed)) for seed in range(3000)}
  assert outcomes == {
      "stream", "BitstreamError", "ChecksumError", "TruncatedError"}


def test_fields_are_written_as_they_were_read():
  for data in Raw().files:
    stream = bitstream.read(data)
    stream.header.settings.pop("model")
    plain = bitstream.write(stream.header, stream.chunks)
    assert mutation.Raw.of(bitstream.read(plain)).write() == plain


@pytest.mark.parametrize("name", ["agustsson2019", "mbt2018", "tfcm-base", "toderici2017"])
def test_only_pictures_and_errors_come_out_of_a_codec(name):
  codec = LearnedCodec(suite.tiny(name), b"abcd")
  data = codec.encode(make_image(32, 32))
  pictures = 0
  for seed in range(40):
    changed = mutation.structured(data, random.Random(seed), [b"abcd"])
    try:
      image = codec.decode(changed, max_pixels=2**15)
    except BitstreamError:
      continue
    pictures += 1
    assert image.dtype == np.uint8
  assert 0 < pictures < 40
