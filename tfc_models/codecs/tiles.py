"""Which pictures are coded in tiles, and which part of one is decoded."""

from tfc_models.bitstream import Box
from tfc_models.errors import UsageError

# Pixels a side, where nobody asks for others: bits of photographs at quality 50 are
# 0.3 % more than in one piece, and a region takes little beside itself.
TILE = 1024
# Pictures of more pixels are coded in tiles, where nobody says: in one piece they would
# take more than 3 GB; those that codecs are compared on, up to 2048x2048, do not.
TILED_ABOVE = 2**22


def side_of(model, height, width, asked=None):
  """Returns the side of tiles for a picture, in pixels; None to code it in one.

  Args:
    model: `CompressionModel`.
    height, width: of the picture.
    asked: of `FileOptions.tile`.

  Raises:
    UsageError: if the model cannot do what is asked for.
  """
  if asked is None:
    is_large = height * width > TILED_ABOVE
    return TILE if is_large and model.tiling and model.tiling.is_possible else None
  if asked == 0:
    return None
  if model.tiling is None:
    raise UsageError(
        f"{model.registered_name} codes pictures as a whole, not in tiles",
        argument="tile")
  model.tiling.check(asked)
  return None if max(height, width) <= asked else asked


def box_of(region, height, width):
  """Returns the `Box` of a region, a tuple of left, top, width, height in pixels.

  Raises:
    UsageError: if it is empty, or leaves the picture.
  """
  left, top, columns, rows = region
  if left < 0 or top < 0 or columns < 1 or rows < 1 or (
      left + columns > width or top + rows > height):
    raise UsageError(
        f"a region of {columns}x{rows} pixels at {left},{top} is none of an image of "
        f"{width}x{height}", argument="region")
  return Box(top, left, top + rows, left + columns)
