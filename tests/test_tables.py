"""Range decoding ends, whatever the string, and never changes an honest one."""

import struct

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc

from tfc_models.entropy_models.tables import LIMIT, PRECISION, RangeTables
from tfc_models.errors import BitstreamError, UsageError

ONE = 2**PRECISION


def table(*widths, escape=True):
  """Returns a cdf of the widths, the last of which becomes what is left."""
  ends = np.cumsum([0, *widths])
  return [-PRECISION if escape else PRECISION, *ends, ONE]


def tables_of(*cdfs, offset=0, limit=LIMIT):
  tables = RangeTables(limit)
  tables.assign(
      np.concatenate(cdfs).astype(np.int32),
      np.full([len(cdfs)], offset, np.int32))
  return tables


def random_tables(rng, count):
  cdfs = []
  for _ in range(count):
    widths = np.maximum(1, rng.dirichlet(np.full(rng.integers(2, 12), 0.3)) * 60000)
    cdfs.append(table(*widths.astype(int)))
  return tables_of(*cdfs, offset=-3)


@pytest.mark.parametrize("seed", range(5))
def test_random_symbols_and_escapes_are_decoded_as_coded(seed):
  rng = np.random.default_rng(seed)
  tables = random_tables(rng, 6)
  for count, spread in [(1, 3), (7, 30), (50, LIMIT), (9000, 4)]:
    shape = (40 if count < 100 else 2, count)
    indexes = tf.constant(rng.integers(0, 6, shape), tf.int32)
    symbols = tf.constant(rng.integers(-spread, spread + 1, shape), tf.int32)
    strings = tables.encode(symbols, indexes)
    np.testing.assert_array_equal(tables.decode(strings, indexes), symbols)
    graph = tf.function(tables.decode)(strings, indexes)
    np.testing.assert_array_equal(graph, symbols)


def test_zeros_that_the_encoder_left_out_are_put_back():
  # One half lies within the middle symbol, and within the middle of that ...
  tables = tables_of(table(ONE // 4, ONE // 2))
  indexes = tf.zeros([1, 30000], tf.int32)
  strings = tables.encode(indexes + 1, indexes)
  assert strings.numpy() == [b"\x80"]
  np.testing.assert_array_equal(tables.decode(strings, indexes), indexes + 1)


def test_strings_can_be_ended_before_a_graph_reads_them():
  tables = tables_of(table(30000, 5000))
  indexes = tf.zeros([1, 5000], tf.int32)
  strings = tables.encode(indexes + 1, indexes)
  ended = tables.ended(strings, 5000)
  in_graph = tf.function(tables.ended, input_signature=[
      tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)])
  assert in_graph(strings, 5000).numpy() == ended.numpy()
  # Zeros, and ones for escape codes of 82 bits and for a run of these zeros.
  assert len(ended.numpy()[0]) > (1 + 82 + 1) * 5000 / 8

  @tf.function
  def read(strings):
    return tables.decode_more(tables.create_decoder(strings, None), indexes)[1]

  np.testing.assert_array_equal(read(ended), indexes + 1)


def escape_into_zeros(cdf):
  """Returns a string whose first symbol escapes, at the lower end of its range."""
  return struct.pack(">H", cdf[-2])


@pytest.mark.parametrize("zeros", [0, 1, 1000, 10**6])
@pytest.mark.parametrize("count", [1, 2, 5000])
def test_a_string_that_ends_within_an_escape_code_ends(zeros, count):
  cdf = table(30000, 5000)
  for tables in (tables_of(cdf), tables_of(cdf, table(1, 2), table(ONE - 2, 1))):
    string = tf.constant([escape_into_zeros(cdf) + bytes(zeros)])
    indexes = tf.cast(
        tf.range(count) % tf.size(tables.cdf_offset), tf.int32)[None]
    tables.check()
    handle = tables.create_decoder(string, count)
    _, symbols = tfc.entropy_decode_index(
        handle, indexes, tf.shape(indexes)[1:], tf.int32)
    assert symbols.shape == indexes.shape


def test_noise_is_decoded_to_an_end():
  rng = np.random.default_rng(0)
  tables = random_tables(rng, 6)
  indexes = tf.constant(rng.integers(0, 6, (200, 60)), tf.int32)
  for pattern in (rng.bytes, bytes, lambda n: b"\xff" * n):
    strings = tf.constant([pattern(n % 70) for n in range(200)])
    try:
      tables.decode(strings, indexes)
    except BitstreamError:
      pass


def test_symbols_beyond_the_limit_are_refused():
  tables = tables_of(table(30000, 5000), limit=127)
  wide = tables_of(table(30000, 5000))
  zeros = tf.zeros([1, 2], tf.int32)
  strings = wide.encode(tf.constant([[0, 128]]), zeros)
  with pytest.raises(BitstreamError, match="beyond 127"):
    tables.decode(strings, zeros)
  graph = tf.function(tables.decode)(strings, zeros)
  np.testing.assert_array_equal(graph, [[0, 127]])
  with pytest.raises(UsageError, match="not finite, or beyond 127"):
    tables.encode(tf.constant([[0, -128]]), zeros)
  # What a cast makes of a latent that is not a number.
  with pytest.raises(UsageError, match="not finite"):
    wide.encode(tf.constant([[0, -2**31]]), zeros)


@pytest.mark.parametrize("cdf", [
    [-PRECISION, 0, ONE], [-PRECISION, 0, 5, 5, ONE], [-PRECISION, 0, 9, 5, ONE],
    [-PRECISION, 1, 5, ONE], [-12, 0, 5, ONE], [-PRECISION, 0, 5, ONE, 7],
    [-PRECISION, 0, 5], [-PRECISION, 0, ONE, ONE]])
def test_damaged_tables_are_refused(cdf):
  good = table(30000, 5000)
  tables = tables_of(good, good)
  tables.check()
  tables.assign(np.int32([*good, *cdf]), np.zeros([2], np.int32))
  with pytest.raises(UsageError, match="tables .* damaged"):
    tables.check()
  tables.assign(np.int32([*good, *good]), np.int32([0, -2**30]))
  with pytest.raises(UsageError, match="tables .* damaged"):
    tables.check()


def test_a_string_too_short_for_its_symbols_is_refused():
  tables = tables_of(table(20000, 20000, 20000))  # At least 1.7 bits a symbol.
  indexes = tf.zeros([1, 10**5], tf.int32)
  with pytest.raises(BitstreamError, match="2 bytes is too short"):
    tables.check_lengths(tf.constant([b"ab"]), 10**5)
  for symbol in range(3):
    tables.check_lengths(tables.encode(indexes + symbol, indexes), 10**5)
