"""From a file of another toolkit to a training directory."""

import json
import logging
import os

import numpy as np

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import registry
from tfc_models.convert import (
  integers,
  metagraph_run,
  self_test,
  sources,
  tables,
)
from tfc_models.datasets.files import find_images, read_image
from tfc_models.datasets.samples import photographs
from tfc_models.errors import UsageError
from tfc_models.fileio import check_output, write_atomically
from tfc_models.layers import ExactConv2D, ExactConv2DTranspose
from tfc_models.modeling import weights as weight_files
from tfc_models.pretrained.loader import TRAINED_FILE

_LOG = logging.getLogger(__name__)

# What is written into the directory.
FILES = (TRAINED_FILE, "convert.json")

# Of the rate that integers may cost: what is told, and what is too much.
WARN_EXCESS, MOST_EXCESS = 0.005, 0.03


def convert(path, output, model=None, quality=None, is_float=False, images=None,
            overwrite=False):
  """Writes the weights of a file as a training directory; returns its facts.

  The weights, and so the fingerprint, depend on nothing but the file, `model` and
  `is_float`: neither on the machine, nor on images.

  Args:
    path: of a file of torch that holds one of CompressAI's four networks, or of a
      graph that holds one of tfc's three.
    output: directory; model.npz and convert.json there are new, or replaced.
    model: registered name that the file is to be of; None takes what it is.
    quality: 1..8, of CompressAI's zoo, which notes lmbda; None takes it from the
      name.
    is_float: keep networks of real numbers, whose streams decode only where they
      were made, and all digits.
    images: file, folder or glob of photographs for the self-test; None takes those
      of scikit-image, or makes no test without it.
    overwrite: whether to replace what is there.

  Returns:
    dict as in convert.json.

  Raises:
    UsageError: if the file is not of such a network, or its integers would cost more
      than 3 % of the rate; nothing is written then.
  """
  for name in FILES:
    check_output(os.path.join(output, name), overwrite)
  source = sources.read(path)
  said, weights = source.said, source.weights
  lmbda = _lmbda(source, quality)
  try:
    for wanted in filter(None, (model, said.model)):
      if wanted != weights.model:
        raise UsageError(f"holds {weights.model}, not {wanted}")
    if source.seen:
      metagraph_run.check(source.seen, build(weights, True)[0])
    made, factors = build(weights, is_float)
  except UsageError as error:
    raise UsageError(f"{path}: {error}", argument=error.argument) from None
  facts = {
      "source": os.path.basename(path), "sha256": source.sha256,
      "distortion": said.metric, "lmbda": lmbda, "licence": source.licence}
  facts = {key: value for key, value in facts.items() if value is not None}
  tested = _tested(path, weights, made, images) if factors else None
  info, data = weight_files.packed(made, 32 if is_float else 16, **facts)
  facts.update({key: info[key] for key in (
      "model", "arguments", "parameters", "fingerprint")})
  facts.update(scales=factors, self_test=tested)
  write_atomically(os.path.join(output, FILES[0]), data, overwrite)
  text = json.dumps(facts, indent=2) + "\n"
  write_atomically(os.path.join(output, FILES[1]), text.encode(), overwrite)
  return facts


def _lmbda(source, quality):
  """Returns the lmbda that weights were trained at, or None if nobody says."""
  if source.lmbdas is None:
    if quality is not None:
      raise UsageError("nobody says which lmbda the qualities of tfc's models stand for")
    return None
  lmbdas = source.lmbdas[source.said.metric or "mse"]
  quality = quality or source.said.quality
  if quality is not None and not 1 <= quality <= len(lmbdas):
    raise UsageError(f"quality must lie in 1..{len(lmbdas)}, got {quality}")
  return quality and lmbdas[quality - 1]


def build(weights, is_float):
  """Returns a model with weights and all tables, and the factors of its layers.

  Args:
    weights: `weights.Weights`.
    is_float: whether to keep networks of real numbers.

  Returns:
    the model; a dict as of `integers.scaled`, None for models without integers.
  """
  arguments = dict(
      num_filters=weights.num_filters, latent_depth=weights.latent_depth,
      origin=weights.origin)
  arrays, factors = weights.arrays, None
  has_hyper = weights.latent == "z_codec"
  if has_hyper:
    arguments["exact"] = not is_float
    if not is_float:
      arrays, factors, bits = integers.scaled(weights)
      if bits is not None:
        arguments["context_bits"] = bits
  model = registry.create(weights.model, **arguments).build_variables()
  cdfs = {weights.latent: weights.tables}
  if has_hyper:
    joint = weights.model == "mbt2018"
    cdfs["y_codec/codec" if joint else "y_codec"] = tables.gaussian_tables()
  rest = {f"{latent}/tables/{name}": array for latent, pair in cdfs.items()
          for name, array in zip(("cdf", "cdf_offset"), pair)}
  # Integer kernels get theirs from what is assigned.
  rest.update({
      name: variable.numpy() for name, variable
      in weight_files.variables_by_path(model).items() if name.endswith("kernel_bits")})
  try:
    weight_files.assign(model, {**arrays, **rest})
    for codec in model.latent_codecs():
      if hasattr(codec, "tables"):
        codec.tables.check()
  except ValueError as error:
    raise UsageError(str(error)) from None
  for layer in model.submodules:
    if isinstance(layer, (ExactConv2D, ExactConv2DTranspose)):
      if not is_float:
        _check_half(layer)
      layer.fix_tables()
  return model, factors


def _check_half(layer):
  """Raises UsageError if weights of a layer of integers are beyond half precision."""
  for variable in (layer.kernel, layer.bias):
    if not np.max(np.abs(variable)) <= np.finfo(np.float16).max:
      raise UsageError(
          f"weights beyond half precision in {layer.name}", argument="is_float")


def _tested(path, weights, made, images):
  """Returns the figures of the self-test, or None where there are no photographs.

  Raises:
    UsageError: if integers cost too much.
  """
  if images is None:
    try:
      images = photographs()
    except UsageError:
      return None
  else:
    images = {os.path.basename(name): read_image(name) for name in find_images(images)}
  figures = self_test.compare(build(weights, True)[0], made, images)
  if not np.isfinite(figures["excess"]) or figures["excess"] > MOST_EXCESS:
    raise UsageError(
        f"{path}: as integers, its networks cost {figures['excess']:.2%} of the rate, "
        f"more than {MOST_EXCESS:.0%}", argument="is_float")
  if figures["excess"] > WARN_EXCESS:
    _LOG.warning("%s: as integers, its networks cost %.2f %% of the rate",
                 path, 100 * figures["excess"])
  return figures
