"""A bound on the rate, masks of what is kept, and files that say what they are."""

import io
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfc_models.pillow as plugin
from tests.conformance import suite
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models import bitstream, codecs, configs, metrics, registry
from tfc_models.bitstream import mask
from tfc_models.codecs import FileOptions, LearnedCodec
from tfc_models.entropy_models import FrequencyCodec
from tfc_models.errors import BitstreamError, UsageError
from tfc_models.modeling import weights
from tfc_models.modeling.model import ModelOutput
from tfc_models.modeling.settings import Settings, TrainingContext
from tfc_models.ops.noise import Noise

CENTRES = np.arange(-2.0, 3.0)
IMAGE = make_image(150, 210)
NOISE = Noise(0, 0, tf.range(1))


def box(height=150, width=210):
  """A mask of a part in the middle."""
  keep = np.zeros((height, width), bool)
  keep[40:90, 70:130] = True
  return keep


@pytest.fixture(scope="module")
def model():
  return suite.tiny("agustsson2019")


@pytest.fixture(scope="module")
def codec(model):
  return LearnedCodec(model, b"abcd")


# The latent codec.


def prepared(depth=3, **options):
  found = FrequencyCodec(CENTRES, depth, **options)
  found.logits.assign(np.linspace(-4.0, 4.0, 5 * depth).reshape(depth, 5))
  found.fix_tables()
  return found


def drawn(codec, count):
  """A latent as the frequencies say, (1, count, 1, C)."""
  odds = tf.nn.softmax(codec.logits).numpy().astype(np.float64)
  rng = np.random.default_rng(0)
  return tf.constant(np.stack([
      rng.choice(CENTRES, count, p=row / row.sum()) for row in odds],
      axis=-1)[None, :, None], tf.float32)


def test_symbols_take_the_bits_of_their_frequencies():
  codec = prepared()
  y = drawn(codec, 4000)
  (string,), y_hat = codec.compress(y)
  np.testing.assert_array_equal(y_hat, y)
  np.testing.assert_array_equal(codec.decompress([string], y.shape[1:]), y)
  _, bits = codec(y)
  assert 8 * len(string[0].numpy()) == pytest.approx(float(bits["y"][0]), rel=0.002, abs=32)
  assert float(bits["y"][0]) < 0.9 * 12000 * math.log2(5.0)


@pytest.mark.parametrize("seed", range(3))
def test_no_string_takes_more_than_all_centres_alike(seed):
  """Whatever the frequencies are that were learned."""
  codec = prepared()
  y = tf.constant(np.random.default_rng(seed).choice(
      CENTRES[:2 + seed], (2, 20, 31, 3)), tf.float32)
  strings, _ = codec.compress(y)
  np.testing.assert_array_equal(codec.decompress(strings, y.shape[1:]), y)
  most = 20 * 31 * 3 * math.log2(5.0) / 8.0 + 3.0
  assert max(len(string) for string in strings[0].numpy()) <= most
  assert float(tf.reduce_max(codec(y)[1]["y"])) <= most * 8.0


def test_bits_reach_the_frequencies_and_by_their_weight_the_latent():
  y = tf.constant(np.random.default_rng(0).normal(0, 1.3, (1, 5, 6, 3)), tf.float32)
  found = {}
  for entropy in (0.0, 0.5, 1.0):
    codec = prepared(entropy=entropy)
    with tf.GradientTape(persistent=True) as tape:
      tape.watch(y)
      y_hat, bits = codec.price(y, noise=NOISE)
      total = tf.reduce_sum(bits)
    found[entropy] = tape.gradient(total, y)
    np.testing.assert_allclose(bits, codec.price(y, noise=Noise(1, 2, tf.range(1)))[1])
    np.testing.assert_array_equal(y_hat, codec.on_grid(y))
    assert np.any(tape.gradient(total, codec.logits))
    assert np.any(tape.gradient(y_hat, y))
  assert found[0.0] is None
  np.testing.assert_allclose(found[1.0], 2.0 * found[0.5], rtol=1e-4)
  assert np.any(found[1.0])


def test_what_a_mask_leaves_out_is_zero_and_takes_no_bits():
  codec = prepared()
  y = drawn(codec, 900)
  y = tf.reshape(y, [1, 30, 30, 3])
  kept = np.zeros((1, 30, 30, 1), np.float32)
  kept[:, 10:20, 5:15] = 1.0
  (string,), y_hat = codec.compress(y, kept)
  np.testing.assert_array_equal(y_hat, kept * y)
  np.testing.assert_array_equal(codec.decompress([string], y.shape[1:], kept), y_hat)
  part = y[:, 10:20, 5:15]
  assert abs(len(string[0].numpy()) - len(codec.compress(part)[0][0][0].numpy())) <= 1
  np.testing.assert_allclose(
      codec(y, kept)[1]["y"], codec(part)[1]["y"], rtol=1e-5)


def test_boxes_are_drawn_for_a_share_of_the_samples():
  codec = prepared(boxes=0.25)
  y = tf.zeros([200, 6, 9, 3])
  kept = codec.draw(y, Noise(0, 1, tf.range(200))).numpy()[..., 0]
  whole = kept.reshape(200, -1).min(axis=1) == 1.0
  assert 0.68 < whole.mean() < 0.82
  assert set(np.unique(kept)) == {0.0, 1.0} and kept.max(axis=(1, 2)).min() == 1.0
  for one in kept:  # Boxes, and nothing else.
    rows, columns = one.max(axis=1), one.max(axis=0)
    np.testing.assert_array_equal(one, rows[:, None] * columns)
    assert np.abs(np.diff(rows, prepend=0, append=0)).sum() == 2.0
  # At every side, and of every size.
  part = kept[~whole]
  assert part.mean(axis=0).min() > 0.03 and len(np.unique(part.sum(axis=(1, 2)))) > 15


# Masks.


@pytest.mark.parametrize("height, width", [(1, 1), (1, 90), (33, 1), (24, 31)])
def test_masks_are_read_as_written(height, width):
  rng = np.random.default_rng(height)
  for sites in (rng.random((height, width)) > 0.5, np.ones((height, width), bool),
                np.zeros((height, width), bool)):
    data = mask.write(sites, 16)
    found, side = mask.read(data, 16 * height - 7, 16 * width)
    np.testing.assert_array_equal(found, sites)
    assert side == 16 and len(data) <= 5 + height * width // 6


def test_a_mask_of_a_box_takes_few_bytes():
  sites = np.zeros((32, 48), bool)
  sites[8:19, 16:32] = True
  assert len(mask.write(sites, 16)) <= 8


def test_any_bytes_are_a_mask_or_an_error():
  rng = np.random.default_rng(0)
  for size in range(60):
    data = rng.bytes(size % 12)
    try:
      sites, side = mask.read(data, 40, 50)
    except BitstreamError:
      continue
    assert sites.shape == (-(-40 // side), -(-50 // side))
  with pytest.raises(BitstreamError, match="more bytes"):
    mask.read(b"\x10" + bytes(1000), 40, 50)
  with pytest.raises(BitstreamError, match="more than 4194304"):
    mask.read(b"\x01\x05", 2**12, 2**12)


def test_a_site_is_kept_if_any_of_its_pixels_is():
  keep = np.zeros((40, 50), np.uint8)
  keep[15, 16] = keep[39, 49] = 255
  expected = np.zeros((3, 4), bool)
  expected[0, 1] = expected[2, 3] = True
  np.testing.assert_array_equal(mask.sites_of(keep, 16), expected)


# Pictures.


def test_a_kept_region_takes_less_and_is_decoded_as_the_model_says(model, codec):
  keep = box()
  settings = Settings(keep=keep)
  whole, data = codec.encode(IMAGE), codec.encode(IMAGE, settings)
  assert len(data) < len(whole)
  decoded = codec.decode(data)
  np.testing.assert_array_equal(decoded, model.reconstruct(IMAGE, settings)[0])
  assert np.any(decoded != codec.decode(whole))
  y, y_hat = model.analyze(model.to_batch(IMAGE)), {}
  for name, kept in (("all", None), ("part", model._kept(settings))):
    y_hat[name], _ = model.latent_codec(y, kept)
  sites = mask.sites_of(keep, 16)
  np.testing.assert_array_equal(
      y_hat["part"][0], sites[..., None] * y_hat["all"][0])


def test_a_mask_of_all_changes_nothing(codec):
  assert codec.encode(IMAGE, Settings(keep=np.ones((150, 210)))) == codec.encode(IMAGE)


def test_kept_regions_are_as_good_as_in_the_whole_picture():
  """With a norm that sees sites alone, as far from the edge as the generator sees."""
  model = suite.fresh("agustsson2019", num_filters=6, latent_depth=4, num_blocks=0,
                      norm="channel", boxes=0.5)
  model.fix_tables()
  codec = LearnedCodec(model, b"abcd")
  image, keep = make_image(320, 320), np.zeros((320, 320), bool)
  keep[:, 128:] = True
  reach = 16 * model.tiling.reaches.synthesis.before
  inside = np.s_[:, 128 + reach:]
  whole, part = (codec.decode(codec.encode(image, settings)) for settings in (
      None, Settings(keep=keep)))
  tiled = codec.encode(image, options=FileOptions(tile=128))
  np.testing.assert_array_equal(codec.decode(tiled), whole)
  header, chunks, *_ = bitstream.read(tiled)
  header.settings["keep"] = mask.write(np.ones((20, 20)), 16)
  with pytest.raises(BitstreamError, match="no mask"):
    codec.decode(bitstream.write(header, chunks))
  assert reach <= 64 and np.any(whole[:, :128] != part[:, :128])
  assert metrics.psnr(image[inside], part[inside]) == pytest.approx(
      metrics.psnr(image[inside], whole[inside]), abs=0.01)


@pytest.mark.parametrize("keep, reason", [
    (np.ones((150, 211)), "the mask has 211x150 pixels, the picture 210x150"),
    (np.ones((150, 210, 3)), "must be an array"),
    (np.full((150, 210), "x"), "must be an array"),
    (np.zeros((150, 210)), "keeps nothing")])
def test_wrong_masks_are_refused(codec, keep, reason):
  with pytest.raises(UsageError, match=reason) as error:
    codec.encode(IMAGE, Settings(keep=keep))
  assert error.value.argument == "keep"


def test_masks_go_with_models_that_were_trained_for_them_in_one_piece(codec):
  with pytest.raises(UsageError, match="not in tiles"):
    codec.encode(IMAGE, Settings(keep=box()), FileOptions(tile=64))
  for name, changes in (("agustsson2019", {"boxes": 0.0}), ("tfcm-base", {})):
    other = LearnedCodec(suite.bare(name, **changes), b"abcd")
    with pytest.raises(UsageError, match="no mask of what to keep"):
      other.encode(IMAGE, Settings(keep=box()))


@pytest.mark.parametrize("keep, reason", [
    (mask.write(np.ones((19, 27), bool), 8), "squares of 8 pixels"),
    (b"\0", "no sites"), (b"\x10" + bytes(500), "more bytes")])
def test_masks_of_a_damaged_file_are_refused(codec, keep, reason):
  header, chunks, *_ = bitstream.read(codec.encode(IMAGE))
  header.settings["keep"] = keep
  with pytest.raises(BitstreamError, match=reason):
    codec.decode(bitstream.write(header, chunks))


def test_distortion_counts_where_a_box_is_kept(model):
  x = tf.constant(make_image(64, 64)[None] / 255.0, tf.float32)
  context = TrainingContext(lmbda=0.01, noise=Noise(0, 3, tf.range(1)))
  output = model(x, training=True, context=context)
  kept = np.kron(output.extras["kept"][0, ..., 0], np.ones((16, 16)))
  assert 0.0 < kept.mean() < 1.0
  _, figures = suite.compiled(model, 1e-3, lmbda=0.01).objective(x, output, context)
  error = 255.0**2 * kept[..., None] * np.square(x[0] - output.x_hat[0])
  assert float(figures["mse"]) == pytest.approx(error.mean(), rel=1e-4)


def test_the_discriminator_judges_at_three_scales_and_its_features_are_matched(model):
  model = suite.compiled(model, 1e-3, lmbda=0.01)
  x = tf.constant(np.stack([make_image(64, 64, seed=n) for n in (1, 2)]) / 255.0,
                  tf.float32)
  output = ModelOutput(tf.reverse(x, [1]), {})
  judged, judged_hat = (model.discriminator(image) for image in (x, output.x_hat))
  assert [scale[-1].shape for scale in judged] == [
      (2, side, side, 1) for side in (8, 4, 2)]
  assert [len(scale) for scale in judged] == [5, 5, 5]
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(x)
    tape.watch(output.x_hat)
    g_loss, d_loss = model.adversarial_losses(x, output, True)
  fooled = sum(np.mean(np.square(scale[-1] - 1.0)) for scale in judged_hat)
  matched = sum(
      np.mean(np.abs(one - other)) for scales in zip(judged, judged_hat)
      for one, other in list(zip(*scales))[:-1]) / 3.0
  assert float(g_loss) == pytest.approx(fooled + 12.0 * matched, rel=1e-4)
  assert float(d_loss) == pytest.approx(sum(
      np.mean(np.square(one[-1] - 1.0)) + np.mean(np.square(other[-1]))
      for one, other in zip(judged, judged_hat)), rel=1e-4)
  assert tape.gradient(g_loss, x) is None and np.any(tape.gradient(g_loss, output.x_hat))


def test_files_stay_below_the_bound_of_the_paper(model, codec):
  for noise in (make_image(256, 256), np.random.default_rng(0).integers(
      0, 256, (256, 256, 3), np.uint8)):
    chunks = model.compress(noise)
    assert bitstream.coded_bytes(chunks) <= 16 * 16 * 4 * math.log2(5.0) / 8.0 + 3.0


# Files that say what they are, and the command line.


@pytest.fixture
def files(model, tmp_path, monkeypatch):
  """Weights, a photograph and a mask of it."""
  path = tmp_path / "weights" / "model.npz"
  path.parent.mkdir()
  weights.save(model, path)
  Image.fromarray(IMAGE).save(tmp_path / "photo.png")
  Image.fromarray(box()).save(tmp_path / "mask.png")
  monkeypatch.setenv("TFCM_MODEL_PATH", str(path.parent))
  return tmp_path


def test_synthesised_files_say_so_everywhere(files, monkeypatch):
  path = files / "photo.tfcm"
  code, _, err = tfcm("compress", files / "photo.png", "--model", files / "weights" / "model.npz",
                      "--keep", files / "mask.png")
  assert (code, err) == (0, "")
  assert bitstream.read(path.read_bytes()).header.settings.keys() == {
      "synthesised", "keep"}
  code, out, _ = tfcm("info", path)
  assert code == 0 and "synthesised" in out and "kept 14.3%" in out
  facts = json.loads(tfcm("info", path, "--json")[1])
  assert facts["synthesised"] is True and facts["kept"] == 0.1429
  code, out, err = tfcm("decompress", path, "-o", files / "back.png")
  assert code == 0 and err.count("\n") == 1 and "synthesised" in err
  monkeypatch.setattr(plugin, "_decoder", codecs.StreamDecoder)
  with Image.open(path) as image:
    assert image.info["synthesised"] is True
    np.testing.assert_array_equal(image, Image.open(files / "back.png"))


def test_pillow_saves_with_a_mask(files):
  buffer = io.BytesIO()
  Image.fromarray(IMAGE).save(
      buffer, "TFCM", model=str(files / "weights" / "model.npz"), keep=box())
  assert "keep" in bitstream.read(buffer.getvalue()).header.settings


def test_other_files_say_nothing_of_it(tiny_weights):
  data = codecs.open_weights(tiny_weights, effort=1).encode(IMAGE[:40, :40])
  assert "synthesised" not in bitstream.read(data).header.settings


@pytest.mark.parametrize("kind, reason", [
    ("small", "the mask has 20x10 pixels, the picture 210x150"),
    ("black", "the mask keeps nothing of the picture"),
    ("text", "mask.png: "), ("none", "mask.png: ")])
def test_wrong_mask_files_are_one_line(files, kind, reason):
  path = files / "mask.png"
  path.unlink()
  if kind == "text":
    path.write_text("no image")
  elif kind != "none":
    size = (150, 210) if kind == "black" else (10, 20)
    Image.fromarray(np.full(size, 127, np.uint8)).save(path)
    if kind == "small":
      Image.fromarray(np.full(size, 200, np.uint8)).save(path)
  fails(1, reason, "compress", files / "photo.png", "--model",
        files / "weights" / "model.npz", "--keep", path)


def test_models_that_take_no_mask_say_so(files, tiny_weights):
  fails(1, "no mask of what to keep", "compress", files / "photo.png", "--model",
        tiny_weights, "--keep", files / "mask.png")


# Recipes.


@pytest.mark.parametrize("wrong", [{"norm": "batch"}, {"boxes": 1.5}])
def test_wrong_arguments_are_named(wrong):
  with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must"):
    registry.create("agustsson2019", **wrong)


def test_recipes_are_the_widths_of_the_paper():
  for depth in (2, 4, 8, 16):
    config = configs.get(f"agustsson2019:c{depth}")
    model = registry.create(config.model.name, **config.model.arguments)
    assert model.depth == depth and "keep" not in model.capabilities
    assert 10.0 * (2.0 / 255.0)**2 == config.train.lmbda
    selective = configs.get(f"agustsson2019:c{depth}-selective")
    assert "keep" in suite.bare(
        "agustsson2019", **selective.model.arguments).capabilities
