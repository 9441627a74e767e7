"""What exports are made of: images, container and integers in graphs, versions."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conftest import make_image
from tfc_models import bitstream
from tfc_models.datasets.files import image_bytes, read_image
from tfc_models.export import images, transport, versions
from tfc_models.export.container import Container
from tfc_models.serving.repository import find_versions


@pytest.fixture(scope="module")
def decode_image():
  return tf.function(
      lambda data: images.decode(data, 10_000), autograph=False,
      input_signature=[tf.TensorSpec([], tf.string)])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_graphs_turn_pictures_upright_as_the_library_does(
    decode_image, format, orientation):
  exif = Image.Exif()
  exif[0x010F], exif[0x0112] = "maker", orientation
  data = image_bytes(make_image(40, 50), format, "image", exif=exif)
  np.testing.assert_array_equal(decode_image(tf.constant(data)), read_image(data))


def test_graphs_refuse_what_a_codec_would_drop(decode_image):
  def file(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()

  picture = Image.fromarray(make_image(40, 50))
  for data, reason in (
      (file(picture.convert("RGBA"), "PNG"), "alpha channel"),
      (file(picture.convert("P"), "PNG", transparency=0), "transparent"),
      (file(Image.fromarray(np.zeros((9, 9), np.uint16)), "PNG"), "16 bits"),
      (file(picture, "PNG", save_all=True, append_images=[picture.rotate(9)]),
       "animation"),
      (file(picture.convert("CMYK"), "JPEG"), "other channels"),
      (file(picture.resize((200, 100)), "PNG"), "more than 10000 pixels"),
      (file(picture.resize((200, 100)), "JPEG"), "more than 10000 pixels"),
      (file(picture, "GIF"), "neither PNG nor JPEG"), (b"", "neither PNG nor JPEG"),
      (file(picture, "JPEG")[:200], "JPEG"), (file(picture, "PNG")[:200], "PNG")):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
      decode_image(tf.constant(data))


@pytest.mark.parametrize("template", [
    [bitstream.Chunk(bitstream.LATENT, 0, (b"", b""))],
    [bitstream.Chunk(bitstream.PREDICTED_ITERATION, t, (b"", b"")) for t in range(3)]])
def test_the_container_in_graphs_is_that_of_the_format(template):
  random = np.random.default_rng(0)
  header = bitstream.Header(
      "model", b"abcd", 300, 100, settings={"quality": 7, "model": b"xy"})
  container = Container(header, template)
  chunks = [chunk._replace(strings=tuple(
      random.bytes(size) for size in (3, 70_000))) for chunk in template]
  read = tf.function(
      lambda data: container.read(data, 2**20), autograph=False,
      input_signature=[tf.TensorSpec([], tf.string)])
  for some in (chunks, chunks[:1]):
    data = bitstream.write(header, some)
    assert container.write(
        *map(tf.constant, (300, 100, 3)),
        [[tf.constant(s) for s in chunk.strings] for chunk in some]).numpy() == data
    found = read(tf.constant(data))
    assert (found.height, found.width, found.channels, found.count) == (
        300, 100, 3, len(some))
    for chunk, strings in zip(some, found.strings):
      assert tuple(string.numpy() for string in strings) == chunk.strings


def test_a_damaged_file_is_refused_by_the_container_in_graphs():
  random = np.random.default_rng(1)
  header = bitstream.Header("model", b"abcd", 30, 40, settings={"quality": 7})
  chunk = bitstream.Chunk(bitstream.LATENT, 0, (random.bytes(40), random.bytes(9)))
  container = Container(header, [chunk])
  read = tf.function(
      lambda data: container.read(data, 2**20), autograph=False,
      input_signature=[tf.TensorSpec([], tf.string)])
  data = bitstream.write(header, [chunk])
  for position in range(len(data)):
    changed = bytearray(data)
    changed[position] ^= 1 << random.integers(8)
    for damaged in (bytes(changed), data[:position]):
      with pytest.raises(tf.errors.InvalidArgumentError):
        read(tf.constant(damaged))
  claims = bitstream.write(bitstream.Header("model", b"abcd", 2000, 2000), [chunk])
  with pytest.raises(tf.errors.InvalidArgumentError, match="limit of pixels"):
    read(tf.constant(claims))


def test_integers_travel_as_they_are():
  random = np.random.default_rng(2)
  for low, high in ((-3, 4), (-2**15, 2**15)):
    symbols = random.integers(low, high, (5, 7, 6)).astype(np.int32)
    np.testing.assert_array_equal(
        transport.unpack_symbols(transport.pack_symbols(tf.constant(symbols)), 6),
        symbols)
  for high in (256, 2**16):
    indexes = random.integers(0, high, (5, 7, 6)).astype(np.int32)
    np.testing.assert_array_equal(
        transport.unpack_indexes(transport.pack_indexes(tf.constant(indexes)), 6),
        indexes)
  with pytest.raises(tf.errors.InvalidArgumentError, match="beyond 16 bits"):
    transport.pack_symbols(tf.constant([[[2**15]]]))


@pytest.mark.parametrize("name, number", [
    ("7", 7), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("\u00b2", None),
    ("\u0663", None), ("-1", None), ("1.5", None), ("", None), ("v1", None)])
def test_writers_and_servers_count_the_same_folders_as_versions(name, number, tmp_path):
  assert versions.number_of(name) == number
  version = tmp_path / name
  if name:
    version.mkdir()
    (version / "saved_model.pb").touch()
  found = [] if number is None else [number]
  assert versions.numbers(tmp_path) == found == [*find_versions(tmp_path)]
