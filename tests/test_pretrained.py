"""Shipped weights are whole, and old streams decode to the same pictures."""

import hashlib
import os
import pathlib

import numpy as np
import pytest

from tfc_models import pretrained, zoo
from tfc_models.codecs import PillowCodec, StreamDecoder, load, open_weights
from tfc_models.errors import UsageError
from tfc_models.pretrained.loader import weight_path
from tfc_models.weight_info import read_info

GOLDEN = pathlib.Path(__file__).parent / "golden"
ENTRIES = pretrained.manifest()
# Grey levels by which synthesis transforms may differ between machines.
PEAK, RMS = 1.0, 0.1
BASE = [entry for entry in ENTRIES if entry["name"] == "tfcm-base"]


def label(entry):
  return f"{entry['name']}-q{entry['quality']}"


def picture(size=160):
  from skimage import data
  return data.astronaut()[60:60 + size, 150:150 + size]


@pytest.mark.parametrize("entry", ENTRIES, ids=label)
def test_weights_are_those_of_the_manifest(entry):
  with open(weight_path(entry), "rb") as file:
    content = file.read()
  assert hashlib.sha256(content).hexdigest() == entry["sha256"]
  assert len(content) == entry["bytes"]
  info = read_info(weight_path(entry))
  for key in ("fingerprint", "parameters", "lmbda"):
    assert info[key] == entry[key]
  assert entry["name"].startswith(info["model"])


@pytest.mark.parametrize("entry", ENTRIES, ids=label)
def test_golden_streams_decode(entry):
  folder = GOLDEN / label(entry)
  if os.environ.get("UPDATE_GOLDEN"):
    zoo.write_golden(folder, open_weights(weight_path(entry), entry["quality"]))
  (stream,) = folder.glob("stream.*")
  decoder = PillowCodec("JPEG") if stream.suffix == ".jpg" else StreamDecoder()
  decoded = decoder.decode(stream.read_bytes())
  expected = PillowCodec("PNG").decode((folder / "pixels.png").read_bytes())
  difference = decoded.astype(float) - expected
  assert np.abs(difference).max() <= PEAK
  assert np.sqrt(np.mean(difference**2)) <= RMS


def test_every_golden_stream_has_its_weights():
  assert {p.name for p in GOLDEN.iterdir()} == {label(e) for e in ENTRIES}


def test_quality_takes_the_nearest_rate_and_says_which():
  qualities = [entry["quality"] for entry in BASE]
  for asked in (1, 30, 49, 51, 70, 100):
    codec = load("tfcm-base", asked)
    assert codec.quality == min(qualities, key=lambda q: abs(q - asked))
  assert load().quality == 50


def test_higher_quality_means_more_bytes_and_more_decibels():
  from tfc_models.evaluation import measure
  records = [measure(load("tfcm-base", e["quality"]), picture()) for e in BASE]
  assert len(records) == 4
  for one, next_one in zip(records, records[1:]):
    assert one.num_bytes < next_one.num_bytes and one.psnr < next_one.psnr


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_out_of_range_is_refused(quality):
  with pytest.raises(UsageError, match="1..100"):
    load("tfcm-base", quality)


@pytest.mark.slow
def test_weights_for_another_metric_are_better_at_it():
  from tfc_models.evaluation import measure
  assert pretrained.tuned("tfcm-flex-ms-ssim", "psnr") == "tfcm-flex"
  # MS-SSIM needs 176 pixels a side.
  plain = measure(load(quality=50, tune="psnr"), picture(192))
  tuned = measure(load(quality=60, tune="ms-ssim"), picture(192))
  assert tuned.num_bytes < plain.num_bytes
  assert tuned.ms_ssim > plain.ms_ssim and tuned.psnr < plain.psnr


def test_what_is_not_tuned_says_what_is():
  with pytest.raises(UsageError, match="mbt2018: no weights .* some of tfcm-flex$"):
    load("mbt2018", tune="ms-ssim")


def test_weights_leave_room_in_a_repository_of_100_mib():
  assert sum(entry["bytes"] for entry in ENTRIES) < 95 * 2**20
