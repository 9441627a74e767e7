"""Tables of converted models are as good as those that others make."""

import numpy as np

from tests import checkpoints
from tests.checkpoints import seen
from tfc_models.convert import compressai, fitting, tables
from tfc_models.entropy_models import GaussianCodec
from tfc_models.entropy_models.integer_params import EDGES


def test_constant_tables_are_those_that_tfc_makes():
  codec = GaussianCodec()
  codec.fix_tables()
  cdf, offset = (variable.numpy() for variable in (
      codec.tables.cdf, codec.tables.cdf_offset))
  ours = tables.gaussian_tables()
  for one, other in zip(_masses(*ours), _masses(cdf, offset)):
    both = sorted(one.keys() & other.keys())
    error = [abs(one[s] - other[s]) for s in both]
    assert max(error) < 2.0**-12, max(error)
    assert sum(one[s] for s in both) > 0.999


def _masses(cdf, offset):
  """Returns a dict from symbol to probability of each table."""
  ends = np.flatnonzero(cdf == 2**16) + 1
  return [
      dict(zip(range(start, start + len(row)), np.diff(row[1:]) / 2.0**16))
      for start, row in zip(offset, np.split(cdf, ends[:-1]))]


def test_tables_of_a_density_are_those_that_compressai_stored():
  stored = compressai.weights_of(
      checkpoints.network("mbt2018", seen("mbt2018"))).tables
  without = {key: value for key, value in seen("mbt2018").items() if key[0] != "_"}
  computed = compressai.weights_of(checkpoints.network("mbt2018", without)).tables
  np.testing.assert_array_equal(stored[1], computed[1])
  for one, other in zip(_masses(*stored), _masses(*computed)):
    assert one.keys() == other.keys()
    # In bits. Of these wide densities CompressAI's lose up to 0.015 a symbol
    # against the density itself, ours 0.006.
    assert sum(one[s] * np.log2(one[s] / other[s]) for s in one) < 0.02


def test_no_edge_between_tables_depends_on_the_last_bit():
  assert len(EDGES) == 63 and np.all(np.diff(EDGES) >= 1)
  exact = 256 * 0.11 * (256 / 0.11) ** ((np.arange(63) + 0.5) / 63)
  assert np.abs(exact - np.round(exact)).min() > 1e-6
  np.testing.assert_array_equal(EDGES, np.floor(exact))


def test_fitted_densities_do_not_depend_on_last_bits(monkeypatch):
  random = np.random.RandomState(0)
  cdf, offsets = tables.gaussian_tables()
  end = np.flatnonzero(cdf == 2**16)[23] + 1
  fitted = fitting.density_of(cdf[:end], offsets[:24])
  symbols, masses = tables.masses(cdf[:end], offsets[:24])
  masses *= 1.0 + 1e-13 * random.standard_normal(masses.shape)
  monkeypatch.setattr(tables, "masses", lambda *_: (symbols, masses))
  for path, array in fitting.density_of(cdf[:end], offsets[:24]).items():
    np.testing.assert_array_equal(array, fitted[path], path)
