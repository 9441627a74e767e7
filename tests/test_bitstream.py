"""The container keeps what it is given, and notices every damage."""

import dataclasses
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfc_models import bitstream
from tfc_models.bitstream import (
    ITERATION,
    LATENT,
    TILE,
    Chunk,
    Header,
    varint,
)
from tfc_models.errors import BitstreamError, ChecksumError, TruncatedError

HEADER = Header("some-model", b"\x01\x02\x03\x04", 512, 768,
                settings={"quality": 50})
CHUNKS = [Chunk(LATENT, 0, (b"z string", b"the longer y string"))]
PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


def chunks_of(types):
  return st.lists(
      st.builds(Chunk, st.sampled_from(types), st.integers(0, 2**40),
                st.lists(st.binary(max_size=300), max_size=4).map(tuple)),
      min_size=1, max_size=4)


def repaired(data, header_size):
  """Returns the bytes of a file of one chunk, with checksums made right."""
  head, body = data[:header_size], data[header_size + 4:-4]
  return b"".join([
      head, struct.pack("<I", zlib.crc32(head)), body,
      struct.pack("<I", zlib.crc32(body, zlib.crc32(head)))])


def with_settings(*tags_and_values, count=None):
  """Returns a file whose header holds settings of these bytes."""
  header = dataclasses.replace(HEADER, settings={})
  data = bitstream.write(header, CHUNKS)
  size = 4 + 2 + 10 + 4 + 2 + 2 + 1  # Up to the number of settings.
  count = len(tags_and_values) if count is None else count
  fields = varint.write(count) + b"".join(tags_and_values)
  return repaired(data[:size] + fields + data[size + 1:], size + len(fields))


@given(st.integers(0, 2**63 - 1))
def test_a_varint_is_read_as_written(value):
  data = b"x" + varint.write(value) + b"y"
  assert varint.read(data, 1) == (value, len(data) - 1)


@settings(deadline=None)
@given(
    name=st.text(PRINTABLE, min_size=1, max_size=255),
    fingerprint=st.binary(min_size=4, max_size=4),
    height=st.integers(1, 4096), width=st.integers(1, 65535),
    channels=st.sampled_from([1, 3]),
    quality=st.none() | st.integers(1, 100),
    model=st.none() | st.binary(max_size=40),
    metadata=st.dictionaries(
        st.sampled_from(bitstream.METADATA_NAMES), st.binary(max_size=99)),
    chunks=chunks_of([LATENT, ITERATION, TILE]))
def test_a_file_is_read_as_written(
    name, fingerprint, height, width, channels, quality, model, metadata, chunks):
  noted = {"quality": quality, "model": model}
  header = Header(
      name, fingerprint, height, width, channels,
      settings={k: v for k, v in noted.items() if v is not None})
  assert bitstream.read(bitstream.write(header, chunks, metadata)) == (
      header, chunks, metadata, {}, True, True)


def test_overhead_of_an_ordinary_photograph_is_at_most_40_bytes():
  strings = (bytes(2000), bytes(40000))
  chunks = [Chunk(LATENT, 0, strings)]
  for metadata in ({}, {"icc": bytes(500)}):
    data = bitstream.write(HEADER, chunks, metadata)
    stream = bitstream.read(data)
    assert bitstream.coded_bytes(stream.chunks) == 42000
    assert bitstream.overhead(data, stream) == (
        len(data) - 42000 - len(HEADER.model) - sum(map(len, metadata.values())))
    assert bitstream.overhead(data, stream) <= 40 + 20 * len(metadata)


def test_a_file_cut_anywhere_is_truncated():
  data = bitstream.write(HEADER, CHUNKS + CHUNKS, {"exif": b"Canon"})
  for length in range(len(data)):
    with pytest.raises(TruncatedError):
      bitstream.read(data[:length])


def test_whole_chunks_of_a_cut_file_are_read_on_request():
  data = bitstream.write(HEADER, CHUNKS + CHUNKS, {"exif": b"Canon"})
  assert bitstream.read(data[:-1], allow_partial=True) == (
      HEADER, CHUNKS, {"exif": b"Canon"}, {}, True, False)
  with pytest.raises(TruncatedError):
    bitstream.read(data[:len(data) // 2 - 20], allow_partial=True)


def test_damage_is_noticed_in_front_of_a_cut():
  data = bytearray(bitstream.write(HEADER, CHUNKS + CHUNKS))
  data[60] ^= 1
  with pytest.raises(ChecksumError):
    bitstream.read(bytes(data[:-1]), allow_partial=True)


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
  assert bitstream.read(data).chunks == CHUNKS
  with pytest.raises(BitstreamError, match="type 62 is unknown"):
    bitstream.read(bitstream.write(HEADER, [Chunk(62, 0, ()), *CHUNKS]))
  with pytest.raises(BitstreamError, match="no picture"):
    bitstream.read(bitstream.write(HEADER, [unknown]))


# Chunks that hold chunks.


# The header.

@pytest.mark.parametrize("height, width", [
    (0, 5), (5, 0), (70000, 5), (60000, 60000)])
def test_sizes_beyond_the_limits_are_refused(monkeypatch, height, width):
  header = dataclasses.replace(HEADER, height=height, width=width)
  with pytest.raises(BitstreamError, match="outside the limits"):
    bitstream.write(header, CHUNKS)
  with monkeypatch.context() as patch:
    patch.setattr(bitstream.header, "check_size", lambda h, w: None)
    data = bitstream.write(header, CHUNKS)
  with pytest.raises(BitstreamError, match="outside the limits"):
    bitstream.read(data)


@pytest.mark.parametrize("name", [b"a\x1b[31mb", b"two words", b"a\n", b"\xe9t\xe9"])
def test_names_that_are_not_printed_as_they_are_are_refused(name):
  header = dataclasses.replace(HEADER, model="x" * len(name))
  data = bitstream.write(header, CHUNKS)
  size = 4 + 2 + len(name) + 4 + 2 + 2 + 1 + 3
  with pytest.raises(BitstreamError, match="holds a model of .* printable") as info:
    bitstream.read(repaired(data[:6] + name + data[6 + len(name):], size))
  assert "\x1b" not in str(info.value)


INTEGER, FLOAT, STRING = 0, 1, 2


@pytest.mark.parametrize("reason, settings", [
    ("quality of 0, not 1..100", [bytes([INTEGER, 0])]),
    ("quality of 101, not", [bytes([INTEGER, 101])]),
    ("quality of 50.0, not", [bytes([FLOAT]) + struct.pack("<f", 50.0)]),
    ("quality of nan, not", [bytes([FLOAT]) + struct.pack("<f", float("nan"))]),
    ("quality of b'a', not", [bytes([STRING, 1]) + b"a"]),
    ("model of 5, not bytes", [bytes([63 << 2, 5])]),
    ("unknown type", [bytes([3])]),
    ("setting 0 twice", [bytes([INTEGER, 50])] * 2),
    ("setting 9 twice", [bytes([9 << 2, 50])] * 2)])
def test_settings_of_another_kind_are_refused(reason, settings):
  with pytest.raises(BitstreamError, match=reason):
    bitstream.read(with_settings(*settings))


def test_unknown_settings_are_ignored():
  data = with_settings(
      bytes([9 << 2, 5]), bytes([8 << 2 | FLOAT]) + struct.pack("<f", float("inf")),
      bytes([INTEGER, 7]), bytes([62 << 2 | STRING, 2]) + b"ab")
  assert bitstream.read(data).header.settings == {"quality": 7}


def test_more_settings_than_keys_are_refused():
  with pytest.raises(BitstreamError, match="holds 65 settings"):
    bitstream.read(with_settings(count=65))


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
    {"model": ""}, {"model": "a\n"}, {"fingerprint": b"123"}, {"channels": 2},
    {"bit_depth": 16}, {"settings": {"quality": 0}}, {"settings": {"quality": 1.5}},
    {"settings": {"model": "text"}}])
def test_fields_out_of_range_are_not_written(change):
  with pytest.raises(ValueError, match="must|needs"):
    bitstream.write(dataclasses.replace(HEADER, **change), CHUNKS)


@pytest.mark.parametrize("type", [0, 0x40, 0x41, 0x80, 0xC1, 256])
def test_types_out_of_range_are_not_written(type):
  with pytest.raises(ValueError, match="`type` must be"):
    bitstream.write(HEADER, [Chunk(type, 0, ())])
