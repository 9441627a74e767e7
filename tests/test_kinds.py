"""Video models and editors, where those who use them meet them."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.conformance import suite, toys
from tests.conformance.material import make_clip
from tests.conformance.toys import averages, editor, video
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tests.test_video_files import written
from tfc_models import bitstream, codecs, configs, registry, training
from tfc_models.bundles import export
from tfc_models.codecs import (
    EditedCodec,
    StreamDecoder,
    VideoCodec,
    learned_family,
)
from tfc_models.configs.options import DataOptions, TrainOptions
from tfc_models.datasets import y4m
from tfc_models.errors import (
    BitstreamError,
    ImageError,
    TooLargeError,
    UsageError,
)
from tfc_models.evaluation import measure
from tfc_models.fileio import read_json
from tfc_models.modeling import weights
from tfc_models.modeling.settings import Settings, TrainingContext
from tfc_models.weight_info import read_info


def saved(module, folder):
  path = str(folder / f"{module.NAME}.npz")
  weights.save(suite.ready(module.get_config().model), path)
  return path


@pytest.fixture(scope="module", autouse=True)
def registered():
  with toys.registered(video), toys.registered(editor), toys.registered(averages):
    yield


@pytest.fixture(scope="module")
def video_weights(tmp_path_factory):
  return saved(video, tmp_path_factory.mktemp("video"))


@pytest.fixture(scope="module")
def editor_weights(tmp_path_factory):
  return saved(editor, tmp_path_factory.mktemp("editor"))


@pytest.fixture
def clip(tmp_path):
  path = tmp_path / "clip.y4m"
  path.write_bytes(written(make_clip(5, 33, 50), (30000, 1001)))
  return path


def test_weights_open_as_the_codec_of_their_kind(
    video_weights, editor_weights, tiny_weights):
  assert [codecs.kind_of(path) for path in (
      tiny_weights, video_weights, editor_weights)] == list(registry.KINDS)
  assert isinstance(codecs.load(video_weights), VideoCodec)
  assert isinstance(codecs.load(editor_weights), EditedCodec)
  with pytest.raises(UsageError, match="of the kind video, wanted image"):
    codecs.load(video_weights, kinds=("image",))
  with pytest.raises(UsageError, match="takes no quality"):
    codecs.load(video_weights, quality=50)


def test_video_goes_through_files(clip, video_weights):
  code, out, err = tfcm("compress", clip, "--model", video_weights, "--json")
  assert (code, err) == (0, "")
  stream = clip.with_suffix(".tfcm")
  size = stream.stat().st_size
  facts = json.loads(out)
  assert (facts["frames"], facts["bytes"]) == (5, size)
  assert facts["bpp"] == pytest.approx(8 * size / (5 * 33 * 50), abs=1e-4)
  code, out, _ = tfcm("info", stream, "--json")
  assert json.loads(out)["bpp"] == facts["bpp"]

  clip.unlink()
  code, out, err = tfcm("decompress", stream, "--model_path", video_weights)
  assert (code, err) == (0, "") and "50x33, 5 frames, " in out
  with open(clip, "rb") as file:
    reader = y4m.Reader(file, "clip")
    frames = np.stack(list(reader))
  assert reader.rate == (30000, 1001)
  codec = VideoCodec.from_file(video_weights)
  decoded = np.stack(list(codec.decode(stream.read_bytes())))
  assert np.abs(frames.astype(int) - decoded).max() <= 2


def test_a_file_of_video_is_no_image_and_the_other_way_round(
    clip, video_weights, tiny_weights):
  photo = clip.with_suffix(".png")
  Image.fromarray(make_image(33, 50)).save(photo)
  fails(1, "not a YUV4MPEG2 file", "compress", photo, "--model", video_weights)
  fails(1, "not an image", "compress", clip, "--model", tiny_weights)
  assert tfcm("compress", clip, "--model", video_weights)[0] == 0
  stream = clip.with_suffix(".tfcm")
  fails(1, "goes into a .y4m file", "decompress", stream, "-o",
        clip.with_name("out.png"), "--model_path", video_weights)
  fails(1, "no iterations", "decompress", stream, "--model_path", video_weights,
        "-o", clip.with_name("out.y4m"), "--iterations", 1)
  assert tfcm("compress", photo, "--model", tiny_weights, "--overwrite")[0] == 0
  fails(1, "Pillow writes no .y4m", "decompress", stream, "-o",
        clip.with_name("out.y4m"), "--model_path", tiny_weights)
  assert not clip.with_name("out.y4m").exists()


def test_a_cut_clip_leaves_nothing_behind(clip, video_weights):
  clip.write_bytes(clip.read_bytes()[:-1])
  fails(1, "ends within frame 4", "compress", clip, "--model", video_weights)
  assert [path.name for path in clip.parent.iterdir()] == [clip.name]


def test_frames_that_do_not_fit_are_refused(video_weights):
  codec = VideoCodec.from_file(video_weights)
  frames = list(make_clip(3, 16, 24))
  for wrong, reason in [
      ([], "at least one frame"),
      ([*frames, frames[0][:8]], "frame 3 is 24x8 in RGB, wanted 24x16 in RGB"),
      ([frames[0][..., :1]], "frame 0 is 24x16 in grey, wanted"),
      ([frames[0].astype(float)], "uint8")]:
    with pytest.raises(ImageError, match=reason):
      codec.encode(iter(wrong))
  with pytest.raises(UsageError, match="not progressive"):
    codec.encode(frames, Settings(iterations=1))
  data = codec.encode(frames)
  with pytest.raises(TooLargeError, match="a video of 3 frames of 24x16"):
    codec.decode(data, max_pixels=16 * 24 + 1)
  with pytest.raises(UsageError, match="iterations"):
    codec.decode_stream(codec.unpack(bitstream.read(data)), 1)


def test_few_bytes_do_not_claim_a_video_without_end(video_weights):
  codec = VideoCodec.from_file(video_weights)
  stream = bitstream.read(codec.encode(make_clip(2, 16, 24)))
  chunks = [stream.chunks[0]._replace(index=n) for n in range(200)]
  stream.header.settings["frames"] = 400
  data = bitstream.write(stream.header, chunks)
  with pytest.raises(TooLargeError, match="400 frames"):
    codec.decode(data, max_pixels=3 * 16 * 24)
  next(codec.decode(data))


def test_an_editor_writes_a_plain_jpeg(clip, editor_weights):
  photo = clip.with_suffix(".png")
  image = make_image(33, 50)
  Image.fromarray(image).save(photo)
  code, out, err = tfcm("compress", photo, "--model", editor_weights)
  assert (code, err) == (0, "") and "photo" not in err
  written = photo.with_suffix(".jpg")
  codec = EditedCodec.from_file(editor_weights)
  assert written.read_bytes() == codec.encode(image)
  with Image.open(written) as opened:
    assert opened.format == "JPEG" and opened.size == (50, 33)
  fails(1, "not progressive", "compress", photo, "--model", editor_weights,
        "--iterations", 2, "--overwrite")
  options = codecs.FileOptions(metadata={"icc": b"profile"})
  found = Image.open(io.BytesIO(codec.encode(image, None, options)))
  assert found.info["icc_profile"] == b"profile"


def test_an_editor_keeps_metadata_unless_told(tmp_path, editor_weights):
  photo = tmp_path / "photo.webp"
  tags = Image.Exif()
  tags[0x010F] = "Maker"
  Image.fromarray(make_image(33, 50)).save(photo, exif=tags, xmp=b"<x/>")
  for words, found in (((), {"exif", "xmp"}), (("--strip", "--overwrite"), set())):
    code, _, err = tfcm("compress", photo, "--model", editor_weights, *words)
    assert (code, err) == (0, "")
    with Image.open(photo.with_suffix(".jpg")) as image:
      assert found == {"exif", "xmp"} & image.info.keys()
      assert image.getexif().get(0x010F) == ("Maker" if found else None)


def test_an_editor_is_evaluated_like_any_codec(editor_weights, video_weights):
  family = learned_family.trained([editor_weights])
  record = measure(family.make(family.settings[0]), make_image(40, 50))
  assert record.psnr > 25 and record.num_bytes < 40 * 50
  with pytest.raises(UsageError, match="video, wanted image or editor"):
    learned_family.trained([video_weights])


def test_a_stream_that_names_an_editor_is_refused(editor_weights):
  header = bitstream.Header(
      editor.NAME, bytes.fromhex(read_info(editor_weights)["fingerprint"]), 8, 8)
  data = bitstream.write(
      header, [bitstream.Chunk(bitstream.LATENT, 0, (b"x",))])
  with pytest.raises(BitstreamError, match="plain JPEG"):
    StreamDecoder([editor_weights]).decode(data)


def test_loss_and_figures_of_video_are_per_pixel_and_frame():
  model, still = (suite.compiled(suite.ready(module.get_config().model), 1e-3,
                                 lmbda=0.01) for module in (video, averages))
  x = np.float32(make_clip(4, 16, 24)[None].repeat(2, axis=0)) / 255
  output = model(x)
  context = TrainingContext(lmbda=np.float32([0.01, 0.03]))
  loss, figures = model.objective(x, output, context)
  squares = np.square(255.0 * (x - output.x_hat.numpy()))
  mse = squares.mean(axis=(2, 3, 4))  # Of each frame.
  bpp = output.bits["y"].numpy() / (4 * 16 * 24)
  np.testing.assert_allclose(figures["mse"], mse.mean(), 1e-5)
  np.testing.assert_allclose(
      figures["psnr"], np.mean(10 * np.log10(255**2 / mse)), 1e-5)
  np.testing.assert_allclose(figures["bpp"], bpp.mean(), 1e-5)
  np.testing.assert_allclose(
      loss, np.mean(bpp + context.lmbda * mse.mean(axis=1)), 1e-5)
  # Images are weighed one by one, as before.
  one = still(x[:, 0])
  loss, _ = still.objective(x[:, 0], one, context)
  mse = np.square(255.0 * (x[:, 0] - one.x_hat.numpy())).mean(axis=(1, 2, 3))
  np.testing.assert_allclose(
      loss, np.mean(one.bits["y"].numpy() / (16 * 24) + context.lmbda * mse), 1e-5)


@pytest.mark.parametrize("module", [video, editor], ids=lambda m: m.NAME)
def test_a_training_directory_codes(module, clip, photos):
  train_dir = str(clip.parent / "run")
  config = module.get_config()
  config.data.train = str(clip) if module is video else photos
  config.data.validation = config.data.train
  config.data.patch_size = 32
  training.train(
      train_dir, config.model.name, config.model.arguments.to_dict(),
      DataOptions(**config.data), TrainOptions(**config.train))
  results = read_json(train_dir + "/results.json")
  assert results["finished"] and "val_psnr" in results["figures"]
  codec = codecs.load(train_dir)
  if module is video:
    assert len(list(codec.decode(codec.encode(make_clip(3, 20, 20))))) == 3
    with pytest.raises(UsageError, match="bundles hold images"):
      export(str(clip.parent / "bundle"), config.model.name,
             config.model.arguments.to_dict(), DataOptions(**config.data),
             TrainOptions(**config.train))
  else:
    assert codec.decode(codec.encode(make_image(20, 20))).shape == (20, 20, 3)


def test_models_are_listed_with_their_kinds():
  code, out, _ = tfcm("models")
  assert code == 0 and "bls2017                image " in out
  kinds = json.loads(tfcm("models", "--json")[1])["kinds"]
  for recipe, kind in kinds.items():
    assert registry.get(configs.get(recipe).model.name).kind == kind
