"""Every codec at every setting on every image, whatever fails or interrupts."""

import concurrent.futures
import dataclasses
import functools
import math
import os
import platform
import queue
import tempfile
import threading

from tfc_models.codecs.base import version_of
from tfc_models.datasets.files import read_image
from tfc_models.errors import ImageError, UsageError
from tfc_models.evaluation.coding import code
from tfc_models.evaluation.store import Store, identify
from tfc_models.evaluation.worker import Worker, WorkerError


@dataclasses.dataclass(frozen=True)
class Failure:
  """What could not be measured, and why.

  Attributes:
    image: its name.
    codec: name and setting; None if the image itself cannot be read.
    reason: one line.
    trace: for those who mend it.
  """

  image: str
  codec: str
  reason: str
  trace: str = ""

  def __str__(self):
    what = f"{self.image}: {self.codec}: " if self.codec else ""
    return what + self.reason


def evaluate(families, paths, folder, *, jobs=1, progress=None, report=None,
             lpips="", features=None):
  """Measures all that is not in the folder yet; the folder then holds it.

  Each family runs in a process of its own, so that its memory is its own, and
  metrics in another. With one job nothing else runs while a codec is timed.

  Args:
    families: list of `codecs.Family`, none missing.
    paths: image files.
    folder: of the evaluation, see `store`.
    jobs: how many images at a time; seconds mean little with more than one.
    progress: function of an iterable and its length to the same iterable, for a
      progress bar.
    report: function of a `Failure`, called at once.
    lpips: files of LPIPS, as of `metrics.likeness`; "" leaves it out.
    features: `FeatureStore` to fill, or None.

  Returns:
    The list of `Failure`.

  Raises:
    UsageError: if no image can be read, or the folder cannot be used.
  """
  failures = []

  def fail(failure):
    failures.append(failure)
    if report:
      report(failure)

  images, files = {}, {}
  for name, path in _names(paths).items():
    try:
      images[name] = _image_facts(path)
      files[name] = path
    except ImageError as error:
      fail(Failure(name, None, str(error)))
  if not images:
    raise UsageError("none of the images can be read")
  store = Store(folder)
  tools, tasks = {}, []
  for family in families:
    for setting in family.settings:
      facts = {"codec": family.name, **family.facts(setting)}
      codec_id = identify(facts)
      tools[codec_id] = facts
      for name in images:
        record = {
            "codec": family.name, "setting": setting, "image": name,
            **images[name], "jobs": jobs, "codec_id": codec_id}
        if not store.has(record, ["lpips"] if lpips else ()) or (
            features and not features.has(codec_id, record["image_id"])):
          tasks.append((family, files[name], record))
  # By image within a family: a codec is made once, an image read once.
  place = {family.name: number for number, family in enumerate(families)}
  tasks.sort(key=lambda task: (place[task[0].name], task[2]["image"]))
  store.begin(
      images, tools, [family.name for family in families], _machine())
  try:
    with tempfile.TemporaryDirectory(prefix="tfcm-") as scratch:
      _run(tasks, store, jobs, scratch, functools.partial(_figures, lpips, features),
           progress or (lambda tasks, _: tasks), fail)
  finally:
    store.close()
  return failures


def _run(tasks, store, jobs, scratch, figures, progress, fail):
  """Runs all tasks, `jobs` at a time."""
  lanes = [_Lane(scratch, figures) for _ in range(jobs)]
  idle = queue.SimpleQueue()
  for lane in lanes:
    idle.put(lane)

  def one(task):
    lane = idle.get()
    try:
      return lane.run(*task)
    finally:
      idle.put(lane)

  with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    futures = {pool.submit(one, task): task for task in tasks}
    try:
      done = concurrent.futures.as_completed(futures)
      for future in progress(done, len(tasks)):
        family, _, record = futures[future]
        try:
          store.append(future.result())
        except WorkerError as error:
          fail(Failure(
              record["image"], family.label(record["setting"]), str(error),
              error.trace))
    finally:
      for future in futures:
        future.cancel()
      for lane in lanes:
        lane.kill()


class _Lane:
  """Two processes: one codes with one family at a time, one computes metrics.

  Args:
    scratch: folder for temporary files.
    figures: function of a path, what a codec made of the image, and the beginning of
      its record, to the measured part of it; runs in the second process.
  """

  def __init__(self, scratch, figures):
    self._scratch = scratch
    self._figures = figures
    self._family = None
    self._coder = None
    self._judge = None
    self._workers = []
    self._killed = False
    self._lock = threading.Lock()

  def run(self, family, path, record):
    """Returns the finished record of a task."""
    if self._coder and family != self._family:
      self._coder.kill()
    self._coder = self._ready(self._coder)
    self._family = family
    coded = self._coder.call(_code, family, record["setting"], path)
    self._judge = self._ready(self._judge)
    return {**record, **self._judge.call(
        self._figures, path, coded, record)}

  def _ready(self, worker):
    if worker and worker.alive:
      return worker
    with self._lock:
      if self._killed:
        raise WorkerError("interrupted")
      self._workers = [other for other in self._workers if other.alive]
      self._workers.append(Worker(self._scratch))
      return self._workers[-1]

  def kill(self):
    """Ends all processes; a call that waits for one raises WorkerError."""
    with self._lock:
      self._killed = True
    for worker in self._workers:
      worker.kill()


# Of the process that codes, by setting of its family.
_codecs = {}


@functools.lru_cache(maxsize=2)
def _image(path):
  return read_image(path)


def _code(family, setting, path):
  """Runs in a process of its own: returns what the codec makes of an image."""
  image = _image(path)
  if setting not in _codecs:
    codec = family.make(setting)
    codec.warm_up(image)
    _codecs[setting] = codec
  return code(_codecs[setting], image)


def _figures(lpips, features, path, coded, known):
  """Runs in a process of its own: returns the measured part of a record."""
  # Only now: this loads TensorFlow, which processes that code may not need.
  from tfc_models.evaluation.record import judge
  record = vars(judge(None, _image(path), coded, lpips))
  if features:
    features.add(known["codec_id"], known["image_id"], _image(path), coded.decoded)
  figures = {
      name: record[name] for name in (
          "num_bytes", "bpp", "mse", "psnr", "psnr_y", "ms_ssim", "ssim",
          "encode_seconds", "decode_seconds", "peak_mib", "wasserstein", "lpips")}
  # JSON knows no infinity; None is written for it, as `mse` is 0 then.
  return {
      name: None if value == math.inf else value
      for name, value in figures.items()}


def _names(paths):
  """Returns a dict from names, unique and without needless folders, to paths."""
  bases = [os.path.basename(path) for path in paths]
  if len(set(bases)) == len(bases):
    return dict(zip(bases, paths))
  common = os.path.commonpath([os.path.abspath(path) for path in paths])
  return {
      os.path.relpath(os.path.abspath(path), common): path for path in paths}


def _image_facts(path):
  """Returns the size and the identity of the pixels of an image file."""
  image = read_image(path)
  return {
      "height": image.shape[0], "width": image.shape[1],
      "image_id": identify(repr(image.shape).encode() + image.tobytes())}


def _machine():
  return {
      "processor": platform.processor() or platform.machine(),
      "system": platform.platform(), "cores": os.cpu_count(),
      "python": platform.python_version(),
      "numpy": version_of("numpy"), "tensorflow": version_of("tensorflow")}
