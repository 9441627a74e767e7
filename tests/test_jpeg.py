"""A JPEG of given integers is what every decoder takes it for."""

import io
import itertools

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from tests.conftest import make_image
from tfc_models.bitstream import huffman, jpeg, trellis
from tfc_models.errors import UsageError

TABLES = np.stack([np.full((8, 8), 7), 3 + np.arange(64).reshape(8, 8)])


def blocks_of(image, tables):
  """Returns quantised coefficients of a uint8 image, without this package."""
  height, width, depth = image.shape
  image = np.pad(
      image, [(0, -height % 8), (0, -width % 8), (0, 0)], "edge").astype(float)
  if depth == 3:
    r, g, b = np.moveaxis(image, -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    image = np.stack(
        [y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402], axis=-1)
  rows, columns = image.shape[0] // 8, image.shape[1] // 8
  blocks = (image - 128).reshape(rows, 8, columns, 8, depth).transpose(0, 2, 4, 1, 3)
  steps = tables[[0, 1, 1][:depth]]
  return np.round(scipy.fft.dctn(blocks, axes=(3, 4), norm="ortho") / steps).astype(int)


def pixels_of(blocks, tables, height, width):
  """Returns the floats that a decoder rounds, likewise."""
  rows, columns, depth = blocks.shape[:3]
  planes = scipy.fft.idctn(
      blocks * tables[[0, 1, 1][:depth]], axes=(3, 4), norm="ortho")
  planes = planes.transpose(0, 3, 1, 4, 2).reshape(8 * rows, 8 * columns, depth)
  if depth == 3:
    y, cb, cr = np.moveaxis(planes, -1, 0)
    r, b = y + 1.402 * cr, y + 1.772 * cb
    planes = np.stack([r, (y - 0.299 * r - 0.114 * b) / 0.587, b], axis=-1)
  return np.clip(planes + 128, 0, 255)[:height, :width]


@pytest.mark.parametrize("height, width, depth", [
    (1, 1, 3), (8, 8, 1), (17, 33, 3), (64, 40, 1), (65, 127, 3)])
def test_pillow_decodes_what_numpy_does(height, width, depth):
  image = make_image(height, width, depth)
  blocks = blocks_of(image, TABLES)
  data = jpeg.write(blocks, TABLES, height, width)
  decoded = Image.open(io.BytesIO(data))
  assert decoded.mode == {1: "L", 3: "RGB"}[depth]
  found = np.asarray(decoded).reshape(height, width, depth)
  expected = pixels_of(blocks, TABLES, height, width)
  assert np.abs(found - expected).max() <= 2
  assert [list(decoded.quantization[n]) for n in sorted(decoded.quantization)] == [
      list(table.reshape(-1)) for table in TABLES[:1 if depth == 1 else 2]]


def test_extreme_and_empty_blocks_are_coded():
  rng = np.random.default_rng(0)
  blocks = np.zeros((6, 7, 3, 8, 8), int)
  blocks[0] = rng.integers(-20, 21, blocks[0].shape)
  blocks[1, ..., 7, 7] = 1  # 62 zeros and no end of block.
  blocks[2, ..., 0, 1] = -1
  blocks[3, ..., 0, 0] = rng.choice([-64, 63], blocks[3, ..., 0, 0].shape)
  blocks[4, ..., 4, 4] = rng.integers(-9, 9, blocks[4, ..., 4, 4].shape)
  tables = np.full((2, 8, 8), 2)
  image = Image.open(io.BytesIO(jpeg.write(blocks, tables, 48, 56)))
  # Pillow's own conversion loses nothing here that a wrong symbol would not.
  found = np.asarray(image.convert("RGB"))
  assert np.abs(found - pixels_of(blocks, tables, 48, 56)).max() <= 2


def test_huffman_codes_are_the_shortest():
  rng = np.random.default_rng(1)
  counts = np.where(rng.random(256) < 0.4, rng.geometric(0.02, 256), 0)
  _, lengths = huffman.codes(huffman.best(counts))
  assert np.all((lengths > 0) == (counts > 0)) and lengths.max() <= 16
  # Of a code that need not reserve the word of ones, by its definition.
  heap = sorted(int(count) for count in counts if count)
  total = 0
  while len(heap) > 1:
    pair, heap = heap[0] + heap[1], heap[2:]
    total, heap = total + pair, sorted([*heap, pair])
  assert total <= np.sum(counts * lengths) <= 1.001 * total


@pytest.mark.parametrize("counts", [
    {}, {7: 1}, {0: 3, 9: 3}, {n: 1 << n for n in range(40)}, {n: 1 for n in range(256)}])
def test_huffman_codes_are_valid(counts):
  table = huffman.best([counts.get(symbol, 0) for symbol in range(256)])
  words, lengths = huffman.codes(table)
  used = np.flatnonzero(lengths)
  assert set(used) == (set(counts) or {0}) and lengths.max() <= 16
  texts = sorted(format(words[s], f"0{lengths[s]}b") for s in used)
  assert all(not b.startswith(a) for a, b in zip(texts, texts[1:]))
  assert all("0" in text for text in texts)  # Bytes of ones are markers.


def test_files_are_not_larger_than_those_of_libjpeg():
  image = make_image(96, 128, seed=3)
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, "JPEG", quality=60, subsampling=0, optimize=True)
  tables = np.array([Image.open(buffer).quantization[n] for n in (0, 1)])
  tables = tables.reshape(2, 8, 8)
  ours = jpeg.write(blocks_of(image, tables), tables, 96, 128)
  assert len(ours) < 1.005 * len(buffer.getvalue())


def test_a_path_finds_the_least_of_bits_and_errors():
  """Of all ways to round the coefficients of a block down or up towards zero."""
  rng = np.random.default_rng(5)
  block = np.zeros(64)
  block[jpeg.ZIGZAG[[1, 2, 5, 20, 41, 63]]] = [2.4, -0.8, 1.2, 0.9, -0.6, 0.7]
  tables = np.full((1, 8, 8), 10)
  others = np.rint(rng.laplace(0.0, 0.7, (4, 5, 1, 8, 8)))
  others[0, 0, 0] = block.reshape(8, 8)
  worth = 0.03

  def loss(found):
    counts = jpeg.counted(jpeg.symbols_of(np.rint(others).astype(int), 1))
    _, lengths = huffman.codes(huffman.best(counts[huffman.AC, 0]))
    symbols = jpeg.symbols_of(found.reshape(1, 1, 1, 8, 8), 1)
    is_ac = symbols.kind == huffman.AC
    costs = np.where(lengths, lengths, 18)[symbols.symbol[is_ac]]
    errors = 100.0 * np.sum((found.reshape(-1) - block) ** 2)
    return np.sum(costs + jpeg.size_of(symbols.value[is_ac])) + worth * errors

  sites = np.flatnonzero(block)
  least = np.inf
  for choice in itertools.product(*[
      (np.rint(v), np.sign(v) * max(abs(np.rint(v)) - 1, 0)) for v in block[sites]]):
    found = np.zeros(64, int)
    found[sites] = choice
    least = min(least, loss(found))
  found = trellis.optimize(others, tables, [worth])[0, 0, 0]
  assert loss(found) == pytest.approx(least)
  assert loss(found) < loss(np.rint(block).astype(int)) - 1.0


def test_metadata_comes_back():
  profile = bytes(range(256)) * 400  # More than a segment.
  data = jpeg.write(np.zeros((1, 1, 1, 8, 8), int), TABLES, 8, 8, {
      "icc": profile, "exif": b"MM\0*\0\0\0\x08\0\0\0\0\0\0", "xmp": b"<x/>"})
  info = Image.open(io.BytesIO(data)).info
  assert info["icc_profile"] == profile
  assert info["exif"].endswith(b"MM\0*\0\0\0\x08\0\0\0\0\0\0")
  assert info["xmp"] == b"<x/>"


def test_what_jpeg_cannot_say_is_refused():
  blocks = np.zeros((1, 1, 1, 8, 8), int)
  for site, value in ((0, 2048), (1, 1024), (63, -1024)):
    wrong = blocks.copy()
    wrong.reshape(-1)[site] = value
    with pytest.raises(UsageError, match="beyond what baseline JPEG can say"):
      jpeg.write(wrong, TABLES, 8, 8)
  with pytest.raises(UsageError, match="65535"):
    jpeg.write(np.zeros((1, 8192, 1, 8, 8), int), TABLES, 1, 65536)
  with pytest.raises(ValueError, match="coefficients"):
    jpeg.write(blocks, TABLES, 9, 8)
  with pytest.raises(ValueError, match="tables"):
    jpeg.write(blocks, 0 * TABLES, 8, 8)
  with pytest.raises(UsageError, match="of exif do not fit"):
    jpeg.write(blocks, TABLES, 8, 8, {"exif": bytes(70_000)})
