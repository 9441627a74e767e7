"""The folder of an evaluation: what was measured, line by line, and with what.

- records.jsonl: a line for each image, codec and setting, appended as soon as it
  is measured; of several with the same key the last counts.
- run.json: the images, the tools behind each `codec_id`, the machine.
- records.csv: the same records as a table, for people and spreadsheets.
"""

import hashlib
import json
import os

from tfc_models.errors import UsageError
from tfc_models.fileio import (
  read_bytes,
  read_json,
  write_atomically,
  write_csv,
  write_json,
)

RECORDS_FILE = "records.jsonl"
RUN_FILE = "run.json"
CSV_FILE = "records.csv"

_NUMBER, _FIGURE = (int, float), (int, float, type(None))
# Fields of a record and their types; None is what JSON has for infinity, and for
# metrics that an image is too small for.
_TYPES = {
    "codec": str, "setting": (int, float, str, type(None)), "image": str,
    "height": int, "width": int, "num_bytes": int, "bpp": _NUMBER,
    "mse": _NUMBER, "psnr": _FIGURE, "psnr_y": _FIGURE, "ms_ssim": _FIGURE,
    "ssim": _FIGURE, "encode_seconds": _NUMBER, "decode_seconds": _NUMBER,
    "peak_mib": _NUMBER, "jobs": int, "codec_id": str, "image_id": str,
    "wasserstein": _FIGURE, "lpips": _FIGURE}
FIELDS = tuple(_TYPES)
# What older records lack, or were not asked for.
_LATER = dict.fromkeys(["wasserstein", "lpips"])


def identify(content):
  """Returns a short digest of a JSON value, or of bytes."""
  if not isinstance(content, bytes):
    content = json.dumps(content, sort_keys=True).encode()
  return hashlib.sha256(content).hexdigest()[:16]


def key(record):
  """Returns what makes a record the same as another: (codec, setting, image)."""
  return record["codec"], record["setting"], record["image"]


def setting_order(setting):
  """Returns a key that sorts numbers before texts."""
  return isinstance(setting, str), 0 if setting is None else setting


class Store:
  """Records of a folder; appending is safe against any interruption.

  Args:
    folder: made if missing.

  Raises:
    UsageError: if it cannot be read or written, or holds something else.
  """

  def __init__(self, folder):
    self.folder = folder
    self._path = os.path.join(folder, RECORDS_FILE)
    self._records = {}
    self._file = None
    if os.path.exists(self._path):
      self._read()
    run = os.path.join(folder, RUN_FILE)
    # Its images, tools and codecs, see `begin`.
    self.run = read_json(run) if os.path.exists(run) else {
        "images": {}, "tools": {}, "codecs": []}
    if not _is_run(self.run):
      raise UsageError(f"{run}: not of an evaluation")

  def begin(self, images, tools, codecs, machine):
    """Notes what is measured from now on; nothing else is written by it.

    Args:
      images: dict from name to its size and `image_id`; the only ones that
        averages are taken over.
      tools: dict from `codec_id` to facts, added to those of former runs.
      codecs: names in the order of tables, before those of former runs.
      machine: dict of facts.
    """
    self.run = {
        "images": images, "tools": {**self.run["tools"], **tools},
        "codecs": [*codecs, *(
            name for name in self.run["codecs"] if name not in codecs)],
        "machine": machine}
    os.makedirs(self.folder, exist_ok=True)
    write_json(os.path.join(self.folder, RUN_FILE), self.run)
    self._file = open(self._path, "a", encoding="utf-8")

  def has(self, record, metrics=()):
    """Returns whether a record of the same key, codec and image is here.

    Args:
      record: what is known before measuring.
      metrics: names of fields that must have been measured.
    """
    there = self._records.get(key(record))
    return there is not None and all(
        there[name] == record[name] for name in ("codec_id", "image_id")) and all(
            there[name] is not None for name in metrics)

  def append(self, record):
    """Adds a record, a dict with the keys `FIELDS`; it lasts from then on."""
    record = {**_LATER, **record}
    self._records[key(record)] = record
    self._file.write(json.dumps(record, allow_nan=False) + "\n")
    self._file.flush()
    os.fsync(self._file.fileno())

  def records(self):
    """Returns the records of the images of this run, in the order of tables."""
    order = {name: place for place, name in enumerate(self.run["codecs"])}
    images = self.run["images"]
    chosen = [
        record for record in self._records.values()
        if record["image"] in images and record["codec"] in order
        and record["image_id"] == images[record["image"]]["image_id"]]
    return sorted(chosen, key=lambda record: (
        order[record["codec"]], setting_order(record["setting"]),
        record["image"]))

  def close(self):
    """Writes the CSV file; a second call does nothing."""
    if self._file is None:
      return
    self._file.close()
    self._file = None
    write_csv(os.path.join(self.folder, CSV_FILE), FIELDS, self.records())

  def _read(self):
    """Reads all whole lines; a torn last one is removed from the file."""
    data = read_bytes(self._path)
    whole = data[:data.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), 1):
      try:
        record = {**_LATER, **json.loads(line)}
        wrong = [name for name, types in _TYPES.items()
                 if not isinstance(record[name], types)]
        if wrong:
          raise ValueError(wrong)
        self._records[key(record)] = {name: record[name] for name in FIELDS}
      except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(
            f"{self._path}: line {number} is no record; "
            "repair or remove it") from None
    if len(whole) < len(data):
      write_atomically(self._path, whole, overwrite=True)


def _is_run(run):
  """Returns whether a JSON value is what `Store.begin` writes."""
  if not isinstance(run, dict):
    return False
  images, tools, codecs = (run.get(name) for name in ("images", "tools", "codecs"))
  return (
      isinstance(images, dict) and isinstance(tools, dict)
      and isinstance(codecs, list) and isinstance(run.get("machine", {}), dict)
      and all(isinstance(name, str) for name in codecs)
      and all(isinstance(facts, dict) and isinstance(facts.get("image_id"), str)
              and isinstance(facts.get("height"), int)
              and isinstance(facts.get("width"), int)
              for facts in images.values())
      and all(isinstance(facts, dict) for facts in tools.values()))
