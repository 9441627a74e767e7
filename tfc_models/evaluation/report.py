"""From the records of an evaluation to averages, curves, deltas, and a page."""

import json
import os

from tfc_models.errors import UsageError
from tfc_models.evaluation import published
from tfc_models.evaluation.curves import METRICS, Curve, NoDelta, delta, to_db
from tfc_models.fileio import write_csv, write_json, write_text

SUMMARY_FILE = "summary.json"
AVERAGES_FILE = "averages.csv"
DELTAS_FILE = "bd.csv"
PAGE_FILE = "report.md"

CONVENTION = (
    "bpp: bits of the complete file over the pixels of the image, mean over "
    "images. mse: over all RGB samples of the 8-bit images, 0..255. psnr: dB, "
    "from that of each image, mean over images of the dB values; null or empty "
    "if infinite. psnr_y: likewise of Y = 0.299 R + 0.587 G + 0.114 B, not "
    "rounded. ms_ssim, ssim: RGB, mean over channels, mean over images; "
    "ms_ssim_db = -10 log10(1 - ms_ssim) of that mean. wasserstein: of local statistics of "
    "filter responses, lpips: of AlexNet's features, 0 for equal images. "
    "fid, kid: Frechet and kernel distance of the features of all patches of 256x256, "
    "of two grids, to those of the originals. seconds: mean over "
    "images, wall clock, image files not included. peak_mib: the most over "
    "images, of the whole coding process. BD-rate and BD-quality: pchip, of log "
    "rate over dB and of dB over log rate, over the common interval; of the "
    "averages, and of each image by itself.")

_MEANS = ("num_bytes", "bpp", "mse", "psnr", "psnr_y", "ms_ssim", "ssim",
          "wasserstein", "lpips", "encode_seconds", "decode_seconds")
# Metrics that some images are too small for, or that were not asked for.
_OPTIONAL = ("ms_ssim", "ssim", "wasserstein", "lpips")
_AVERAGE_FIELDS = (
    "codec", "setting", "images", "num_bytes", "bpp", "mse", "psnr", "psnr_y",
    "ms_ssim", "ms_ssim_db", "ssim", "encode_seconds", "decode_seconds",
    "peak_mib", "wasserstein", "lpips", "fid", "kid", "patches")
_DELTA_FIELDS = (
    "anchor", "codec", "metric", "bd_rate_percent", "bd_quality_db", "low_db",
    "high_db", "reason", "images", "image_mean_percent", "image_min_percent",
    "image_max_percent")


def averages(records, features=None):
  """Returns a list of dicts, one for each codec and setting.

  Args:
    records: of `Store.records`.
    features: `FeatureStore`, or None.
  """
  groups = {}
  for record in records:
    groups.setdefault((record["codec"], record["setting"]), []).append(record)
  rows = []
  for (codec, setting), group in groups.items():
    row = {"codec": codec, "setting": setting, "images": len(group)}
    for name in _MEANS:
      row[name] = _mean([record[name] for record in group], name)
    row["ms_ssim_db"] = to_db("ms_ssim", row["ms_ssim"])
    row["fid"], row["kid"], row["patches"] = (
        features.distances(group) if features else (None, None, None))
    row["peak_mib"] = max(record["peak_mib"] for record in group)
    rows.append({name: row[name] for name in _AVERAGE_FIELDS})
  return rows


def _mean(values, name):
  # Images too small for a metric have none with any codec; an infinite PSNR
  # makes the mean infinite.
  if name in _OPTIONAL:
    values = [value for value in values if value is not None]
  if not values or None in values:
    return None
  return sum(values) / len(values)


def curves(rows, num_images=None):
  """Returns a dict from codec to `Curve`.

  Args:
    rows: of `averages`, or records of one image.
    num_images: points over fewer images are left out.
  """
  groups = {}
  for row in rows:
    if num_images is None or row["images"] == num_images:
      groups.setdefault(row["codec"], []).append(row)
  return {codec: Curve(
      codec,
      {metric: sorted(
          (row["bpp"], to_db(metric, row[metric])) for row in group
          if to_db(metric, row[metric]) is not None) for metric in METRICS},
      sorted((row["bpp"], row["encode_seconds"], row["decode_seconds"])
             for row in group))
          for codec, group in groups.items()}


class Report:
  """Everything that is said of a folder of records.

  Args:
    store: `Store`.
    anchors: names of codecs, or "published:NAME"; None for JPEG, or else the
      first codec, and the usual published one if the images are Kodak.
    published_names: curves to tell and draw beside; None for a few if the images
      are Kodak.
    features: `FeatureStore` of records, or None.

  Raises:
    UsageError: for unknown names, for published curves beside images that are
      not Kodak, or if there are no records.
  """

  def __init__(self, store, anchors=None, published_names=None, features=None):
    self.store = store
    self.records = store.records()
    if not self.records:
      raise UsageError(f"{store.folder}: no records of an evaluation")
    images = store.run["images"]
    kodak = published.is_kodak(images)
    if published_names is None:
      published_names = published.DEFAULT if kodak else ()
    if anchors is None:
      codecs = store.run["codecs"]
      anchors = ["jpeg" if "jpeg" in codecs else codecs[0]]
      if kodak:
        anchors.append(published.PREFIX + published.DEFAULT[0])
    self.averages = averages(self.records, features)
    self.curves = curves(self.averages, len(images))
    wanted = [*published_names, *(
        name[len(published.PREFIX):] for name in anchors
        if name.startswith(published.PREFIX))]
    if wanted and not kodak:
      raise UsageError(
          "published curves are means over the 24 images of Kodak; "
          f"{store.folder} holds {len(images)} others")
    for name in dict.fromkeys(wanted):
      curve = published.curve(name)
      self.curves[curve.name] = curve
    for anchor in anchors:
      if anchor not in self.curves:
        raise UsageError(
            f"{anchor}: not among the codecs; there are "
            f"{', '.join(self.curves)}", argument="anchors")
    self.anchors = list(anchors)
    by_image = {}
    for record in self.records:
      by_image.setdefault(record["image"], []).append(record)
    self.image_curves = {
        image: curves(group) for image, group in by_image.items()}
    self.deltas = [
        self._compare(anchor, codec, metric) for anchor in self.anchors
        for codec in self.curves if codec != anchor for metric in METRICS]

  def _compare(self, anchor, codec, metric):
    """Returns a dict of the difference between two codecs."""
    row = dict.fromkeys(_DELTA_FIELDS)
    row.update(anchor=anchor, codec=codec, metric=metric)
    try:
      found = delta(self.curves[anchor].points[metric],
                    self.curves[codec].points[metric])
      row.update(
          bd_rate_percent=found.rate_percent, bd_quality_db=found.quality_db,
          low_db=found.low, high_db=found.high)
    except NoDelta as error:
      row["reason"] = str(error)
    each = {}
    for image, pair in self.image_curves.items():
      if anchor in pair and codec in pair:
        try:
          each[image] = delta(
              pair[anchor].points[metric], pair[codec].points[metric]
              ).rate_percent
        except NoDelta:
          continue
    if each:
      values = list(each.values())
      row.update(
          images=len(each), image_mean_percent=sum(values) / len(values),
          image_min_percent=min(values), image_max_percent=max(values))
    return {**row, "by_image": each}

  def write(self, failures=()):
    """Puts summary.json, averages.csv, bd.csv and report.md into the folder."""
    folder = self.store.folder
    write_json(os.path.join(folder, SUMMARY_FILE), {
        "convention": CONVENTION, "anchors": self.anchors,
        "averages": self.averages, "bd": self.deltas,
        "failures": [str(failure) for failure in failures],
        "tools": self._tools(), **{
            name: self.store.run[name] for name in ("images", "machine")}})
    write_csv(os.path.join(folder, AVERAGES_FILE), _AVERAGE_FIELDS,
               self.averages)
    write_csv(os.path.join(folder, DELTAS_FILE), _DELTA_FIELDS, self.deltas)
    write_text(os.path.join(folder, PAGE_FILE), self.page(failures))

  def _tools(self):
    """Returns the facts behind the records, by `codec_id`."""
    used = {record["codec_id"] for record in self.records}
    return {
        name: facts for name, facts in self.store.run["tools"].items()
        if name in used}

  def page(self, failures=()):
    """Returns the report as Markdown."""
    images = self.store.run["images"]
    parts = [
        "# Comparison of codecs", f"{len(images)} images: {_some(images)}."]
    for anchor in self.anchors:
      parts += [f"## Against {anchor}", self.delta_table(anchor)]
    parts += [
        f"![]({name}.png)" for name in ("rate_psnr", "rate_ms_ssim",
                                        "rate_decode_seconds", "per_image")
        if os.path.exists(os.path.join(self.store.folder, name + ".png"))]
    if failures:
      parts += ["## Failed", "\n".join(f"- {failure}" for failure in failures)]
    parts += ["## Averages", CONVENTION, self.average_table()]
    parts += ["## Tools", "```\n" + "\n".join(sorted({
        json.dumps({key: value for key, value in facts.items()
                    if key not in ("options", "fingerprint", "q")})
        for facts in self._tools().values()})) + "\n```"]
    quoted = [name for name, curve in self.curves.items() if curve.published]
    if quoted:
      parts += ["## Published curves", "\n".join(
          f"- {name}: {published.describe(name[len(published.PREFIX):])}"
          for name in quoted)]
    machine = self.store.run["machine"]
    parts += ["## Machine", ", ".join(
        f"{name} {value}" for name, value in machine.items())]
    return "\n\n".join(parts) + "\n"

  def delta_table(self, anchor):
    """Returns the differences to an anchor as Markdown, with what has none."""
    rows = [["codec"]]
    for label in METRICS.values():
      rows[0] += [f"BD-rate {label} %", f"BD-{label} dB", "over dB",
                  "by image: mean (min to max) %"]
    reasons = {}
    for codec in self.curves:
      found = [
          row for row in self.deltas
          if (row["anchor"], row["codec"]) == (anchor, codec)]
      if any(row["reason"] is None for row in found):
        rows.append([codec, *(cell for row in found for cell in _cells(row))])
      for row in found:
        if row["reason"]:
          reasons.setdefault(row["reason"], []).append(
              f"{codec} ({METRICS[row['metric']]})")
    parts = [table(rows)]
    if reasons:
      parts.append("Not compared:\n\n" + "\n".join(
          f"- {', '.join(names)}: {reason}" for reason, names in reasons.items()))
    return "\n\n".join(parts)

  def average_table(self):
    """Returns the averages as a Markdown table."""
    asked = {title: name for title, name in (
        ("LPIPS", "lpips"), ("FID", "fid"), ("KID", "kid"))
             if any(row[name] is not None for row in self.averages)}
    rows = [["codec", "setting", "bpp", "PSNR dB", "Y-PSNR dB", "MS-SSIM",
             "MS-SSIM dB", "SSIM", "Wasserstein", *asked, "encode s", "decode s",
             "MiB", "images"]]
    for row in self.averages:
      rows.append([
          row["codec"], "-" if row["setting"] is None else str(row["setting"]),
          f"{row['bpp']:.3f}", _figure(row["psnr"], 2),
          _figure(row["psnr_y"], 2), _figure(row["ms_ssim"], 4),
          _figure(row["ms_ssim_db"], 2), _figure(row["ssim"], 4),
          _figure(row["wasserstein"], 4),
          *(_figure(row[name], 4) for name in asked.values()),
          f"{row['encode_seconds']:.3f}", f"{row['decode_seconds']:.3f}",
          f"{row['peak_mib']:.0f}", str(row["images"])])
    return table(rows)


def table(rows):
  """Returns rows of texts, the first the header, as an aligned Markdown table."""
  widths = [max(len(row[column]) for row in rows)
            for column in range(len(rows[0]))]
  lines = [
      "| " + " | ".join(
          cell.ljust(width) for cell, width in zip(row, widths)) + " |"
      for row in rows]
  lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
  return "\n".join(lines)


def _cells(found):
  """Returns four cells of the table of differences."""
  each = "-" if found["images"] is None else (
      f"{found['image_mean_percent']:+.1f} ({found['image_min_percent']:+.1f} "
      f"to {found['image_max_percent']:+.1f})")
  if found["reason"]:
    return ["-", "-", "-", each]
  return [f"{found['bd_rate_percent']:+.1f}", f"{found['bd_quality_db']:+.2f}",
          f"{found['low_db']:.1f} to {found['high_db']:.1f}", each]


def _figure(value, digits):
  return "-" if value is None else f"{value:.{digits}f}"


def _some(names):
  names = list(names)
  return ", ".join(names if len(names) <= 4 else [*names[:2], "...", names[-1]])
