"""How long a model takes, stage by stage, and how much memory."""

import io
import os
import platform
import statistics
import time

import numpy as np
import tensorflow as tf
from PIL import Image

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import codecs, configs, memory, metrics, pretrained, registry
from tfc_models.codecs import loading
from tfc_models.datasets.files import read_image, rgb_image
from tfc_models.inspection import peers, wavefronts
from tfc_models.ops import probe


def benchmark(name, height, width, *, repeat=10, train=False, batch=8,
              patch=256, peer_python=None, image=None, effort=loading.DEFAULT_EFFORT):
  """Returns a dict of medians over `repeat` runs, after one to warm up.

  Args:
    name: shipped weights, or RECIPE[:VARIANT], which gets random weights that
      are scaled so that latents have a standard deviation of 1.
    height, width: of the image.
    repeat: int.
    train: also time a training step.
    batch, patch: of the training step.
    peer_python: interpreter with CompressAI, timed in turn with ours.
    image: file to take the pixels from, resized; None makes some.
    effort: of the encoder.

  Returns:
    dict with encode and decode, each from stage to seconds and "total", MiB of
    peak memory of this process, pixels per second, "walks", a list of
    `wavefronts.measure` for each autoregressive latent, and, with `train` and
    `peer_python`, "train_step" and "peer" with its seconds and our ratio.
  """
  pixels = _pixels(height, width, image)
  codec, trained = _codec(name, pixels, effort)
  png = io.BytesIO()
  Image.fromarray(pixels).save(png, "PNG")
  sides = {"encode": [], "decode": []}
  codec.warm_up(pixels)
  data = codec.encode(pixels)
  peer = _peer(codec.model, peer_python, height, width, batch, patch)
  peer_seconds = {"encode": [], "decode": [], "train": []}
  for _ in range(repeat):
    sides["encode"].append(_encode(codec, png.getvalue()))
    sides["decode"].append(_decode(codec, data))
    if peer:
      for work in ("encode", "decode"):
        peer_seconds[work].append(peer.seconds(work))
  result = {
      "model": codec.model.registered_name, "recipe": name,
      "arguments": codec.model.arguments, "trained": trained, "effort": effort,
      "height": height, "width": width,
      "bpp": metrics.bits_per_pixel(len(data), height, width), "repeat": repeat}
  for side, runs in sides.items():
    result[side] = {
        stage: statistics.median(run[stage] for run in runs)
        for stage in runs[0]}
    result[f"{side}_pixels_per_second"] = (
        height * width / result[side]["total"])
  result["peak_mib"] = memory.peak_mib()
  result["walks"] = _walks(codec, data, repeat)
  if train:
    step = _train_step(codec.model, batch, patch)
    ours = []
    step()
    if peer:
      peer.seconds("train")
    for _ in range(max(repeat // 2, 3)):
      ours.append(_timed(step))
      if peer:
        peer_seconds["train"].append(peer.seconds("train"))
    result["train_step"] = {
        "seconds": statistics.median(ours), "batch": batch, "patch": patch,
        "patches_per_second": batch / statistics.median(ours),
        "peak_mib": memory.peak_mib()}
  if peer:
    peer.close()
    ours = {side: result[side]["total"] - result[side]["image I/O"]
            for side in sides}
    if train:
      ours["train"] = result["train_step"]["seconds"]
    result["peer"] = {"name": "CompressAI", **peer.versions}
    for work, seconds in ours.items():
      theirs = statistics.median(peer_seconds[work])
      result["peer"][work] = {"seconds": theirs, "ratio": seconds / theirs}
  result["machine"] = {
      "processor": platform.machine(), "cores": os.cpu_count(),
      "tensorflow": tf.__version__}
  return result


def _pixels(height, width, image):
  """Returns uint8 (height, width, 3): of a file, or smooth random colours."""
  if image:
    picture = rgb_image(read_image(image))
  else:
    small = np.random.default_rng(0).integers(
        0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    picture = Image.fromarray(small)
  return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def _codec(name, pixels, effort):
  """Returns a `LearnedCodec` and whether its weights are trained."""
  shipped = {entry["name"] for entry in pretrained.manifest()}
  if name in shipped or os.path.exists(name):
    return codecs.load(name, kinds=("image",), effort=effort), True
  config = configs.get(name)
  model = registry.create(
      config.model.name, **config.model.arguments.to_dict())
  model.build_variables()
  model.prepare([pixels[None, :128, :128]], config.train.lmbda)
  _scale_latents(model, pixels)
  model.fix_tables()
  return codecs.LearnedCodec(model, bytes(4)), False


def _scale_latents(model, pixels):
  """Gives random transforms of convolutions outputs of standard deviation 1."""
  if not isinstance(getattr(model, "analysis_transform", None),
                    tf.keras.Sequential):
    return
  x = model.to_batch(pixels)
  y = _scale_last(model.analysis_transform, x)
  if hasattr(model, "hyper_analysis_transform"):
    _scale_last(model.hyper_analysis_transform, tf.abs(y))


def _scale_last(transform, x):
  deviation = tf.math.reduce_std(transform(x))
  for variable in transform.layers[-1].trainable_variables:
    variable.assign(variable / deviation)
  return transform(x)


def _encode(codec, png):
  """Returns the seconds by stage from a PNG file to a stream."""
  start = time.perf_counter()
  image = read_image(png)
  loaded = time.perf_counter()
  with probe.listening() as events:
    codec.encode(image)
  return _stages(events, start, loaded - start)


def _decode(codec, data):
  """Returns the seconds by stage from a stream to a PNG file."""
  start = time.perf_counter()
  with probe.listening() as events:
    image = codec.decode(data)
  decoded = time.perf_counter()
  Image.fromarray(image).save(io.BytesIO(), "PNG")
  return _stages(events, start, time.perf_counter() - decoded)


def _stages(events, start, image_seconds):
  """Returns the seconds by stage, from what was noted."""
  total = time.perf_counter() - start
  model, hyper, refinement, coding = (
      probe.seconds(events, kind)
      for kind in ("model", "hyper", "refinement", "entropy coding"))
  return {
      "image I/O": image_seconds,
      "transform": model - hyper - refinement - coding, "hyper": hyper,
      "refinement": refinement, "entropy coding": coding,
      "container": total - image_seconds - model, "total": total}


def _walks(codec, data, repeat):
  """Returns where the time of each autoregressive latent of a stream goes."""
  with probe.listening() as events:
    codec.decode(data)
  return [wavefronts.measure(*value, repeat)
          for kind, value in events if kind == "walk"]


def _train_step(model, batch, patch):
  """Returns a function that takes one training step on a constant batch."""
  model.compile({
      network: tf.keras.optimizers.Adam(1e-4, global_clipnorm=1.0)
      for network in model.networks}, lmbda=0.01)
  images = tf.constant(np.random.default_rng(0).integers(
      0, 256, (batch, patch, patch, 3), np.uint8))
  step = tf.function(model.train_step)
  return lambda: float(step(images)["loss"])


def _timed(function):
  start = time.perf_counter()
  function()
  return time.perf_counter() - start


def _peer(model, python, height, width, batch, patch):
  """Returns CompressAI's model of the same name and widths, or None."""
  if not python:
    return None
  if model.registered_name not in peers.COMPRESSAI_MODELS:
    return None
  arguments = model.arguments
  return peers.CompressAI(
      python, model=model.registered_name,
      num_filters=arguments["num_filters"],
      latent_depth=arguments["latent_depth"], height=height, width=width,
      batch=batch, patch=patch, threads=os.cpu_count())
