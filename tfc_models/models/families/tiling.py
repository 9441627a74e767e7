"""Pictures in tiles: latents in strings of their own, transforms across the borders.

A tile is coded by its own part of y, side latent and context included, so that it can
be decoded by itself. Both transforms run on windows that reach as far beyond a tile as
they can see: y of a tile is that of the whole picture, and so is x_hat of all y_hat, to
the last bit where convolutions add up in the same order whatever the size of an image.
What memory holds is of a few tiles, and the uint8 picture.

All boxes are in cells, squares of `factor` pixels that belong to one site of y.
"""

import collections
import concurrent.futures
import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfc_models.bitstream import TILE, Box, Chunk, Grid, nest, unnest
from tfc_models.errors import UsageError
from tfc_models.modeling import base
from tfc_models.modeling.model import written
from tfc_models.models.families.refinement_state import Scene
from tfc_models.ops import image as image_ops
from tfc_models.ops import padding, probe
from tfc_models.ops.receptive import Reach, reach

# Of pixels that a file lacks.
_GREY = 128


class Reaches(NamedTuple):
  """Of both transforms, in cells; None where one has no end.

  Attributes:
    analysis: of a site of y, in cells of x.
    synthesis: of a cell of x_hat, in sites of y_hat.
  """

  analysis: Reach
  synthesis: Reach


class Tiling:
  """Codes pictures in tiles with a `TransformModel`."""

  def __init__(self, model):
    self._model = model

  @functools.cached_property
  def reaches(self) -> Reaches:
    """The `Reaches`, measured once."""
    model = self._model
    told, side = model.told(1), model.downsampling_factor
    y = model.analyze(tf.zeros((1, side, side, 3)), *told)
    y_hat, _ = model.latent_codec(y, *told)
    return Reaches(
        reach(lambda x: model.analyze(x, *told), model.factor, 3, 1),
        reach(lambda y: model.synthesize(y, *told), 1, y_hat.shape[-1], model.factor))

  @property
  def is_possible(self) -> bool:
    """Whether both transforms see a limited part of a picture."""
    return None not in self.reaches

  def check(self, side):
    """Raises UsageError unless tiles may have `side` pixels a side."""
    name, factor = self._model.registered_name, self._model.downsampling_factor
    if side < 1 or side % factor:
      raise UsageError(
          f"tile must be a multiple of {factor} for {name}, got {side}", argument="tile")
    if not self.is_possible:
      raise UsageError(
          f"{name} looks at pictures as a whole, it cannot code them in tiles",
          argument="tile")

  def compress(self, image, settings, side, jobs=1) -> list[Chunk]:
    """Returns the chunks of a picture, one of type tile for each.

    Args:
      image: uint8 (H, W, 1 or 3).
      settings: `Settings`.
      side: pixels, a multiple of `downsampling_factor`.
      jobs: tiles at a time; it makes no difference to what is returned.
    """
    grid = self._grid(*image.shape[:2], side)

    def coded(index):
      with probe.span("model"):
        chunk = self._encode(image, grid, grid.box(index), settings)
      return nest(TILE, index, [chunk])

    chunks = []
    for chunk in _ahead(coded, range(grid.count), jobs):
      chunks.append(chunk)
      probe.note("tile", (len(chunks), grid.count))
    return chunks

  def decompress(self, chunks, header, region=None, jobs=1) -> np.ndarray:
    """Returns the uint8 image (H, W, 1 or 3), or a part of it.

    Args:
      chunks: of `compress`; of a file that was cut, the first of them; latents of the
        others are then zero.
      header: `Header` with the setting `tile`.
      region: `Box` in pixels, None for all; it takes time and memory in proportion.
      jobs: tiles at a time, and one more in the meantime.

    Raises:
      BitstreamError: if a tile is damaged.
    """
    model, factor = self._model, self._model.factor
    region = region or Box(0, 0, header.height, header.width)
    grid = self._grid(header.height, header.width, header.settings["tile"])
    told = model.told(1, header.settings.get("quality"))
    parts = _parts(Box(
        region.top // factor, region.left // factor,
        -(-region.bottom // factor), -(-region.right // factor)), *_part_size(grid))
    reach = self.reaches.synthesis
    seen = [part.grown(reach.before, reach.after, grid.whole) for part in parts]

    def decoded(index):
      if index >= len(chunks):
        return index, None
      with probe.span("model"):
        return index, self._decode(chunks[index], grid.box(index), told)

    image = np.full((region.height, region.width, header.channels), _GREY, np.uint8)
    # Of a single part nothing is shown before all is decoded: two threads do that.
    threads, more = (jobs, 1) if len(parts) > 1 else (jobs + 1, 0)
    latents = _Latents(
        grid, seen, lambda needed: _ahead(decoded, needed, threads, more))
    for number, (part, box) in enumerate(zip(parts, seen)):
      window = self._window(grid, box)
      y_hat = latents.of(box, window)
      if y_hat is not None:
        with probe.span("model"):
          x_hat = model.synthesize(tf.constant(y_hat), *told)
        pixels = part.scaled(factor).common(region)
        pixels.within(region).of(image)[:] = model.to_image(
            pixels.within(window.scaled(factor)).of(x_hat, 1),
            (pixels.height, pixels.width, header.channels))
      probe.note("tile", (number + 1, len(parts)))
    return image

  def _window(self, grid, box):
    """Returns the `Box` that a synthesis runs on for the sake of what lies in another.

    All of a picture are of one size, since sums of convolutions may be in an order that
    depends on it.
    """
    more = sum(self.reaches.synthesis)
    height, width = (
        min(size + more, whole) for size, whole in zip(_part_size(grid), grid))
    top, left = min(box.top, grid.height - height), min(box.left, grid.width - width)
    return Box(top, left, top + height, left + width)

  def _grid(self, height, width, side):
    """Returns the `Grid` of a padded picture."""
    model = self._model
    return Grid(*(
        padding.padded_size(size, model.downsampling_factor) // model.factor
        for size in (height, width)), side // model.factor)

  def _encode(self, image, grid, box, settings):
    """Returns the chunk, of type latent, of a tile."""
    model, (analysis, synthesis) = self._model, self.reaches
    told, around, shown = model.told(1, settings.quality), box, box
    if model.refinement.looks(settings):
      # All that y of the tile has a part in, and what else has a part in that.
      shown = box.grown(synthesis.after, synthesis.before, grid.whole)
      around = shown.grown(synthesis.before, synthesis.after, grid.whole)
    window = around.grown(analysis.before, analysis.after, grid.whole)
    x = image_ops.rgb_batch(_pixels(image, window.scaled(model.factor)))
    y = around.within(window).of(model.analyze(x, *told), 1)
    place, top_left = box.within(around), shown.within(around).scaled(model.factor)
    scene = Scene(
        shown.within(window).scaled(model.factor).of(x, 1), y,
        tf.constant([*place[:2], *top_left[:2]]))
    choice = model.refinement(scene, place.of(y, 1), told, settings)
    return written(base.latent_chunk(
        model.latent_codec.write_all(choice.symbols())))

  def _decode(self, chunk, box, told):
    """Returns y_hat of a tile, (1, H, W, C)."""
    model = self._model
    strings = base.latent_strings(unnest(chunk), len(model.latents))
    return model.latent_codec.decompress(
        strings, [box.height, box.width, model.depth], *told).numpy()


def _pixels(image, box):
  """Returns the part of an image; edges are repeated beyond its bottom and right."""
  found = box.of(image)
  return np.pad(found, [
      (0, box.height - found.shape[0]), (0, box.width - found.shape[1]), (0, 0)],
      mode="edge")


def _part_size(grid):
  """Returns height and width, in cells, of what one synthesis is for, about a tile.

  Those of a picture are about equal, so that no window is for the sake of little. One
  cell more than that takes, since regions begin and end within cells.
  """
  return [-(-size // count) + 1 for size, count in (
      (grid.height, grid.rows), (grid.width, grid.columns))]


def _parts(cells, height, width):
  """Returns the list of `Box` to decode a box in, of a size at most.

  Tiles of a line are kept until the next line has seen them: short lines come first.
  """
  rows = range(cells.top, cells.bottom, height)
  columns = range(cells.left, cells.right, width)
  found = [Box(top, left, top + height, left + width).common(cells)
           for top in rows for left in columns]
  if len(columns) > len(rows):
    found.sort(key=lambda part: (part.left, part.top))
  return found


class _Latents:
  """Latents of tiles, decoded before they are first seen, dropped after the last time.

  Args:
    grid: `Grid`.
    seen: list of `Box`, what will be asked for, in that order.
    decode: function of a list of tiles to an iterator of them with their y_hat, (1, H,
      W, C), or None for what is not there.
  """

  def __init__(self, grid, seen, decode):
    self._grid = grid
    self._last = {index: box for box in seen for index in grid.touched(box)}
    self._found = decode(list(dict.fromkeys(
        index for box in seen for index in grid.touched(box))))
    self._tiles = {}

  def of(self, box, window):
    """Returns the y_hat of a window, (1, H, W, C), known in a box at least.

    None if nothing is there.
    """
    y_hat, touched = None, self._grid.touched(box)
    while not self._tiles.keys() >= set(touched):
      index, tile = next(self._found)
      self._tiles[index] = tile
    for index in touched:
      tile, place = self._tiles[index], self._grid.box(index)
      if tile is not None:
        if y_hat is None:
          y_hat = np.zeros((1, window.height, window.width, tile.shape[-1]), np.float32)
        common = place.common(window)
        common.within(window).of(y_hat, 1)[:] = common.within(place).of(tile, 1)
      if self._last[index] is box:
        del self._tiles[index]
    return y_hat


def _ahead(function, items, jobs, more=0):
  """Yields what a function returns of items, in their order, so many at a time.

  Args:
    function: of an item.
    items: sized iterable.
    jobs: threads.
    more: so many results beyond are waited for while one is used.
  """
  if jobs + more == 1:
    yield from map(function, items)
    return
  with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    waiting = collections.deque()
    for item in items:
      waiting.append(pool.submit(function, item))
      if len(waiting) == jobs + more:
        yield waiting.popleft().result()
    while waiting:
      yield waiting.popleft().result()
