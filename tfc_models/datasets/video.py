"""Video to uint8 frames, and to batches of short sequences to train on."""

import glob
import itertools
import logging
import os

import numpy as np

from tfc_models.datasets import patches, y4m
from tfc_models.datasets.crops import numbered_batches
from tfc_models.datasets.files import (
    EXTENSIONS,
    image_size,
    read_image,
    rgb_image,
)
from tfc_models.errors import ImageError, UsageError
from tfc_models.fileio import find_files

_LOG = logging.getLogger(__name__)


class Y4mClip:
  """The frames of a .y4m file.

  Args:
    path: of the file.

  Attributes:
    height, width, rate: as of `y4m.Reader`.

  Raises:
    ImageError: if it is no such file, or holds no frame.
  """

  def __init__(self, path):
    self.path = path
    with self._open() as file:
      reader = y4m.Reader(file, path)
      self._positions = reader.positions()
    self.height, self.width, self.rate = reader.height, reader.width, reader.rate
    if not self._positions:
      raise ImageError(f"{path}: it holds no frame")

  def __len__(self):
    return len(self._positions)

  def frames(self, first=0, count=None):
    """Yields uint8 (H, W, 3) from number `first` on; all that follow, by default."""
    with self._open() as file:
      reader = y4m.Reader(file, self.path)
      file.seek(self._positions[first])
      yield from itertools.islice(
          reader, len(self) - first if count is None else count)

  def _open(self):
    try:
      return open(self.path, "rb")
    except OSError as error:
      raise ImageError(f"{self.path}: {error.strerror}") from None


class FolderClip:
  """The images of a folder, by name, as frames; otherwise as of `Y4mClip`."""

  rate = None

  def __init__(self, path):
    self.path = path
    self._paths = find_files(path, EXTENSIONS, recursive=False)
    if not self._paths:
      raise ImageError(f"{path}: no image files in this folder")
    self.height, self.width = image_size(self._paths[0])

  def __len__(self):
    return len(self._paths)

  def frames(self, first=0, count=None):
    """As of `Y4mClip`."""
    end = None if count is None else first + count
    for path in self._paths[first:end]:
      frame = read_image(path)
      if frame.shape[:2] != (self.height, self.width):
        raise ImageError(
            f"{path}: {frame.shape[1]}x{frame.shape[0]}, the first frame is "
            f"{self.width}x{self.height}")
      yield np.asarray(rgb_image(frame))


def open_clip(path):
  """Returns the clip of a .y4m file or a folder of frames.

  Raises:
    ImageError: if it is neither, or broken.
  """
  return (FolderClip if os.path.isdir(path) else Y4mClip)(path)


class SequenceStore:
  """The usable clips of a folder or glob, to cut sequences of frames from.

  Args:
    pattern: folder, searched recursively for .y4m files and folders of images, or
      a glob of such.
    min_size: int, clips with a shorter side are skipped and counted.
    num_frames: of a sequence; likewise.

  Raises:
    UsageError: if no usable clip is left.
  """

  def __init__(self, pattern, min_size, num_frames):
    self.pattern = pattern
    self.num_frames = num_frames
    self.clips = []
    self.too_small = self.too_short = self.broken = 0
    for path in _find_clips(pattern):
      try:
        clip = open_clip(path)
      except ImageError as error:
        _LOG.warning("Skipped: %s", error)
        self.broken += 1
        continue
      if min(clip.height, clip.width) < min_size:
        self.too_small += 1
      elif len(clip) < num_frames:
        self.too_short += 1
      else:
        self.clips.append(clip)
    skipped = (f"{self.too_small} below {min_size} pixels a side, "
               f"{self.too_short} below {num_frames} frames, "
               f"{self.broken} unreadable")
    if not self.clips:
      raise UsageError(f"{pattern}: no usable video ({skipped})")
    _LOG.info("%s: %d clips (skipped: %s)", pattern, len(self.clips), skipped)

  def __len__(self):
    return len(self.clips)

  def sequence(self, index, *, patch_size, seed, max_downscale=1.0):
    """Returns sequence number `index`, uint8 (T, patch_size, patch_size, 3).

    All of its frames are cut from the same window, see `patches.cut`.

    Raises:
      ImageError: if a clip turns out to be broken inside.
    """
    clip = self.clips[patches.locate(index, len(self), seed)]
    first = int(np.random.default_rng([seed, 2, index]).integers(
        len(clip) - self.num_frames + 1))
    return np.stack([
        patches.cut(rgb_image(frame), index, patch_size=patch_size, seed=seed,
                    max_downscale=max_downscale)
        for frame in clip.frames(first, self.num_frames)])

  def batches(self, *, batch_size, patch_size, first_batch=0, num_batches=None,
              seed=0, max_downscale=1.0):
    """Returns a `tf.data.Dataset` of uint8 (batch_size, T, patch, patch, 3).

    As of `crops.ImageStore`.
    """
    def sequence(index):
      return self.sequence(int(index), patch_size=patch_size, seed=seed,
                           max_downscale=max_downscale)

    shape = (self.num_frames, patch_size, patch_size, 3)
    return numbered_batches(
        sequence, batch_size, shape, first_batch, num_batches)


def _find_clips(pattern):
  """Returns the sorted paths of .y4m files and of folders that hold images."""
  places = sorted(glob.glob(os.path.expanduser(pattern), recursive=True))
  files = [path for path in places if os.path.isfile(path)]
  for place in places:
    if os.path.isdir(place):
      files += find_files(place, EXTENSIONS | {y4m.EXTENSION})
  found = {
      path if path.lower().endswith(y4m.EXTENSION) else os.path.dirname(path)
      for path in files}
  if not found:
    raise UsageError(f"{pattern}: no .y4m files or folders of images there")
  return sorted(found)
