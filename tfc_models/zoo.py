"""Trains what a plan lists and makes shipped weights of it, figures included.

A plan is a JSON list of entries, the next one trained after the one before:

    {"name": "tfcm-base", "quality": 50, "config": "tfcm_base",
     "overrides": {"train.lmbda": 0.003}, "data": "which photographs",
     "history": "what train.init had seen"}

Progressive models have one file for all rates, of quality 100, which is that of lossless
ones too; others for all rates have one of the quality that nothing else says. The name is that of a registered model,
or begins so where weights of several variants are shipped.
Paths and values that all entries share come from the command line.
"""

import dataclasses
import hashlib
import math
import os
import re
import time

from tfc_models import configs, training, weight_info
from tfc_models.codecs import PillowCodec, open_weights
from tfc_models.configs.options import DataOptions, TrainOptions
from tfc_models.datasets.files import find_images
from tfc_models.errors import UsageError
from tfc_models.fileio import (
  read_bytes,
  read_json,
  write_atomically,
  write_json,
)
from tfc_models.inspection import shipped
from tfc_models.pretrained import loader, sharing
from tfc_models.training.run import RESULTS_FILE

_KEYS = {"name", "quality", "config", "overrides", "data", "history"}
_COLUMNS = ("| name | quality | bpp | PSNR dB | MS-SSIM | JPEG PSNR dB "
            "| JPEG MS-SSIM | lmbda | MiB |\n|---|---|---|---|---|---|---|---|---|")

# Of a progressive model, those that the table shows.
_ITERATIONS = (1, 2, 4, 8, 12, 16)
_ITERATION_COLUMNS = (
    "| name | iterations | bpp | PSNR dB | SSIM | MS-SSIM |\n"
    "|---|---|---|---|---|---|")
_QUALITY_COLUMNS = _ITERATION_COLUMNS.replace("iterations", "at quality")


@dataclasses.dataclass(frozen=True)
class Entry:
  """One line of a plan; `overrides` maps "section.key" to a value."""

  name: str
  quality: int
  config: str
  overrides: dict
  data: str
  history: str = ""

  @property
  def file(self):
    """Name of the weight file and of the training directory."""
    return f"{self.name.replace('-', '_')}_q{self.quality}"


def read_plan(path):
  """Returns the list of `Entry` of a plan.

  Raises:
    UsageError: if it is not one.
  """
  entries = read_json(path)
  if not isinstance(entries, list) or not entries:
    raise UsageError(f"{path}: a plan is a JSON list of entries")
  for entry in entries:
    if not isinstance(entry, dict) or not (
        _KEYS - {"history"} <= entry.keys() <= _KEYS):
      raise UsageError(
          f"{path}: an entry has the keys {', '.join(sorted(_KEYS))}")
  return [Entry(**entry) for entry in entries]


def train(entries, work_dir, adjust=None, minutes=0.0, progress="lines"):
  """Trains all entries, each in its own directory below `work_dir`.

  What is finished there already is left alone, what was interrupted continued.

  Args:
    entries: list of `Entry`.
    work_dir: directory.
    adjust: function from a recipe with the entry's overrides to the one to
      train, for what all entries share, such as paths.
    minutes: for all together, shared out evenly among those still to train; 0
      for no bound.
    progress: as of `training.train`.
  """
  end = time.monotonic() + 60.0 * minutes
  for number, entry in enumerate(entries):
    train_dir = os.path.join(work_dir, entry.file)
    path = os.path.join(train_dir, RESULTS_FILE)
    results = read_json(path) if os.path.exists(path) else {}
    if results.get("finished"):
      print(f"{train_dir}: finished", flush=True)
      continue
    config = _config(entry)
    config = adjust(config) if adjust else config
    if minutes:
      left = (end - time.monotonic()) / 60.0
      before = results.get("seconds", 0.0) / 60.0
      config.train.minutes = before + max(
          left / (len(entries) - number), 0.01)
    print(f"{train_dir}: {entry.config} {entry.overrides}", flush=True)
    training.train(
        train_dir, config.model.name, config.model.arguments.to_dict(),
        DataOptions(**config.data), TrainOptions(**config.train),
        progress=progress)


def release(entries, work_dir, images, root):
  """Makes shipped weights of trained entries: files, figures, table, streams.

  Args:
    entries: list of `Entry`, all trained.
    work_dir: directory that `train` was given.
    images: folder or glob to measure on, such as Kodak.
    root: checkout of the project.

  Returns:
    the new lines of the table, a list.
  """
  paths = find_images(images)
  folder = os.path.join(root, "tfc_models", "pretrained")
  manifest_path = os.path.join(folder, "manifest.json")
  lines = []
  for entry in entries:
    train_dir = os.path.join(work_dir, entry.file)
    trained = loader.training_weights(train_dir)
    codec = open_weights(trained, entry.quality)
    measured = _describe(entry, train_dir, trained, codec, paths)
    # All that is written is written now: measuring takes long, and may fail.
    written = sharing.write(folder, measured["file"], *weight_info.read(trained))
    manifest = [
        other for other in read_json(manifest_path)["weights"]
        if (other["name"], other["quality"]) != (entry.name, entry.quality)
    ] + [measured]
    for other in manifest:
      if other.get("file") in written:
        other.update(_file_facts(os.path.join(folder, other["file"])))
    manifest.sort(key=lambda other: (other["name"], other["quality"]))
    write_json(manifest_path, {"weights": manifest})
    write_golden(
        os.path.join(root, "tests", "golden", f"{entry.name}-q{entry.quality}"),
        codec)
    lines.append(table([measured]).splitlines()[-1])
    _refresh_page(os.path.join(root, "docs", "WEIGHTS.md"), manifest)
    print(lines[-1], flush=True)
  return lines


def _file_facts(path):
  data = read_bytes(path)
  return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _refresh_page(page, manifest):
  """Puts the tables of a manifest in the place of those in a page."""
  text = read_bytes(page).decode()
  tables = {"| name | quality |": table(manifest)}
  curves = [entry["kodak"]["curve"] for entry in manifest if "curve" in entry["kodak"]]
  if any("quality" not in curve for curve in curves):
    tables["| name | iterations |"] = iteration_table(manifest)
  if any("quality" in curve for curve in curves):
    tables["| name | at quality |"] = quality_table(manifest)
  for start, new in tables.items():
    text, count = re.subn(
        re.escape(start) + r".*?(?=\n\n)", lambda _, new=new: new, text,
        flags=re.DOTALL)
    if count != 1:
      raise UsageError(f"{page}: no table of weights, {start}")
  write_atomically(page, text.encode(), overwrite=True)


def write_golden(folder, codec):
  """Writes a stream and its pixels, which a test decodes it to."""
  from skimage import data
  stream = codec.encode(data.astronaut()[60:220, 150:310])
  for name, content in [
      (f"stream{codec.extension}", stream),
      ("pixels.png", PillowCodec("PNG").encode(codec.decode(stream)))]:
    write_atomically(os.path.join(folder, name), content, overwrite=True)


def table(manifest):
  """Returns the page's table of weights, as Markdown without a last newline."""
  rows = [_COLUMNS]
  for entry in manifest:
    kodak = entry["kodak"]
    rows.append(
        f"| {entry['name']} | {entry['quality']} | {kodak['bpp']:.3f} "
        f"| {kodak.get('psnr', math.inf):.2f} | {kodak['ms_ssim']:.4f} "
        f"| {_jpeg(kodak)} "
        f"| {entry['lmbda']:.4g} | {entry['bytes'] / 2**20:.1f} |")
  return "\n".join(rows)


def _jpeg(kodak):
  """Returns JPEG's cells; it has no files as large as those without loss."""
  if "psnr" not in kodak:
    return "- | -"
  return f"{kodak['jpeg_psnr']:.2f} | {kodak['jpeg_ms_ssim']:.4f}"


def iteration_table(manifest):
  """Returns the page's table of progressive weights, as Markdown, likewise."""
  return _curves(manifest, _ITERATION_COLUMNS, lambda curve: {
      count: count - 1 for count in _ITERATIONS
      if "quality" not in curve and count <= len(curve["bpp"])})


def quality_table(manifest):
  """Returns the page's table of other weights for all rates, likewise."""
  return _curves(manifest, _QUALITY_COLUMNS, lambda curve: {
      quality: number for number, quality in enumerate(curve.get("quality", ()))})


def _curves(manifest, columns, places_of):
  """Returns a table of points of curves.

  Args:
    manifest: entries.
    columns: the lines above.
    places_of: from a curve to a dict from what a point is called to its place.
  """
  rows = [columns]
  for entry in manifest:
    curve = entry["kodak"].get("curve")
    for label, place in places_of(curve).items() if curve else ():
      bpp, psnr, ssim, ms_ssim = (
          curve[key][place] for key in ("bpp", "psnr", "ssim", "ms_ssim"))
      rows.append(
          f"| {entry['name']} | {label} | {bpp:.3f} | {psnr:.2f} | {ssim:.4f} "
          f"| {ms_ssim:.4f} |")
  return "\n".join(rows)


def _config(entry):
  """Returns the recipe of an entry with its overrides.

  Raises:
    UsageError: for a key that the recipe does not have.
  """
  config = configs.get(entry.config)
  for key, value in entry.overrides.items():
    section, _, leaf = key.partition(".")
    if section not in config or leaf not in config[section]:
      raise UsageError(f"{entry.config}: no key {key!r}")
    config[section][leaf] = value
  return config


def _describe(entry, train_dir, file, codec, paths):
  """Returns the manifest's entry of a weight file, measured on images.

  Raises:
    UsageError: if an image decodes to something else than the model says.
  """
  results = read_json(os.path.join(train_dir, RESULTS_FILE))
  info = weight_info.read_info(file)
  summary = dataclasses.asdict(shipped.summarize(codec, paths))
  if summary["exact"] != summary["images"]:
    raise UsageError(
        f"{file}: only {summary['exact']} of {summary['images']} images decode "
        "to the latents and pixels of the model itself")
  return {
      "name": entry.name,
      "quality": entry.quality,
      "file": f"{entry.file}.npz",
      **_file_facts(file),
      "fingerprint": info["fingerprint"],
      "lmbda": info["lmbda"],
      "config": entry.config,
      "overrides": entry.overrides,
      "steps": info["steps"],
      "seconds": round(results["seconds"]),
      "history": entry.history,
      "data": entry.data,
      "parameters": info["parameters"],
      "arguments": info["arguments"],
      # Of what loses nothing there is no PSNR, and no JPEG of that size.
      "kodak": {
          key: round(summary[key], 4) for key in (
              "bpp", *(("psnr", "jpeg_psnr", "jpeg_ms_ssim")
                       if math.isfinite(summary["psnr"]) else ()), "ms_ssim",
              "encode_seconds", "decode_seconds", "excess")} | (
                  {"curve": summary["curve"]} if summary["curve"] else {}),
  }
