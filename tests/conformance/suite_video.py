"""What every video model must do, beside what all models must; see `suite`."""

import dataclasses

import numpy as np
import pytest

from tests.conformance import suite
from tests.conformance.material import make_clip
from tfc_models import bitstream
from tfc_models.codecs import VideoCodec
from tfc_models.errors import BitstreamError, TruncatedError
from tfc_models.modeling.settings import Settings

CHECKS = dict(suite.COMMON)


def check(function):
  CHECKS[function.__name__] = function
  return function


@check
def any_size_and_number_of_frames_round_trips(model):
  codec = VideoCodec(model, b"abcd")
  size = model.group_size
  for height, width, count in [
      (1, 1, 1), (17, 33, 2 * size), (32, 32, 2 * size + 1)]:
    frames = make_clip(count, height, width)
    data = codec.encode(iter(frames), rate=(30000, 1001))
    settings = bitstream.read(data).header.settings
    assert settings["frames"] == count
    assert (settings["rate"], settings["rate_scale"]) == (30000, 1001)
    decoded = np.stack(list(codec.decode(data)))
    # What `call` shows of all frames at once, it codes group by group.
    expected = model.to_frames(
        model(model.to_batch(frames)).x_hat, height, width)
    np.testing.assert_array_equal(decoded, expected)


@check
def the_encoder_shows_what_the_decoder_will(model):
  frames = make_clip(3 * model.group_size, 32, 32)
  header = bitstream.Header(model.registered_name, b"abcd", 32, 32)
  states = [None, None]
  for first in range(0, len(frames), model.group_size):
    group = model.to_batch(frames[first:first + model.group_size])
    chunks, shown, states[0] = model.encode_group(group, states[0], Settings())
    found, states[1] = model.decode_group(
        chunks, header, model.group_size, states[1])
    np.testing.assert_array_equal(found, shown)


@check
def no_more_than_a_group_of_frames_is_held(model):
  codec = VideoCodec(model, b"abcd")
  size = model.group_size
  read = []

  def frames():
    for frame in make_clip(3 * size, 16, 16):
      read.append(None)
      yield frame

  for number, _ in enumerate(model.compress(frames()), 1):
    assert len(read) == number * size
  data = codec.encode(make_clip(3 * size, 16, 16))
  decoded = []
  decode_group = model.decode_group
  model.decode_group = lambda *arguments: (
      decoded.append(None), decode_group(*arguments))[1]
  try:
    for number, _ in enumerate(codec.decode(data)):
      assert len(decoded) == number // size + 1
  finally:
    del model.decode_group


@check
def coded_bits_are_those_estimated(model):
  frames = make_clip(2 * model.group_size + 1, 64, 64)
  output = model(model.to_batch(frames))
  estimate = sum(float(bits[0]) for bits in output.bits.values())
  coded = 8 * bitstream.coded_bytes(list(model.compress(frames)))
  # A group ends with a whole byte, and what the range coder needs to close.
  groups = 3 * len(model.latents)
  assert 0.99 * estimate - 64 * groups < coded < 1.03 * estimate + 64 * groups


@check
def damaged_and_cut_files_are_refused(model):
  codec = VideoCodec(model, b"abcd")
  size = model.group_size
  data = codec.encode(make_clip(3 * size, 16, 16))
  whole = list(codec.decode(data))
  for length in range(0, len(data), max(1, len(data) // 40)):
    with pytest.raises(TruncatedError):
      codec.decode(data[:length])
  cut = list(codec.decode(data[:-6], allow_partial=True))
  assert len(cut) == 2 * size
  np.testing.assert_array_equal(cut, whole[:2 * size])

  stream = bitstream.read(data)
  chunks, settings = stream.chunks, stream.header.settings
  for wrong, frames, group in [
      (chunks[1:], 3 * size, size),
      (chunks[:2], 3 * size, size),
      (chunks, 2 * size, size),
      (chunks, 3 * size, size + 1),
      ([bitstream.unnest(chunks[0])[0]._replace(index=0)], size, size),
      ([bitstream.nest(bitstream.FRAME, n, []) for n in range(3)], 3 * size, size)]:
    header = dataclasses.replace(
        stream.header, settings=dict(settings, frames=frames, group=group))
    with pytest.raises(BitstreamError):
      list(codec.decode(bitstream.write(header, wrong)))
