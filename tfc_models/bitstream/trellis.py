"""Integers of a JPEG file that suit its Huffman code; needs NumPy only.

The least of bits and weighted squared errors over all ways to round the coefficients of
a block towards zero, by a shortest path through its zigzag, given the code; then the
best code given the integers, and again.

Source: the path: Ramchandran, Vetterli, "Rate-distortion optimal fast thresholding with
  complete JPEG/MPEG decoder compatibility", IEEE TIP 3, 1994; Crouse, Ramchandran, "Joint
  thresholding and quantizer selection for transform image coding", IEEE TIP 6, 1997.
"""

import numpy as np

from tfc_models.bitstream import huffman, jpeg

_SITES = jpeg.BLOCK * jpeg.BLOCK
_SIZES = 11  # Of values: 0, and 1 to 10 bits.
# What a symbol costs that nothing has used: some more bits than any that has been.
_UNUSED = 18
# Blocks are done so many at a time, which bounds memory.
_AT_ONCE = 2**11


def optimize(coefficients, tables, worth, passes=1):
  """Returns coefficients, whole numbers, of the least bits plus weighted errors.

  Args:
    coefficients: (H / 8, W / 8, C, 8, 8) float, divided by the steps, not rounded.
    tables: (1 or 2, 8, 8) integers, the steps.
    worth: (C,) bits that a squared error of 1 is worth, of a component in 0..255.
    passes: how often the code is made anew.

  Returns:
    int64 array of the same shape.
  """
  used = jpeg.tables_of(coefficients.shape[2], len(tables))
  limit = jpeg.MAX_AC
  exact = np.clip(np.asarray(coefficients, np.float64), -limit, limit)
  found = np.rint(exact).astype(np.int64)
  found[..., 0, 0] = np.rint(coefficients[..., 0, 0])
  for _ in range(passes):
    counts = jpeg.counted(jpeg.symbols_of(found, len(tables)))
    for component, number in enumerate(used):
      _, lengths = huffman.codes(huffman.best(counts[huffman.AC, number]))
      weights = worth[component] * np.square(
          tables[number].reshape(-1)[jpeg.ZIGZAG].astype(np.float64))
      costs = _costs(np.where(lengths, lengths, _UNUSED))
      blocks = exact[:, :, component].reshape(-1, _SITES)[:, jpeg.ZIGZAG]
      for start in range(0, len(blocks), _AT_ONCE):
        blocks[start:start + _AT_ONCE] = _shortest(
            blocks[start:start + _AT_ONCE], weights, *costs)
      # Of the first coefficient, differences are written: it stays as it is.
      blocks[:, 0] = found[:, :, component, 0, 0].reshape(-1)
      plain = np.empty_like(blocks)
      plain[:, jpeg.ZIGZAG] = blocks
      found[:, :, component] = plain.reshape(found[:, :, component].shape)
  return found


def _costs(lengths):
  """Returns bits by run and size, (63, _SIZES), and those of an end of block."""
  run, size = np.arange(_SITES - 1)[:, None], np.arange(_SIZES)
  bits = (lengths[jpeg.SIXTEEN_ZEROS] * (run // 16) + lengths[run % 16 << 4 | size]
          + size)
  return bits.astype(np.float64), float(lengths[jpeg.END_OF_BLOCK])


def _shortest(blocks, weights, bits, end):
  """Returns blocks, (N, 64) in zigzag, with the integers of the least cost.

  Args:
    blocks: not rounded, in steps.
    weights: (64,) bits that a squared error of a step is worth.
    bits: of `_costs`, by run and size.
    end: bits of an end of block.
  """
  count = len(blocks)
  nearest = np.rint(np.abs(blocks))
  # What zeros up to a site, it included, cost; the first coefficient is not of these.
  zeros = np.square(blocks) * weights
  zeros[:, 0] = 0.0
  zeros = np.cumsum(zeros, axis=1)
  cost = np.full((count, _SITES), np.inf)  # Of the best path that ends with a site.
  cost[:, 0] = 0.0
  before = np.zeros((count, _SITES), np.int64)
  chosen = np.zeros((count, _SITES))
  for site in range(1, _SITES):
    here = np.flatnonzero(nearest[:, site])
    if not len(here):
      continue
    largest = nearest[here, site]
    value = np.stack([largest, largest - 1])  # Or nearer to zero by one.
    size = jpeg.size_of(value)
    error = np.square(value - np.abs(blocks[here, site])) * weights[site]
    error[value == 0] = np.inf  # That is no site to end with.
    # From each site before, with zeros between: (sites, blocks).
    way = (cost[here, :site] - zeros[here, :site]).T + zeros[here, site - 1]
    by_size = bits[site - 1 - np.arange(site)]  # (sites, sizes).
    total = np.stack([way + by_size[:, each] for each in size])  # (2, sites, blocks).
    first = np.argmin(total, axis=1)
    least = np.take_along_axis(total, first[:, None], axis=1)[:, 0] + error
    better = np.argmin(least, axis=0)
    cost[here, site] = least[better, np.arange(len(here))]
    before[here, site] = first[better, np.arange(len(here))]
    chosen[here, site] = value[better, np.arange(len(here))]
  total = cost - zeros + zeros[:, -1:] + end
  total[:, -1] -= end
  site = np.argmin(total, axis=1)
  found = np.zeros_like(blocks)
  every = np.arange(count)
  while np.any(site):
    found[every, site] = np.copysign(chosen[every, site], blocks[every, site])
    site = before[every, site]  # Of 0, 0.
  found[:, 0] = 0.0
  return found
