"""The container keeps what it is given, and notices every damage."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfc_models import bitstream
from tfc_models.bitstream import LATENT, METADATA, Chunk, Header, varint
from tfc_models.errors import BitstreamError, ChecksumError, TruncatedError

HEADER = Header("some-model", b"\x01\x02\x03\x04", 512, 768,
                settings={"quality": 50})
CHUNKS = [Chunk(LATENT, 0, (b"z string", b"the longer y string"))]


@given(st.integers(0, 2**63 - 1))
def test_a_varint_is_read_as_written(value):
  data = b"x" + varint.write(value) + b"y"
  assert varint.read(data, 1) == (value, len(data) - 1)


@settings(deadline=None)
@given(
    name=st.text(st.characters(codec="ascii"), min_size=1, max_size=255),
    fingerprint=st.binary(min_size=4, max_size=4),
    height=st.integers(1, 4096), width=st.integers(1, 65535),
    channels=st.sampled_from([1, 3]),
    quality=st.none() | st.integers(1, 100),
    chunks=st.lists(
        st.builds(Chunk, st.sampled_from([LATENT, METADATA]),
                  st.integers(0, 2**40),
                  st.lists(st.binary(max_size=300), max_size=4).map(tuple)),
        min_size=1, max_size=4))
def test_a_file_is_read_as_written(
    name, fingerprint, height, width, channels, quality, chunks):
  header = Header(name, fingerprint, height, width, channels,
                  settings={} if quality is None else {"quality": quality})
  assert bitstream.read(bitstream.write(header, chunks)) == (header, chunks)


def test_overhead_of_an_ordinary_photograph_is_at_most_40_bytes():
  strings = (bytes(2000), bytes(40000))
  data = bitstream.write(HEADER, [Chunk(LATENT, 0, strings)])
  assert bitstream.overhead(data) == len(data) - 42000 - len(HEADER.model)
  assert bitstream.overhead(data) <= 40


def test_a_file_cut_anywhere_is_truncated():
  data = bitstream.write(HEADER, CHUNKS + CHUNKS)
  for length in range(len(data)):
    with pytest.raises(TruncatedError):
      bitstream.read(data[:length])


def test_whole_chunks_of_a_cut_file_are_read_on_request():
  data = bitstream.write(HEADER, CHUNKS + CHUNKS)
  assert bitstream.read(data[:-1], allow_partial=True) == (HEADER, CHUNKS)
  with pytest.raises(TruncatedError):
    bitstream.read(data[:len(data) // 2 - 20], allow_partial=True)


def test_every_flipped_byte_is_noticed():
  data = bitstream.write(HEADER, CHUNKS)
  for position in range(len(data)):
    for flip in (0x01, 0x80, 0xFF):
      damaged = bytearray(data)
      damaged[position] ^= flip
      with pytest.raises(BitstreamError):
        bitstream.read(bytes(damaged))


def test_appended_bytes_are_refused():
  data = bitstream.write(HEADER, CHUNKS)
  for extra in (b"\0", data):
    with pytest.raises(BitstreamError, match="follow the end"):
      bitstream.read(data + extra)


@given(st.binary(max_size=200))
def test_noise_is_refused(data):
  for stream in (data, bitstream.MAGIC + data):
    with pytest.raises(BitstreamError):
      bitstream.read(stream)


def test_a_chunk_of_another_file_is_refused():
  one = bitstream.write(HEADER, CHUNKS)
  other = bitstream.write(dataclasses.replace(HEADER, width=800), CHUNKS)
  size = len(one) - len(bitstream.write(HEADER, [Chunk(LATENT, 0, ())])) + 9
  with pytest.raises(ChecksumError):
    bitstream.read(one[:-size] + other[-size:])


def test_unknown_ancillary_chunks_are_skipped_and_others_refused():
  unknown = Chunk(0x80 | 0x3E, 0, (b"future",))
  data = bitstream.write(HEADER, [unknown, *CHUNKS])
  assert bitstream.read(data) == (HEADER, CHUNKS)
  with pytest.raises(BitstreamError, match="type 62 is unknown"):
    bitstream.read(bitstream.write(HEADER, [Chunk(62, 0, ()), *CHUNKS]))


@pytest.mark.parametrize("height, width", [
    (0, 5), (5, 0), (70000, 5), (60000, 60000)])
def test_sizes_beyond_the_limits_are_refused(monkeypatch, height, width):
  header = dataclasses.replace(HEADER, height=height, width=width)
  with pytest.raises(BitstreamError, match="outside the limits"):
    bitstream.write(header, CHUNKS)
  with monkeypatch.context() as patch:
    patch.setattr(bitstream.container, "check_size", lambda h, w: None)
    data = bitstream.write(header, CHUNKS)
  with pytest.raises(BitstreamError, match="outside the limits"):
    bitstream.read(data)


def test_a_newer_version_is_refused_by_name():
  data = bytearray(bitstream.write(HEADER, CHUNKS))
  data[4] = 99
  with pytest.raises(BitstreamError, match="version 99 is newer"):
    bitstream.read(bytes(data))


def test_the_draft_is_refused_by_name():
  data = bytearray(bitstream.write(HEADER, CHUNKS))
  data[4] = 0
  with pytest.raises(BitstreamError, match="version 0 was a draft"):
    bitstream.read(bytes(data))


def test_a_file_of_version_1_has_these_bytes():
  data = bitstream.write(
      bitstream.Header("m", b"\1\2\3\4", 300, 5, settings={"quality": 50}),
      [bitstream.Chunk(bitstream.LATENT, 0, (b"ab", b"c"))])
  assert data.hex(" ") == (
      "9f 54 43 4d 01 01 6d 01 02 03 04 ac 02 05 37 01 00 32 "
      "9a 45 e2 36 41 00 06 02 02 01 61 62 63 a9 6c 3b 71")


@pytest.mark.parametrize("change", [
    {"model": ""}, {"fingerprint": b"123"}, {"channels": 2}, {"bit_depth": 16}])
def test_fields_out_of_range_are_not_written(change):
  with pytest.raises(ValueError, match="must|needs"):
    bitstream.write(dataclasses.replace(HEADER, **change), CHUNKS)
