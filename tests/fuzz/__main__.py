"""Fuzzes the reader of strangers' files, and the model server.

    python -m tests.fuzz --seconds 60 --seed 1 [--kind structured|raw|requests]

Only a picture or a BitstreamError may come out; of a server, an answer that does not
say that it failed. Cases are made and decoded in a
process of their own; one that takes too long, ends it, or raises something else is
kept as a file, and the rest goes on. The cases of a seed are always the same.
"""

import argparse
import collections
import hashlib
import os
import pathlib
import sys
import time

from tests.fuzz.worker import Worker

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def main():
  arguments = _arguments()
  print(f"{arguments.kind}, seed {arguments.seed}", flush=True)
  counts = collections.Counter()
  slowest, peak, honest = (0.0, None), 0.0, 0.0
  worker = Worker(arguments, 0)
  start, number = time.monotonic(), 0
  shown = start
  while number < arguments.cases:
    if time.monotonic() - start > arguments.seconds:
      break
    report = worker.next()
    if report[0] == "ready":
      honest = report[1]
      continue
    if report[0] == "done":
      _, number, outcomes, seconds, slow, mib = report
      counts.update(outcomes)
      slowest, peak = max(slowest, (seconds, slow)), max(peak, mib)
      number += 1
    else:
      kind, number, data, text = report
      counts[kind] += 1
      _keep(arguments.keep, kind, number, data, text)
      number += 1
      if kind != "error":
        worker.stop()
        worker = Worker(arguments, number)
    if time.monotonic() - shown > 60.0:
      shown = time.monotonic()
      print(f"{number} cases, {dict(counts)}", flush=True)
  worker.stop()
  print(f"{sum(counts.values())} cases in {time.monotonic() - start:.0f} s")
  for outcome, count in counts.most_common():
    print(f"{count:>9} {outcome}")
  print(f"slowest {slowest[0]:.2f} s (case {slowest[1]}), peak {peak:.0f} MiB, "
        f"of good files {honest:.0f} MiB")
  return 1 if {"error", "hang", "crash"} & set(counts) else 0


def _arguments():
  parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
  parser.add_argument("--seconds", type=float, default=60.0)
  parser.add_argument("--cases", type=int, default=2**62)
  parser.add_argument("--seed", type=int, default=1)
  parser.add_argument(
      "--kind", choices=["structured", "raw", "requests"], default="structured")
  parser.add_argument(
      "--models", nargs="*", default=(), help="shipped ones, all by default")
  parser.add_argument(
      "--limit", type=float, default=30.0, help="seconds that a case may take")
  parser.add_argument(
      "--keep", default="fuzz-failures", help="folder of the cases that failed")
  return parser.parse_args()


def _keep(folder, kind, number, data, text):
  """Writes a case, called by its content, and what happened, beside it."""
  path = pathlib.Path(folder)
  path.mkdir(parents=True, exist_ok=True)
  name = f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}"
  (path / f"{name}.tfcm").write_bytes(data)
  (path / f"{name}.txt").write_text(f"case {number}\n{text}\n")
  print(f"{kind}: case {number}, {path / name}.tfcm\n{text}", flush=True)


if __name__ == "__main__":
  sys.exit(main())
