"""Learned codecs refuse strangers' streams, and keep what a call does not say."""

import dataclasses
import struct

import numpy as np
import pytest
import tensorflow as tf

import tfc_models
from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream, pretrained
from tfc_models.bitstream import LATENT, Chunk
from tfc_models.codecs import (
    FileOptions,
    LearnedCodec,
    StreamDecoder,
    loading,
    stream_decoder,
)
from tfc_models.errors import (
    BitstreamError,
    ChecksumError,
    ImageError,
    TooLargeError,
    UsageError,
    WrongWeightsError,
)
from tfc_models.modeling.settings import Settings

HYPERPRIORS = ["bmshj2018-hyperprior", "mbt2018", "mbt2018-mean", "tfcm-base"]


def codec_of(name="tfcm-base", **arguments):
  return LearnedCodec(suite.tiny(name), b"abcd", **arguments)


@pytest.fixture(scope="module")
def progressive():
  return codec_of("toderici2016")


@pytest.fixture(scope="module")
def thumbnail(progressive):
  return progressive.encode(
      make_image(32, 32), options=FileOptions(thumbnail=True))


def hanging(codec):
  """Returns a stream whose z ends within an escape code, as short as can be."""
  header, chunks, *_ = bitstream.read(codec.encode(make_image(64, 64)))
  cdf = codec.model.z_codec.tables.cdf.numpy()
  escape = cdf[np.flatnonzero(cdf == 2**16)[0] - 1]
  string = struct.pack(">H", escape)
  return bitstream.write(header, [Chunk(LATENT, 0, (string, b"\0\0"))])


def check_end(codec):
  with pytest.raises(BitstreamError):
    codec.decode(hanging(codec))


@pytest.mark.parametrize("name", HYPERPRIORS)
def test_escape_codes_without_end_are_refused(name):
  check_end(codec_of(name))


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry", [e for e in pretrained.manifest() if e["name"] in HYPERPRIORS],
    ids=lambda entry: entry["file"])
def test_escape_codes_without_end_are_refused_by_shipped_weights(entry):
  check_end(LearnedCodec.from_file(pretrained.weight_path(entry)))


def renamed(data, **changes):
  stream = bitstream.read(data)
  header = dataclasses.replace(stream.header, **changes)
  return bitstream.write(header, stream.chunks)


def test_another_model_than_that_of_the_weights_is_refused():
  codec = codec_of()
  data = codec.encode(make_image(40, 50))
  with pytest.raises(WrongWeightsError, match="names the model mbt2018, its weig"):
    codec.decode(renamed(data, model="mbt2018"))


@pytest.mark.parametrize("change", [
    lambda chunk: [chunk._replace(index=1)],
    lambda chunk: [bitstream.nest(bitstream.TILE, 0, [chunk])],
    lambda chunk: [chunk, Chunk(bitstream.ITERATION, 1, (b"",))],
    lambda chunk: [chunk, chunk]])
def test_chunks_of_another_kind_are_refused(change):
  codec = codec_of()
  header, (chunk,), *_ = bitstream.read(codec.encode(make_image(40, 50)))
  with pytest.raises(BitstreamError, match="chunks"):
    codec.decode(bitstream.write(header, change(chunk)))


def test_large_claims_are_refused_before_anything_is_decoded(progressive):
  codec = codec_of()
  data = renamed(codec.encode(make_image(8, 8)), height=16384, width=16384)
  with pytest.raises(TooLargeError, match="16384x16384 is beyond .* 33554432"):
    codec.decode(data)
  with pytest.raises(TooLargeError):
    StreamDecoder().decode(renamed(data, model="no-such-weights"))
  # 2 bits a symbol and more of z would take megabytes.
  huge = renamed(codec.encode(make_image(8, 8)), height=8192, width=8192)
  with pytest.raises(BitstreamError, match="too short for the image"):
    codec.decode(huge, max_pixels=2**26)
  small = codec.encode(make_image(40, 50))
  assert codec.decode(small, max_pixels=2000).shape == (40, 50, 3)
  with pytest.raises(TooLargeError, match="50x40 is beyond the limit of 1999"):
    codec.decode(small, max_pixels=1999)


def test_decode_loads_weights_once(monkeypatch):
  calls = []
  monkeypatch.setattr(
      stream_decoder, "open_weights",
      lambda path: calls.append(path) or loading.open_weights(path))
  stream_decoder.shared_decoder.cache_clear()
  image = make_image(32, 32)
  data = loading.load("bls2017").encode(image)
  first, second = tfc_models.decode(data), tfc_models.decode(data)
  assert len(calls) == 1
  np.testing.assert_array_equal(first, second)
  stream_decoder.shared_decoder.cache_clear()


def test_the_command_names_its_limit(tmp_path, tiny_weights):
  stream = tmp_path / "x.tfcm"
  stream.write_bytes(
      LearnedCodec.from_file(tiny_weights).encode(make_image(40, 50)))
  call = ["decompress", stream, "--model_path", tiny_weights, "--max_pixels"]
  fails(2, "limit of 1999 pixels; --max_pixels raises it", *call, 1999)
  assert tfcm(*call, 2000)[0] == 0


def test_iterations_count_as_pictures(progressive):
  data = progressive.encode(make_image(40, 50))
  header, chunks, *_ = bitstream.read(data)
  more = [chunk._replace(index=t) for t, chunk in enumerate(chunks * 4)]
  with pytest.raises(TooLargeError, match="50x40 in 12 iterations"):
    progressive.decode(bitstream.write(header, more), max_pixels=5999)
  with pytest.raises(BitstreamError, match="holds 12 iterations"):
    progressive.decode(bitstream.write(header, more), max_pixels=6000)


def test_memory_that_is_not_there_is_an_error_of_a_line(monkeypatch):
  codec, image = codec_of(), make_image(40, 50)
  data = codec.encode(image)

  def exhausted(*arguments):
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

  monkeypatch.setattr(codec.model, "decode", exhausted)
  with pytest.raises(BitstreamError, match="not enough memory .* 50x40"):
    codec.decode(data)
  monkeypatch.setattr(codec.model, "encode", exhausted)
  with pytest.raises(UsageError, match="not enough memory .* 50x40"):
    codec.encode(image)


def test_latents_that_are_not_finite_are_refused_by_name():
  model = suite.again(suite.tiny("tfcm-base"))
  model.fix_tables()
  model.gain.assign(np.nan)
  codec = LearnedCodec(model, b"abcd", quality=50)
  with pytest.raises(UsageError, match="tfcm-base q50: .*a latent is not finite"):
    codec.encode(make_image(40, 50))


def test_images_beyond_the_format_are_the_callers_fault():
  with pytest.raises(ImageError, match="1x65536 is outside the limits"):
    codec_of().encode(np.zeros([65536, 1, 3], np.uint8))


# Thumbnails.

def test_bytes_behind_the_last_iteration_are_refused(thumbnail, progressive):
  stream = bitstream.read(thumbnail)
  for extra, reason in [(b"x", "1 bytes follow"), (bytes(8), "holds 4 iterations")]:
    longer = [*stream.chunks, stream.chunks[0]._replace(strings=(extra,))]
    with pytest.raises(BitstreamError, match=reason):
      progressive.decode(bitstream.write(stream.header, longer))


def test_what_is_left_of_a_thumbnail_is_not_verified(thumbnail, progressive):
  assert progressive.read(thumbnail, allow_partial=True).verified
  cut = progressive.read(thumbnail[:-3], allow_partial=True)
  assert not cut.verified and len(cut.chunks) == 2
  changed = bytearray(thumbnail)
  changed[-1] ^= 1
  for data in (bytes(changed), thumbnail[:-8]):
    with pytest.raises(ChecksumError):
      progressive.decode(data, allow_partial=True)
  changed = bytearray(thumbnail[:-3])
  changed[1] ^= 1
  with pytest.raises(WrongWeightsError):
    progressive.decode(bytes(changed), allow_partial=True)


def test_thumbnails_hold_no_metadata(progressive):
  with pytest.raises(UsageError, match="no room for metadata"):
    progressive.encode(make_image(8, 8), options=FileOptions(
        thumbnail=True, metadata={"icc": b"x"}))


# What a file shall meet, and what a call does not say.

def test_a_file_carries_metadata():
  codec, image = codec_of(), make_image(40, 50)
  written = codec.encode_file(image, options=FileOptions(metadata={"icc": b"abc"}))
  stream = codec.read(written.data)
  assert stream.metadata == {"icc": b"abc"}
  assert (written.header, written.chunks) == (stream.header, stream.chunks)
  np.testing.assert_array_equal(
      codec.decode(written.data), codec.decode(codec.encode(image)))
  with pytest.raises(UsageError, match="icc, exif, xmp, got gps"):
    codec.encode(image, options=FileOptions(metadata={"gps": b""}))


def test_the_iterations_of_a_codec_stay_whatever_else_is_asked(progressive):
  codec = codec_of("toderici2016", iterations=2)
  image = make_image(40, 50)
  def count(*arguments):
    return len(codec.encode_file(image, *arguments).chunks)

  assert count() == count(Settings(raw_bits=True)) == 2
  assert count(None, FileOptions(target_psnr=99.0)) == 2
  assert count(None, FileOptions(target_bytes=10**6)) == 2
  assert count(Settings(iterations=1)) == count(Settings(quality=1)) == 1
  assert count(Settings(quality=100)) == 3


@pytest.mark.parametrize("name", ["toderici2016", "tfcm-base"])
@pytest.mark.parametrize("quality", [-1, 0, 101])
def test_a_quality_outside_of_its_range_is_refused(name, quality):
  with pytest.raises(UsageError, match=f"lie in 1..100, got {quality}"):
    codec_of(name).encode(make_image(8, 8), Settings(quality=quality))


def test_a_target_that_is_no_number_is_refused(progressive):
  with pytest.raises(UsageError, match="target_psnr must be positive, got nan"):
    progressive.encode(
        make_image(8, 8), options=FileOptions(target_psnr=float("nan")))
