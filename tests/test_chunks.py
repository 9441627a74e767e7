"""Chunks that hold chunks, and metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_bitstream import CHUNKS, HEADER, chunks_of
from tfc_models import bitstream
from tfc_models.bitstream import (
  FRAME,
  ITERATION,
  LATENT,
  METADATA,
  NESTS,
  PLANE,
  TILE,
  Chunk,
  varint,
)
from tfc_models.errors import BitstreamError


def test_metadata_is_apart_from_the_picture():
  data = bitstream.write(HEADER, CHUNKS, {"xmp": b"<x/>", "icc": b"profile"})
  assert bitstream.read(data).metadata == {"icc": b"profile", "xmp": b"<x/>"}
  with pytest.raises(ValueError, match="got 'gps'"):
    bitstream.write(HEADER, CHUNKS, {"gps": b""})


@pytest.mark.parametrize("chunks, reason", [
    ([(b"icc",)], "no name and value"), ([(b"icc", b"", b"")], "no name and value"),
    ([(b"icc", b"1"), (b"icc", b"2")], "icc twice")])
def test_metadata_of_another_shape_is_refused(chunks, reason):
  with pytest.raises(BitstreamError, match=reason):
    bitstream.read(bitstream.write(
        HEADER, [*(Chunk(METADATA, 0, strings) for strings in chunks), *CHUNKS]))


def test_unknown_metadata_is_skipped():
  for name in (b"future", b"\xff\n"):
    assert bitstream.read(bitstream.write(
        HEADER, [Chunk(METADATA, 0, (name, b"1")), *CHUNKS])).metadata == {}


@given(chunks_of([LATENT, ITERATION]), st.sampled_from(sorted(NESTS)))
def test_nested_chunks_come_back(chunks, type):
  nested = bitstream.nest(type, 3, chunks)
  assert (nested.type, nested.index) == (type, 3)
  assert bitstream.unnest(nested) == chunks
  data = bitstream.write(HEADER, [nested])
  (read,) = bitstream.read(data).chunks
  assert bitstream.unnest(read) == chunks
  assert bitstream.coded_bytes([read]) == bitstream.coded_bytes(chunks)


def test_frames_hold_planes_hold_tiles():
  tile = bitstream.nest(TILE, 0, CHUNKS)
  plane = bitstream.nest(PLANE, 1, [tile, *CHUNKS])
  frame = bitstream.nest(FRAME, 2, [plane, tile])
  assert bitstream.unnest(frame) == [plane, tile]
  assert bitstream.coded_bytes([frame]) == 3 * bitstream.coded_bytes(CHUNKS)
  for type, inner in [(TILE, tile), (TILE, plane), (PLANE, frame), (LATENT, tile),
                      (FRAME, Chunk(METADATA, 0, ()))]:
    with pytest.raises(ValueError, match=f"type {type} cannot hold"):
      bitstream.nest(type, 0, [inner])


def test_a_nested_chunk_has_these_bytes():
  nested = bitstream.nest(TILE, 7, [Chunk(LATENT, 300, (b"ab", b"c"))])
  assert nested.strings == (b"\x01\xac\x02\x02\x02\x01abc",)


@pytest.mark.parametrize("string", [
    b"", b"\x01", b"\x01\x80", b"\x01\0", b"\x01\0\x02\x01", b"\x01\0\x01\x05ab",
    b"\x01\0\0x", b"\0\0\0", b"\x04\0\0", b"\x05\0\0", b"\x41\0\0", b"\x81\0\0",
    b"\x01\0" + b"\xff" * 8 + b"\x7f", b"\x01" + b"\xff" * 10])
def test_nests_of_something_else_are_refused(string):
  with pytest.raises(BitstreamError, match="chunk|too long"):
    bitstream.unnest(Chunk(TILE, 0, (string,)))


def test_no_chunk_is_its_own_ancestor():
  string = b""
  for _ in range(10000):  # A tile in a tile in a tile ...
    string = bytes([TILE, 0, 1]) + varint.write(len(string)) + string
  with pytest.raises(BitstreamError, match="holds one of type 4"):
    bitstream.coded_bytes([Chunk(TILE, 0, (string,))])
  with pytest.raises(BitstreamError, match="holds no chunks"):
    bitstream.unnest(CHUNKS[0])
