"""The benchmark: stages add up, peers are timed in turn, refusals are clear."""

import json
import subprocess
import sys

import pytest

from tests.test_cli import fails
from tfc_models.errors import UsageError
from tfc_models.inspection import benchmark, peers

# Answers as `compressai_peer.py` does, in half a millisecond each.
PEER = """#!/bin/sh
read request; echo '{"compressai": "9.9", "torch": "9", "threads": 2}'
while read work; do echo 0.0005; done
"""


@pytest.fixture
def peer(tmp_path):
  path = tmp_path / "python"
  path.write_text(PEER)
  path.chmod(0o755)
  return str(path)


def test_stages_add_up_and_the_peer_is_compared(peer):
  result = benchmark.benchmark(
      "bmshj2018_hyperprior:tiny", 64, 96, repeat=3, train=True, batch=1,
      patch=64, peer_python=peer)
  assert (result["height"], result["width"]) == (64, 96)
  assert not result["trained"] and 0 < result["bpp"] < 24
  for side in ("encode", "decode"):
    stages = dict(result[side])
    total = stages.pop("total")
    assert list(stages) == [
        "image I/O", "transform", "hyper", "refinement", "entropy coding",
        "container"]
    assert stages.pop("refinement") == 0  # Of weights that are not trained.
    assert all(seconds > 0 for seconds in stages.values())
    # Medians of each stage need not be those of one run.
    assert 0.3 * total < sum(stages.values()) < 3 * total
    assert result[f"{side}_pixels_per_second"] == pytest.approx(64 * 96 / total)
    assert result["peer"][side]["ratio"] == pytest.approx(
        (total - stages["image I/O"]) / 0.0005)
  assert result["peer"]["train"]["ratio"] == pytest.approx(
      result["train_step"]["seconds"] / 0.0005)
  assert result["peak_mib"] > 100


def test_shipped_weights_are_timed_as_they_are():
  plain, refined = (
      benchmark.benchmark("tfcm-base", 33, 65, repeat=1, effort=effort)
      for effort in (1, 3))
  assert plain["trained"] and "peer" not in plain
  assert plain["encode"]["refinement"] == 0 < refined["encode"]["refinement"]
  assert refined["decode"]["refinement"] == 0


def test_an_environment_without_compressai_is_named():
  request = dict(model="mbt2018", num_filters=8, latent_depth=8, height=64,
                 width=64, batch=1, patch=64, threads=1)
  with pytest.raises(UsageError, match="No module named 'compressai'"):
    peers.CompressAI(sys.executable, **request)
  with pytest.raises(UsageError, match="/no/python: No such file"):
    peers.CompressAI("/no/python", **request)


@pytest.mark.slow
def test_the_verb_prints_a_table_and_writes_json(tmp_path):
  path = tmp_path / "figures.json"
  done = subprocess.run(
      [sys.executable, "-m", "tfc_models", "benchmark",
       "--models=bls2017:tiny", "--sizes=32x16", "--repeat=1", "--train",
       "--batch=1", "--patch=32", f"--json={path}"],
      capture_output=True, text=True, check=True)
  assert "entropy coding" in done.stdout and "patches/s" in done.stdout
  assert json.loads(path.read_text())[0]["model"] == "bls2017"


@pytest.mark.parametrize("words, reason", [
    (["--sizes=12"], "'12' is not WIDTHxHEIGHT"),
    (["--sizes=0x4"], "'0x4' has no pixels"),
    (["--models=nothing", "--repeat=1"], "no such recipe"),
])
def test_what_cannot_be_timed_is_refused(words, reason):
  fails(1, reason, "benchmark", *words)
