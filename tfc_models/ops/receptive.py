"""How far each output of a network reaches into its inputs, found by asking it."""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

# Of the strips to try, in cells: a reach of up to 11, 23.
_LENGTHS = (25, 49)
_HEIGHT = 4


class Reach(NamedTuple):
  """Cells of the input that a cell of the output depends on, along either axis.

  Attributes:
    before, after: output cell i depends on no input cells but i - before to i + after.
  """

  before: int
  after: int


def reach(function, cell: int, depth: int, out_cell: int) -> Optional[Reach]:
  """Returns the `Reach` of a network that is the same function at all cells.

  What a cell of NaN goes into is NaN, whatever the weights are, since zero times NaN is
  NaN. So this is the reach of all layers as they are, whoever wrote them. It is measured
  along rows; along columns it is taken to be the same.

  Args:
    function: of (1, H cell, W cell, depth) float to (1, H out_cell, W out_cell, D).
    cell: samples a side of a cell of the input.
    depth: channels of the input.
    out_cell: samples a side of a cell of the output.

  Returns:
    None, if it has no end within some 20 cells, as that of attention between all sites
    has none.
  """
  for cells in _LENGTHS:
    middle = cells // 2
    x = np.zeros((1, _HEIGHT * cell, cells * cell, depth), np.float32)
    plain = function(tf.constant(x)).numpy()
    x[:, :, middle * cell:(middle + 1) * cell] = np.nan
    changed = np.any(function(tf.constant(x)).numpy() != plain, axis=(0, 1, 3))
    (found,) = np.nonzero(changed.reshape(cells, out_cell).any(axis=1))
    if found.size and found[0] > 0 and found[-1] < cells - 1:
      # Outputs reach back as far as an input is felt ahead.
      return Reach(int(found[-1]) - middle, middle - int(found[0]))
  return None
