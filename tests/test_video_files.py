"""Video files and folders of frames: what is read is what was there."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.conformance.material import make_clip
from tfc_models.datasets import video, y4m
from tfc_models.errors import ImageError, UsageError


def written(frames, rate=(25, 1)):
  return b"".join(y4m.write(frames, *frames[0].shape[:2], rate))


@pytest.fixture
def clip(tmp_path):
  path = tmp_path / "clip.y4m"
  path.write_bytes(written(make_clip(6, 40, 50)))
  return path


def test_frames_come_back_to_the_rounding_of_their_colours():
  frames = make_clip(3, 17, 33)
  reader = y4m.Reader(io.BytesIO(written(frames)), "clip.y4m")
  assert (reader.height, reader.width, reader.rate) == (17, 33, (25, 1))
  found = np.stack(list(reader))
  assert found.shape == frames.shape
  assert np.abs(found.astype(int) - frames).max() <= 2


# Y, Cb, Cr of the colour bars of ITU-R BT.601, and their R, G, B.
BARS = [((235, 128, 128), (255, 255, 255)), ((81, 90, 240), (255, 0, 0)),
        ((145, 54, 34), (0, 255, 0)), ((41, 240, 110), (0, 0, 255)),
        ((16, 128, 128), (0, 0, 0))]


@pytest.mark.parametrize("tag, rows, columns", [
    ("C420mpeg2", 2, 2), ("C422", 1, 2), ("C444", 1, 1), ("", 2, 2)])
def test_colours_are_those_of_the_standard_however_they_are_sampled(
    tag, rows, columns):
  height, width = 3, 5  # The last samples of chroma are of one row, one column.
  shape = -(-height // rows), -(-width // columns)
  for samples, expected in BARS:
    data = f"YUV4MPEG2 W{width} H{height} F30000:1001 Ip {tag}\nFRAME\n".encode()
    data += np.full((height, width), samples[0], np.uint8).tobytes()
    for value in samples[1:]:
      data += np.full(shape, value, np.uint8).tobytes()
    reader = y4m.Reader(io.BytesIO(data), "bars")
    (frame,) = reader
    assert reader.rate == (30000, 1001)
    assert np.abs(frame.astype(int) - expected).max() <= 2


def test_chroma_belongs_to_the_pixels_that_share_it():
  planes = [np.full((4, 4), 128), np.array([[128, 240], [128, 128]]),
            np.full((2, 2), 128)]
  data = b"YUV4MPEG2 W4 H4 F1:1 C420 XCOLORRANGE=FULL\nFRAME\n" + b"".join(
      plane.astype(np.uint8).tobytes() for plane in planes)
  (frame,) = y4m.Reader(io.BytesIO(data), "x")
  blue = frame[..., 2] > 200
  np.testing.assert_array_equal(blue, np.kron([[0, 1], [0, 0]], np.ones((2, 2))))


def test_grey_video_is_grey():
  data = b"YUV4MPEG2 W2 H1 Cmono XCOLORRANGE=FULL\nFRAME\n\x07\xf0"
  reader = y4m.Reader(io.BytesIO(data), "x")
  np.testing.assert_array_equal(next(iter(reader)), [[[7] * 3, [240] * 3]])
  assert reader.rate is None


@pytest.mark.parametrize("data, reason", [
    (b"", "not a YUV4MPEG2 file"),
    (b"RIFF....AVI \n", "not a YUV4MPEG2 file"),
    (b"YUV4MPEG2 W8 H8", "not a YUV4MPEG2 file"),
    (b"YUV4MPEG2 W8\n", "says no size"),
    (b"YUV4MPEG2 Wx H8\n", "says no size"),
    (b"YUV4MPEG2 W0 H8\n", "outside the limits"),
    (b"YUV4MPEG2 W99999999999 H8\n", "outside the limits"),
    (b"YUV4MPEG2 W8 H8 C420p10\n", "in 8 bits"),
    (b"YUV4MPEG2 W8 H8 C444alpha\n", "in 8 bits"),
    (b"YUV4MPEG2 W8 H8 It\n", "interlaced"),
    (b"YUV4MPEG2 W1 H1 Cmono\nFRAME\n1FRAME\n", "ends within frame 1"),
    (b"YUV4MPEG2 W1 H1 Cmono\nFRAME\n1F\n", "frame 1 does not begin"),
    (b"YUV4MPEG2 W1 H1 Cmono\n", "holds no frame"),
])
def test_what_is_no_video_of_ours_is_told_in_a_line(data, reason, tmp_path):
  path = tmp_path / "clip.y4m"
  path.write_bytes(data)
  with pytest.raises(ImageError, match=reason) as caught:
    video.open_clip(str(path))
  assert str(caught.value).startswith(str(path))
  if "holds no" not in reason:
    with pytest.raises(ImageError, match=reason):
      list(y4m.Reader(io.BytesIO(data), "x"))


def test_frames_are_found_by_number(clip):
  found = video.open_clip(str(clip))
  whole = list(found.frames())
  assert len(found) == len(whole) == 6
  np.testing.assert_array_equal(list(found.frames(3, 2)), whole[3:5])


def test_a_folder_of_frames_is_a_clip(tmp_path):
  frames = make_clip(3, 20, 30)
  for number, frame in enumerate(frames):
    Image.fromarray(frame).save(tmp_path / f"{number:03d}.png")
  found = video.open_clip(str(tmp_path))
  assert (len(found), found.height, found.width) == (3, 20, 30)
  np.testing.assert_array_equal(list(found.frames(1)), frames[1:])
  Image.fromarray(frames[0][:10]).save(tmp_path / "003.png")
  with pytest.raises(ImageError, match=r"003\.png: 30x10, the first frame is 30x20"):
    list(video.open_clip(str(tmp_path)).frames())


def test_sequences_depend_on_their_number_alone(clip):
  folder = clip.parent / "other"
  folder.mkdir()
  for number, frame in enumerate(make_clip(5, 64, 48, seed=7)):
    Image.fromarray(frame).save(folder / f"{number}.png")
  store = video.SequenceStore(str(clip.parent), 32, 3)
  assert len(store) == 2
  options = dict(batch_size=2, patch_size=32, seed=5, max_downscale=1.2)
  batches = [b.numpy() for b in store.batches(**options, num_batches=4)]
  assert batches[0].shape == (2, 3, 32, 32, 3)
  later = next(iter(store.batches(**options, first_batch=3, num_batches=1)))
  np.testing.assert_array_equal(later, batches[3])
  assert not np.array_equal(batches[0], batches[1])


def test_all_frames_of_a_sequence_are_cut_from_the_same_window(tmp_path):
  image = make_clip(1, 60, 70)[0]
  (tmp_path / "still.y4m").write_bytes(written([image] * 4))
  store = video.SequenceStore(str(tmp_path), 16, 4)
  for number in range(3):
    sequence = store.sequence(number, patch_size=16, seed=0, max_downscale=2.0)
    np.testing.assert_array_equal(sequence, [sequence[0]] * 4)


def test_frames_of_a_sequence_follow_each_other(tmp_path):
  frames = [np.full((16, 16, 3), 20 * n, np.uint8) for n in range(10)]
  (tmp_path / "ramp.y4m").write_bytes(written(frames))
  store = video.SequenceStore(str(tmp_path), 16, 3)
  firsts = set()
  for number in range(40):
    levels = store.sequence(number, patch_size=16, seed=0)[:, 0, 0, 0].astype(int)
    assert list(np.diff(levels)) == [20, 20]
    firsts.add(levels[0] // 20)
  assert {0, 7} <= firsts <= set(range(8))


def test_what_cannot_be_used_is_counted(clip):
  (clip.parent / "broken.y4m").write_bytes(clip.read_bytes()[:-1])
  store = video.SequenceStore(str(clip.parent), 40, 6)
  assert (len(store), store.broken) == (1, 1)
  for size, frames in ((41, 6), (40, 7)):
    with pytest.raises(UsageError, match="no usable video"):
      video.SequenceStore(str(clip.parent), size, frames)
  with pytest.raises(UsageError, match=r"no \.y4m files or folders"):
    video.SequenceStore(str(clip.parent / "none"), 1, 1)
