"""Where the tiles of a picture lie."""

from typing import NamedTuple


class Box(NamedTuple):
  """A rectangle: rows `top` to `bottom`, columns `left` to `right`, ends excluded."""

  top: int
  left: int
  bottom: int
  right: int

  @property
  def height(self):
    """Rows."""
    return self.bottom - self.top

  @property
  def width(self):
    """Columns."""
    return self.right - self.left

  def grown(self, before, after, within):
    """Returns the box with more above and left, below and right, as far as there is."""
    return Box(self.top - before, self.left - before, self.bottom + after,
               self.right + after).common(within)

  def common(self, other):
    """Returns what two boxes share; it may be empty."""
    return Box(max(self.top, other.top), max(self.left, other.left),
               min(self.bottom, other.bottom), min(self.right, other.right))

  def within(self, outer):
    """Returns the box as one that contains it sees it."""
    top, left = outer.top, outer.left
    return Box(self.top - top, self.left - left, self.bottom - top, self.right - left)

  def scaled(self, factor):
    """Returns the box in units `factor` times as small."""
    return Box(*(side * factor for side in self))

  def of(self, array, axis=0):
    """Returns the part of an array whose axes from `axis` on are rows and columns."""
    return array[(slice(None),) * axis + (
        slice(self.top, self.bottom), slice(self.left, self.right))]


class Grid(NamedTuple):
  """Squares of `side` from the top left on, numbered in row, column order.

  The last of a row or column may be smaller. Sizes are of the picture, all in pixels or
  all in multiples of them.
  """

  height: int
  width: int
  side: int

  @property
  def rows(self):
    """Rows of tiles."""
    return -(-self.height // self.side)

  @property
  def columns(self):
    """Columns of tiles."""
    return -(-self.width // self.side)

  @property
  def count(self):
    """How many tiles there are."""
    return self.rows * self.columns

  @property
  def whole(self):
    """The `Box` of the picture."""
    return Box(0, 0, self.height, self.width)

  def box(self, index):
    """Returns the `Box` of a tile."""
    row, column = divmod(index, self.columns)
    top, left = row * self.side, column * self.side
    return Box(top, left, top + self.side, left + self.side).common(self.whole)

  def touched(self, box):
    """Returns the list of the tiles that a box within the picture has a part in."""
    rows = range(box.top // self.side, -(-box.bottom // self.side))
    columns = range(box.left // self.side, -(-box.right // self.side))
    return [row * self.columns + column for row in rows for column in columns]
