#!/usr/bin/env python3
"""Trains a bundle on whatever device jax finds; needs NumPy, Pillow and jax.

    python run_bundle.py --out RESULTS [--minutes 9] [--steps N]

Beside this file lie the program (the training step, compiled by TensorFlow to
HLO), the variables it starts from, and images. Every `--every` minutes, and at
the end, it writes to --out: shards below 15 MiB, weights first; results.json,
which names them; log.jsonl. A run that was cut off goes on with --resume=RESULTS.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import sys
import time

import numpy as np
from PIL import Image

PROGRAM_FILE = "step.hlo"
VARIABLES_FILE = "variables.npz"
META_FILE = "meta.json"
IMAGE_DIR = "images"
RESULTS_FILE = "results.json"
LOG_FILE = "log.jsonl"

SHARD_BYTES = 14 * 2**20
# With log and results eight files, as many as some places let out.
MAX_SHARDS = 6

# Batches made ahead by threads.
_AHEAD = 16


def escape(name):
  """Returns a variable's name as key of an npz archive, in which / is a folder."""
  return name.replace("/", "|")


def unescape(key):
  """Returns the name that `escape` was given."""
  return key.replace("|", "/")


def load_program(path):
  """Compiles an HLO file for the first device.

  The only place with names that jaxlib keeps to itself. Tried, on CPUs: jaxlib
  0.4.30 and 0.10.2 with Python 3.11, 0.11.2 with Python 3.12.

  Returns:
    a function from a list of arrays to the list of results, and the device.
  """
  import jax
  import jaxlib
  jax.config.update("jax_enable_x64", True)  # Keras counts steps in int64.
  device = jax.devices()[0]
  print(f"python {sys.version.split()[0]}, jax {jax.__version__}, jaxlib "
        f"{jaxlib.__version__}, numpy {np.__version__}, {device.device_kind} "
        f"({device.platform})", flush=True)
  with open(path, "rb") as file:
    program = file.read()
  start = time.monotonic()
  try:
    from jax._src.lib import xla_client
    mlir = xla_client._xla.mlir
    module = mlir.xla_computation_to_mlir_module(
        xla_client.XlaComputation(program))
    if hasattr(device.client, "compile_and_load"):
      executable = device.client.compile_and_load(
          module, xla_client.DeviceList((device,)), xla_client.CompileOptions())
    else:
      executable = device.client.compile(module)
    execute = executable.execute_sharded
  except (AttributeError, ImportError, TypeError) as error:
    sys.exit(f"run_bundle: jaxlib {jaxlib.__version__} does not load HLO the "
             f"way 0.4.30, 0.10.2 and 0.11.2 do ({error}); install one of those")
  print(f"compiled in {time.monotonic() - start:.1f} s", flush=True)

  def call(arrays):
    results = execute(arrays).disassemble_into_single_device_arrays()
    return [r[0] if isinstance(r, (list, tuple)) else r for r in results]

  return call, device


def open_images(folder):
  """Returns the images of a folder, decoded, in the order of their names."""
  paths = sorted(glob.glob(os.path.join(folder, "*.jpg")))
  if not paths:
    sys.exit(f"run_bundle: no images in {folder}")

  def read(path):
    with Image.open(path) as image:
      return image.convert("RGB")

  with concurrent.futures.ThreadPoolExecutor() as pool:
    return list(pool.map(read, paths))


def batches(images, shape, first, options):
  """Yields uint8 arrays of `shape`, (steps, batch, ...) or (batch, ...).

  They are those that TensorFlow would train on, from batch number `first` on.

  Args:
    images: list of PIL images.
    shape: of an array.
    first: int.
    options: dict with patch_size, seed and max_downscale.
  """
  import patches
  count = int(np.prod(shape[:-3]))
  per_step = shape[-4]

  def patch(index):
    image = images[patches.locate(index, len(images), options["seed"])]
    return patches.cut(image, index, **options)

  def make(call):
    start = first * per_step + call * count
    return np.stack([patch(start + i) for i in range(count)]).reshape(shape)

  workers = max(1, (os.cpu_count() or 2) - 1)
  with concurrent.futures.ThreadPoolExecutor(workers) as pool:
    waiting = [pool.submit(make, call) for call in range(_AHEAD)]
    call = _AHEAD
    while True:
      yield waiting.pop(0).result()
      waiting.append(pool.submit(make, call))
      call += 1


def read_state(folder, meta):
  """Returns the variables that a bundle starts from, a dict of arrays."""
  with np.load(os.path.join(folder, VARIABLES_FILE)) as archive:
    state = {unescape(key): archive[key] for key in archive.files}
  state = {name: value.astype(meta["dtypes"][name])
           for name, value in state.items()}
  for name, shape in meta["zeros"].items():
    state[name] = np.zeros(shape, meta["dtypes"][name])
  for name, other in meta["same"].items():
    state[name] = state[other].copy()
  return state


def read_results(folder, state):
  """Replaces in `state` what an earlier run wrote; returns its results.json."""
  with open(os.path.join(folder, RESULTS_FILE), encoding="utf-8") as file:
    results = json.load(file)
  for name in results["shards"]:
    with np.load(os.path.join(folder, name)) as shard:
      for key in shard.files:
        state[unescape(key)] = shard[key]
  if not results["complete"]:
    print("resuming without the optimizer's state, which was not kept")
  return results


def shards(state, limit=SHARD_BYTES, most=MAX_SHARDS):
  """Returns a list of dicts of arrays, weights first, and whether all is in.

  What does not fit into `most` shards of `limit` bytes is left out: first what
  the optimizer keeps, then the averages; never a part of either.
  """
  groups = [
      {n: v for n, v in state.items() if n.startswith("model/")},
      {n: v for n, v in state.items() if n.startswith("average/")},
      {n: v for n, v in state.items() if n.startswith("optimizer/")}]
  done, complete = [], True
  for group in groups:
    added = []
    for name in sorted(group):
      if not added or sum(
          v.nbytes for v in added[-1].values()) + group[name].nbytes > limit:
        added.append({})
      added[-1][name] = group[name]
    if done and len(done) + len(added) > most:
      complete = False
    else:
      done += added
  return done, complete


def save(folder, state, results):
  """Writes shards, then results.json, then deletes the shards before them."""
  parts, complete = shards({n: np.asarray(v) for n, v in state.items()})
  names = []
  for number, part in enumerate(parts):
    name = f"shard-{results['step']:08d}-{number}.npz"
    with open(os.path.join(folder, name), "wb") as file:
      np.savez(file, **{escape(key): value for key, value in part.items()})
    names.append(name)
  path = os.path.join(folder, RESULTS_FILE)
  with open(path + ".new", "w", encoding="utf-8") as file:
    json.dump(dict(results, shards=names, complete=complete), file, indent=2)
  os.replace(path + ".new", path)
  for old in glob.glob(os.path.join(folder, "shard-*.npz")):
    if os.path.basename(old) not in names:
      os.unlink(old)


def parse(argv=None):
  """Returns the arguments of the command line."""
  parser = argparse.ArgumentParser(
      description=__doc__.split("\n", maxsplit=1)[0])
  parser.add_argument("--out", required=True, help="folder for the results")
  parser.add_argument("--resume", help="folder of results to go on from")
  parser.add_argument(
      "--minutes", type=float, default=0.0,
      help="stop after so long, compilation included; 0: when the steps are done")
  parser.add_argument(
      "--anneal", action="store_true",
      help="the schedule of the learning rate ends with --minutes, if earlier")
  parser.add_argument("--steps", type=int, help="instead of the recipe's")
  parser.add_argument("--learning_rate", type=float, help="likewise")
  parser.add_argument("--lmbda", type=float, help="likewise")
  parser.add_argument("--seed", type=int, help="likewise")
  parser.add_argument(
      "--every", type=float, default=2.0, help="minutes between checkpoints")
  parser.add_argument(
      "--log_every", type=int, default=50, help="steps between lines of the log")
  return parser.parse_args(argv)


def main(arguments):
  """Runs the bundle that this file lies in; returns the exit code."""
  began = time.monotonic()
  folder = os.path.dirname(os.path.abspath(__file__))
  import schedules
  with open(os.path.join(folder, META_FILE), encoding="utf-8") as file:
    meta = json.load(file)
  train, data = meta["config"]["train"], meta["config"]["data"]
  for name in ("steps", "learning_rate", "lmbda", "seed"):
    if getattr(arguments, name) is not None:
      train[name] = getattr(arguments, name)
  call, device = load_program(os.path.join(folder, PROGRAM_FILE))
  import jax
  state = read_state(folder, meta)
  step, before = int(state["control/step"]), meta["seconds"]
  if arguments.resume:
    results = read_results(arguments.resume, state)
    step, before = results["step"], results["seconds"]
  main_rate = "control/learning_rate"
  rates = {**meta["learning_rates"], main_rate: train["learning_rate"]}
  state["control/step"] = np.asarray(step, state["control/step"].dtype)
  state["control/lmbda"] = np.float32(train["lmbda"])
  state["control/seed"] = np.int32(train["seed"])
  state = {name: jax.device_put(value, device) for name, value in state.items()}
  images = open_images(os.path.join(folder, IMAGE_DIR))
  source = batches(images, meta["images"], step, {
      "patch_size": data["patch_size"], "seed": train["seed"],
      "max_downscale": data["max_downscale"]})
  per_call, batch = meta["steps_per_call"], meta["images"][-4]
  os.makedirs(arguments.out, exist_ok=True)
  log = open(os.path.join(arguments.out, LOG_FILE), "a", encoding="utf-8")
  start = reported = saved = time.monotonic()
  pending, figures, first = [], {}, step

  def report():
    """Fetches the figures since the last report; ends a run that broke."""
    nonlocal reported, figures
    if not pending:
      return
    values = np.mean([np.asarray(values) for values in pending], axis=0)
    now = time.monotonic()
    figures = dict(zip(meta["figures"], map(float, values)))
    line = {"step": step, "seconds": round(before + now - start, 2),
            "learning_rate": now_rates[main_rate], **figures,
            "patches_per_second": round(
                len(pending) * per_call * batch / (now - reported), 2)}
    reported = now
    pending.clear()
    log.write(json.dumps(line) + "\n")
    log.flush()
    print(" ".join(f"{k} {v:.5g}" for k, v in line.items()), flush=True)
    if not np.isfinite(values).all():
      sys.exit(f"run_bundle: not finite by step {step}; the last checkpoint in "
               f"{arguments.out} is good")

  def checkpoint():
    nonlocal saved
    report()
    save(arguments.out, state, {
        "step": step, "seconds": before + time.monotonic() - start,
        "figures": figures, "config": meta["config"]})
    saved = time.monotonic()

  while step < train["steps"]:
    now = time.monotonic()
    if arguments.minutes and now - began >= 60 * arguments.minutes:
      break
    progress = schedules.progress(
        step, train["steps"], now - began,
        arguments.minutes if arguments.anneal else 0.0)
    now_rates = {
        name: schedules.learning_rate(
            rate, train["schedule"], train["decay_at"], progress)
        for name, rate in rates.items()}
    state.update({name: jax.device_put(np.float32(rate), device)
                  for name, rate in now_rates.items()})
    inputs = [jax.device_put(next(source), device)]
    outputs = call(inputs + [state[name] for name in meta["captured"]])
    for name, index in meta["updates"].items():
      state[name] = outputs[index]
    pending.append(outputs[0])
    step += per_call
    if len(pending) * per_call >= arguments.log_every:
      report()
    if time.monotonic() - saved >= 60 * arguments.every:
      checkpoint()
  checkpoint()
  seconds = time.monotonic() - start
  print(f"{step - first} steps in {seconds:.1f} s, "
        f"{(step - first) * batch / seconds:.1f} patches/s", flush=True)
  return 0


if __name__ == "__main__":
  sys.exit(main(parse()))
