"""Tables of the range coder, the same from the same numbers on every machine.

Those that `fix_tables` makes are computed in single precision by TensorFlow, which
rounds as the machine does, so that a fingerprint would depend on who converted. These
are sums in double precision, cut to 16 bits.
"""

import math

import numpy as np

from tfc_models.entropy_models import NUM_SCALES, SCALE_MAX, SCALE_MIN

PRECISION = 16
# Probability of what is left to escape codes, half of it on either side.
_TAIL_DEVIATIONS = 3.67  # Standard deviations; 2**-12 lies outside.
# Half of the longest table of a density.
_MOST_SYMBOLS = 2**11


def joined(rows, offsets):
  """Returns cdf and cdf_offset as `RangeTables` takes them.

  Args:
    rows: list of int arrays, each rising from 0 to 2**16; the last symbol is the
      escape.
    offsets: the symbol that each begins with.
  """
  return (np.concatenate([[-PRECISION, *row] for row in rows]).astype(np.int32),
          np.asarray(offsets, np.int32))


def gaussian_tables():
  """Returns the tables of `GaussianCodec`, see `joined`."""
  rows, offsets = [], []
  step = math.log(SCALE_MAX / SCALE_MIN) / (NUM_SCALES - 1)
  for number in range(NUM_SCALES):
    scale = SCALE_MIN * math.exp(step * number)
    half = math.ceil(scale * _TAIL_DEVIATIONS)
    rows.append(_quantized(gaussian_masses(scale, range(-half, half + 1))))
    offsets.append(-half)
  return joined(rows, offsets)


def gaussian_masses(scale, symbols):
  """Returns the probabilities of integers one after the other, around zero."""
  edges = [0.5 * math.erfc((0.5 - n) / scale * math.sqrt(0.5))
           for n in (*symbols, symbols[-1] + 1)]
  return np.diff(edges)


def stored_tables(cdf, lengths, offsets):
  """Returns the tables that CompressAI stored, see `joined`.

  Args:
    cdf: (C, n) ints, of which each row uses the first (C,) `lengths`.
    offsets: (C,) ints.
  """
  return joined([row[:length] for row, length in zip(cdf, lengths)], offsets)


def density_tables(density, quantiles):
  """Returns the tables of a density from -infinity to where it is negligible.

  Args:
    density: `Density`.
    quantiles: (C, 3) array: low, median, high.
  """
  medians = quantiles[:, 1]
  below, above = (
      np.clip(np.ceil(distance), 1, _MOST_SYMBOLS).astype(int)
      for distance in (medians - quantiles[:, 0], quantiles[:, 2] - medians))
  edges = np.arange(-below.max(), above.max() + 2) - 0.5
  cumulative = density.cumulative(edges[None] + np.zeros_like(medians)[:, None])
  rows = []
  for channel, (low, high) in enumerate(zip(below, above)):
    first = below.max() - low
    rows.append(_quantized(np.diff(
        cumulative[channel, first:first + low + high + 2])))
  return joined(rows, -below)


class Density:
  """The densities of `tfc.NoisyDeepFactorized` before the noise, in NumPy.

  Args:
    matrices, biases, factors: lists of (C, out, in), (C, out, 1) arrays.
  """

  def __init__(self, matrices, biases, factors):
    self._matrices = [np.logaddexp(0.0, np.float64(m)) for m in matrices]
    self._biases, self._factors = biases, [np.tanh(np.float64(f)) for f in factors]

  def cumulative(self, x):
    """Returns the distribution function at (C, n)."""
    x = x[:, None]
    for number, (matrix, bias) in enumerate(zip(self._matrices, self._biases)):
      x = matrix @ x + bias
      if number < len(self._factors):
        x = x + self._factors[number] * np.tanh(x)
    return 0.5 * (1.0 + np.tanh(0.5 * x[:, 0]))


def split(cdf):
  """Returns the rows of tables, each with its precision in front, see `joined`."""
  return np.split(cdf, np.flatnonzero(cdf == 2**PRECISION)[:-1] + 1)


def masses(cdf, offsets):
  """Returns symbols and probabilities, (C, n) arrays, of tables, see `joined`.

  Without escapes; behind the end of a table probabilities are zero.
  """
  rows = [np.diff(row[1:-1]) / 2.0**PRECISION for row in split(cdf)]
  found = np.zeros([len(rows), max(map(len, rows))])
  for line, row in zip(found, rows):
    line[:len(row)] = row
  return np.asarray(offsets)[:, None] + np.arange(found.shape[1]), found


def draw(cdf, offsets, shape, random):
  """Returns ints of `shape`, (..., C), drawn from tables; escapes become the last.

  Args:
    cdf, offsets: see `joined`.
    random: `np.random.RandomState`, whose numbers no release of NumPy changes.
  """
  drawn = random.randint(0, 2**PRECISION, shape)
  for channel, row in enumerate(split(cdf)):
    # Past precision and zero; the last is the escape.
    found = np.searchsorted(row[2:], drawn[..., channel], side="right")
    drawn[..., channel] = np.minimum(found, len(row) - 4) + offsets[channel]
  return drawn


def _quantized(probabilities):
  """Returns a row for `joined` of the probabilities of symbols; the rest escapes."""
  rest = max(1.0 - float(np.sum(probabilities)), 0.0)
  exact = np.append(probabilities, rest) * 2**PRECISION
  counts = np.maximum(np.floor(exact), 1.0)
  missing = int(2**PRECISION - counts.sum())
  if missing > 0:  # To those that rounding took most from.
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
  for _ in range(-missing):  # From those that miss it least.
    counts[np.argmax(counts)] -= 1
  return np.append(0, np.cumsum(counts)).astype(int)
