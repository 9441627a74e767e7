"""Pictures in tiles: decoded as in one piece, in parts if wanted, and read with doubt."""

import dataclasses
import json
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream
from tfc_models.bitstream import LATENT, TILE, Box, Chunk, Grid
from tfc_models.codecs import (
    FileOptions,
    LearnedCodec,
    StreamDecoder,
    checks,
    open_weights,
    planes,
    tiles,
)
from tfc_models.datasets import deep_files
from tfc_models.errors import BitstreamError, TooLargeError, UsageError
from tfc_models.modeling.settings import Settings
from tfc_models.models.families import tiling
from tfc_models.ops.receptive import reach
from tfc_models.serving.client import Client

SIDE = 96
IMAGE = make_image(200, 290)
COUNT = 12  # In 3 rows, the last of 8 pixels that are padded to 32.
TILES = FileOptions(tile=SIDE)
QUICK = Settings(effort=1)


@pytest.fixture(scope="module")
def codec():
  model = suite.tiny("tfcm-base")
  model.lmbda = 0.004
  for number, block in enumerate(model.synthesis_blocks):  # They start as zero.
    shape = block.expand.kernel.shape
    block.expand.kernel.assign(0.1 * tf.random.stateless_normal(shape, (number, 0)))
  return LearnedCodec(model, b"abcd")


@pytest.fixture(scope="module")
def file(codec):
  return codec.encode_file(IMAGE, QUICK, TILES)


@pytest.fixture(scope="module")
def decoded(codec, file):
  return codec.decode(file.data)


def changed(file, chunks, **settings):
  header = dataclasses.replace(
      file.header, settings={**file.header.settings, **settings})
  return bitstream.write(header, chunks)


# Geometry.


def test_tiles_cover_a_picture_once():
  grid, seen = Grid(7, 10, 4), np.zeros((7, 10), int)
  for index in range(grid.count):
    grid.box(index).of(seen)[:] += 1 + index
  np.testing.assert_array_equal(seen, np.kron(
      [[1, 2, 3], [4, 5, 6]], np.ones((4, 4), int))[:7, :10])
  assert grid.touched(Box(3, 4, 5, 9)) == [1, 2, 4, 5]
  assert grid.touched(Box(0, 0, 4, 4)) == [0]


@pytest.mark.parametrize("size, before, after", [(1, 0, 0), (4, 1, 2), (5, 2, 2)])
def test_the_reach_of_a_convolution_is_that_of_its_kernel(size, before, after):
  kernel = tf.zeros((size, size, 3, 5))  # Whatever its weights are.
  found = reach(lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"), 1, 3, 1)
  assert found == (before, after)


def test_the_reach_of_what_sees_all_has_no_end():
  assert reach(lambda x: x + tf.reduce_mean(x, (1, 2), keepdims=True), 1, 3, 1) is None


# Pixels.


def test_tiles_are_decoded_as_the_whole_is(codec, file, decoded):
  """Their latents together give the same pixels in one synthesis, to the last bit."""
  model = codec.model
  told, grid = model.told(1), model.tiling._grid(200, 290, SIDE)
  y_hat = np.zeros((1, grid.height, grid.width, model.depth), np.float32)
  for index, chunk in enumerate(file.chunks):
    box = grid.box(index)
    box.of(y_hat, 1)[:] = model.tiling._decode(chunk, box, told)
  whole = model.to_image(model.synthesize(tf.constant(y_hat), *told), IMAGE.shape)
  np.testing.assert_array_equal(decoded, whole)


def test_the_latent_of_a_tile_is_that_of_the_whole(codec, monkeypatch):
  model, seen = codec.model, []
  refine = model.refinement.__class__.__call__
  monkeypatch.setattr(
      model.refinement.__class__, "__call__",
      lambda self, scene, y, *rest: seen.append((scene, y)) or refine(
          self, scene, y, *rest))
  model.tiling.compress(IMAGE, Settings(effort=2), SIDE)
  told, grid = model.told(1), model.tiling._grid(200, 290, SIDE)
  x = model.to_batch(IMAGE)
  y = model.analyze(x, *told)
  x_hat = model.synthesize(y, *told)
  for index, (scene, found) in enumerate(seen):
    np.testing.assert_allclose(found, grid.box(index).of(y, 1), atol=1e-4)
    # What an encoder compares is what the tile has a part in.
    shown = grid.box(index).grown(*reversed(model.tiling.reaches.synthesis), grid.whole)
    shown = shown.scaled(model.factor)
    np.testing.assert_array_equal(scene.x, shown.of(x, 1))
    np.testing.assert_allclose(
        scene.shown(model.synthesize, found, told), shown.of(x_hat, 1), atol=1e-4)


@pytest.mark.parametrize("region", [
    (0, 0, 290, 200), (100, 1, 80, 190), (95, 95, 2, 2), (289, 0, 1, 200),
    (250, 180, 37, 20)])
def test_a_region_is_the_same_part_of_the_whole(codec, file, decoded, region):
  left, top, width, height = region
  np.testing.assert_array_equal(
      codec.decode(file.data, region=region),
      decoded[top:top + height, left:left + width])


def test_a_region_decodes_the_tiles_that_it_needs(codec, file, monkeypatch):
  found, decode = [], tiling.Tiling._decode
  monkeypatch.setattr(tiling.Tiling, "_decode", lambda self, chunk, *rest: (
      found.append(chunk.index), decode(self, chunk, *rest))[1])
  codec.decode(file.data, region=(10, 10, 40, 40))
  assert found == [0]
  found.clear()
  codec.decode(file.data)
  assert sorted(found) == list(range(COUNT))  # Once each.


def test_latents_of_a_few_lines_are_held_at_a_time():
  grid, cells = Grid(80, 800, 10), Box(0, 0, 80, 800)
  parts = tiling._parts(cells, *tiling._part_size(grid))
  seen = [part.grown(2, 2, cells) for part in parts]
  latents = tiling._Latents(grid, seen, lambda needed: iter(
      [(index, np.zeros((1, 10, 10, 1), np.float32)) for index in needed]))
  most = 0
  for box in seen:
    assert latents.of(box, box).shape == (1, box.height, box.width, 1)
    most = max(most, len(latents._tiles))
  assert len(parts) > 500 and most < 2 * 8 + 3
  assert not latents._tiles


@pytest.mark.parametrize("height, width, rows, columns", [
    (129, 129, 2, 2), (128, 1280, 1, 10), (375, 500, 3, 4), (1000, 260, 8, 3)])
def test_no_window_is_for_the_sake_of_little(height, width, rows, columns):
  grid = Grid(height, width, 128)
  size = tiling._part_size(grid)
  parts = tiling._parts(grid.whole, *size)
  assert len(parts) == rows * columns == grid.count
  assert min(part.height for part in parts) >= height // rows - rows
  assert min(part.width for part in parts) >= width // columns - columns
  seen = np.zeros((height, width), int)
  for part in parts:
    part.of(seen)[:] += 1
  assert (seen == 1).all()


def test_the_next_tiles_are_decoded_while_one_is_shown():
  begun = [threading.Event() for _ in range(4)]
  found = tiling._ahead(lambda index: begun[index].set() or index, range(4), 1, 1)
  assert next(found) == 0
  assert begun[1].wait(10)  # Nobody asked for it.
  assert not begun[3].is_set()  # And for no more: they take memory.
  assert list(found) == [1, 2, 3]


def test_a_region_of_a_file_in_one_piece_is_cut_out(codec):
  data = codec.encode(IMAGE[:70, :90], QUICK)
  np.testing.assert_array_equal(
      codec.decode(data, region=(5, 6, 7, 8)), codec.decode(data)[6:14, 5:12])


@pytest.mark.parametrize("region", [
    (0, 0, 0, 5), (-1, 0, 5, 5), (280, 0, 11, 5), (0, 199, 5, 2)])
def test_regions_outside_are_refused(codec, file, region):
  with pytest.raises(UsageError, match="none of an image of 290x200"):
    codec.decode(file.data, region=region)


def test_jobs_change_nothing(codec, file, decoded):
  assert codec.encode_file(IMAGE, QUICK, TILES, jobs=3).data == file.data
  np.testing.assert_array_equal(codec.decode(file.data, jobs=3), decoded)


def test_grey_pictures_have_tiles_too(codec):
  image = IMAGE[:150, :200, :1]
  data = codec.encode(image, QUICK, TILES)
  assert codec.decode(data).shape == image.shape


@pytest.mark.parametrize("side, region", [(0, (90, 20, 40, 80)), (SIDE, (3, 97, 95, 3))])
def test_planes_lie_beside_tiles_and_are_cut_to_a_region(codec, side, region):
  noise = np.random.default_rng(0).integers(1, 256, (100, 130, 4))
  alpha = np.broadcast_to(np.arange(130), (100, 130))  # Smooth, none of it is 0.
  deep = (256 * np.dstack([IMAGE[:100, :130], alpha]) + noise).astype(np.uint16)
  data = codec.encode(deep, QUICK, FileOptions(tile=side))
  left, top, width, height = region
  part = np.s_[top:top + height, left:left + width]
  np.testing.assert_array_equal(codec.decode(data), deep)
  np.testing.assert_array_equal(codec.decode(data, region=region), deep[part])
  flat = codec.decode(data, depth=8)
  np.testing.assert_array_equal(
      flat[..., 3], planes.rescaled(deep, np.uint8)[..., 3])
  np.testing.assert_array_equal(codec.decode(data, depth=8, region=region), flat[part])


# What is coded in tiles.


def test_small_pictures_are_in_one_piece(codec, monkeypatch):
  plain = codec.encode(IMAGE, QUICK)
  assert bitstream.read(plain).chunks[0].type == LATENT
  assert codec.encode(IMAGE, QUICK, FileOptions(tile=0)) == plain
  assert codec.encode(IMAGE, QUICK, FileOptions(tile=320)) == plain
  monkeypatch.setattr(tiles, "TILED_ABOVE", 200 * 290 - 1)
  monkeypatch.setattr(tiles, "TILE", SIDE)
  assert bitstream.read(codec.encode(IMAGE, QUICK)).header.settings["tile"] == SIDE
  assert codec.encode(IMAGE, QUICK, FileOptions(tile=0)) == plain


def test_sides_that_do_not_fit_a_model_are_refused(codec):
  for side in (-32, 33, 100):
    with pytest.raises(UsageError, match="multiple of 32 for tfcm-base"):
      codec.encode(IMAGE, QUICK, FileOptions(tile=side))


def test_models_that_see_whole_pictures_have_no_tiles():
  with pytest.raises(UsageError, match="toderici2016 codes pictures as a whole"):
    tiles.side_of(suite.tiny("toderici2016"), 300, 300, 128)


@pytest.mark.slow
def test_attention_between_all_sites_has_no_tiles():
  nlaic = suite.tiny("nlaic")
  with pytest.raises(UsageError, match="nlaic looks at pictures as a whole"):
    tiles.side_of(nlaic, 300, 300, 128)
  assert tiles.side_of(nlaic, 9000, 9000) is None


def test_efforts_gain_in_tiles(codec):
  def loss(effort):
    image = IMAGE[:96, :192]
    file = codec.encode_file(image, Settings(effort=effort), TILES)
    error = np.sum(np.square(image.astype(float) - codec.decode(file.data)))
    return 8 * len(file.data) + codec.model.lmbda_at(50) / 3 * error

  assert loss(5) < 0.995 * loss(1)


@pytest.mark.slow
def test_a_target_takes_one_quality_for_all_tiles():
  codec = LearnedCodec(suite.tiny("tfcm-flex"), b"abcd")
  size = len(codec.encode(IMAGE, dataclasses.replace(QUICK, quality=40), TILES))
  options = dataclasses.replace(TILES, target_bytes=size)
  found = codec.encode_file(IMAGE, Settings(effort=1), options)
  assert len(found.data) <= size and len(found.chunks) == COUNT
  assert found.header.settings["quality"] >= 40


# Files.


def test_tiles_that_are_none_of_a_picture_are_refused(codec, file):
  chunks = file.chunks
  for found in (chunks[:-1], [*chunks, chunks[-1]._replace(index=COUNT)],
                [chunks[1], chunks[0], *chunks[2:]]):
    with pytest.raises(BitstreamError, match="has 12 tiles of 96"):
      codec.decode(changed(file, found))
  for side, reason in ((64, "has 20 tiles of 64"), (100, "multiple of 32")):
    with pytest.raises(BitstreamError, match=reason):
      codec.decode(changed(file, chunks, tile=side))
  plain = [Chunk(LATENT, 0, (b"", b""))]
  with pytest.raises(BitstreamError, match="holds something else"):
    codec.decode(changed(file, plain))
  header = dataclasses.replace(file.header, settings={})
  with pytest.raises(BitstreamError, match="reads latents or iterations"):
    codec.decode(bitstream.write(header, chunks))


def test_tiles_that_hold_something_else_are_refused(codec, file):
  def decoding(*inner):
    codec.decode(changed(file, [bitstream.nest(TILE, 0, inner), *file.chunks[1:]]))

  (latent,) = bitstream.unnest(file.chunks[0])
  for inner in ([latent, latent], [latent._replace(strings=latent.strings[:1])],
                [latent._replace(type=2)]):
    with pytest.raises(BitstreamError, match="latent strings"):
      decoding(*inner)
  # Strings of a tile of another size: their digest is of other tables.
  with pytest.raises(BitstreamError):
    decoding(*bitstream.unnest(file.chunks[-1]))


def test_a_header_of_no_side_is_refused(file):
  data = bytearray(file.data)
  place = data.index(bytes([5 << 2, SIDE]))
  data[place + 1] = 0
  with pytest.raises(BitstreamError):
    bitstream.read(bytes(data))


def test_limits_are_of_a_tile_and_an_eighth_of_the_picture(codec, file):
  codec.read(file.data, max_pixels=SIDE**2)
  with pytest.raises(TooLargeError, match="290x200 in tiles of 96 is beyond"):
    codec.read(file.data, max_pixels=SIDE**2 - 1)
  header = dataclasses.replace(
      file.header, height=2**14, width=2**14, settings={"tile": 1024})
  checks.check_pixels(header, 1, checks.MAX_PIXELS)
  checks.check_pixels(header, 1, 2**26, plane_count=1)
  with pytest.raises(TooLargeError):  # Planes are read whole.
    checks.check_pixels(header, 1, 2**26 - 1, plane_count=1)
  header.settings["tile"] = 2**13
  with pytest.raises(TooLargeError):
    checks.check_pixels(header, 1, checks.MAX_PIXELS)


def test_of_a_file_that_was_cut_the_first_tiles_are_shown(codec, file, decoded):
  cut = file.data[:-len(file.chunks[-1].strings[0]) - 3]
  with pytest.raises(BitstreamError):
    codec.decode(cut)
  found = codec.decode(cut, allow_partial=True)
  np.testing.assert_array_equal(found[:160], decoded[:160])
  assert found.shape == decoded.shape


def test_clients_of_servers_refuse_tiles(file):
  with pytest.raises(BitstreamError, match="in tiles, which servers do not decode"):
    Client.decompress(None, file.data)


# Commands.


@pytest.fixture
def warm(tiny_weights, monkeypatch):
  """Commands load weights once."""
  codec = open_weights(tiny_weights)
  decoder = StreamDecoder([tiny_weights])
  decoder._codecs[codec.fingerprint] = codec
  monkeypatch.setattr("tfc_models.codecs.StreamDecoder", lambda *_: decoder)
  monkeypatch.setattr("tfc_models.codecs.load", lambda *_, **__: codec)


def test_commands_code_tiles_and_decode_a_region(tmp_path, tiny_weights, warm):
  photo, stream, part = (tmp_path / name for name in ("a.png", "a.tfcm", "part.png"))
  Image.fromarray(IMAGE[:200, :280]).save(photo)
  words = "--model", tiny_weights, "--effort", "1", "--jobs", "2"
  assert tfcm("compress", photo, *words, "--tile", "128")[0] == 0
  code, out, _ = tfcm("info", stream)
  assert code == 0 and "tile=128" in out and out.count("chunk type 4") == 6
  assert json.loads(tfcm("info", stream, "--json")[1])["settings"]["tile"] == 128
  assert tfcm("decompress", stream, "-o", part, "--region", "100,20,50,40")[0] == 0
  assert Image.open(part).size == (50, 40)
  fails(1, "is no region", "decompress", stream, "--region", "1,2,3")
  fails(1, "multiple of 32", "compress", photo, "--overwrite", *words, "--tile", "40")


def test_commands_cut_transparency_and_16_bits_to_a_region(tmp_path, tiny_weights, warm):
  clear, deep = IMAGE[:70, :80], IMAGE[:70, :80, :1] * np.uint16(256) + 7
  alpha = np.broadcast_to(np.arange(80, dtype=np.uint8) + 1, (70, 80))
  Image.fromarray(np.dstack([clear, alpha])).save(tmp_path / "clear.png")
  (tmp_path / "deep.png").write_bytes(deep_files.file_bytes(deep, "PNG"))
  assert tfcm("compress", tmp_path / "clear.png", tmp_path / "deep.png", "--depth", "16",
              "--model", tiny_weights, "--tile", "64", "--effort", "1")[0] == 0

  cut = np.s_[10:70, 60:69]
  words = "--region", "60,10,9,60", "-o", tmp_path / "part.png", "--overwrite"

  def part(name, *more):
    assert tfcm("decompress", tmp_path / name, *words, *more)[0] == 0
    return np.asarray(Image.open(tmp_path / "part.png"))

  found = part("clear.tfcm")
  assert found.shape == (60, 9, 4)
  np.testing.assert_array_equal(found[..., 3], alpha[cut])
  np.testing.assert_array_equal(part("deep.tfcm"), deep[..., 0][cut])
  flat = part("deep.tfcm", "--depth", "8")
  assert flat.shape == (60, 9) and flat.dtype == np.uint8
