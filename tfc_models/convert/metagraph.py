"""The published models of tensorflow/compression, graphs whose weights are constants.

Layers are found by what they compute and by their order between the range coder and a
picture, not by their names.

Source: tensorflow/compression 1.3, layers/{signal_conv,gdn,entropy_models}.py and
  examples/{bmshj2018,tfci}.py.
"""

import re
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tfc_models.convert import fitting, tables, weights
from tfc_models.convert.frozen_graph import FrozenGraph, Tensor
from tfc_models.errors import UsageError

# No word on the weights was found.
LICENCE = (
    "tensorflow/compression: code under Apache-2.0, no licence of the weights is stated")

_NAME = re.compile(
    r"(?P<model>bmshj2018-factorized|bmshj2018-hyperprior|mbt2018-mean)"
    r"-(?P<metric>mse|msssim)-(?P<quality>[1-8])\.metagraph")
_CONVOLUTIONS = {"Conv2D": "conv", "Conv2DBackpropInput": "deconv"}
_MOST_CONVOLUTIONS = 32  # Of a signature; ours have 13.
_COMPARISONS = ("Greater", "GreaterEqual", "Less", "LessEqual")
_MOST_COMPARISONS = 256  # Of a scale with others.
_ANALYSIS = ["conv5/2", "norm"] * 3 + ["conv5/2"]
_HYPER_ANALYSIS = ["conv3/1", "conv5/2", "conv5/2"]
_HYPER_SYNTHESIS = ["deconv5/2", "deconv5/2", "conv3/1"]
_SYNTHESIS = ["deconv5/2", "norm"] * 3 + ["deconv5/2"]
# What published tables may differ from those of a Gaussian, half the sum of what their
# probabilities do; Laplacians differ by 0.1.
_MOST_DISTANCE = 0.01
# Of 2^-18, as of all parameters of GDN.
_PEDESTAL = 2.0**-36


class Stage(NamedTuple):
  """A convolution: what it sees before padding, and what comes out, biased.

  Attributes:
    node, inputs, output: as said.
    kernel: (k, k, in, out) array, of transposed ones (k, k, out, in).
    bias: (out,) array, or None.
  """

  node: str
  inputs: Tensor
  output: Tensor
  kernel: np.ndarray
  bias: Optional[np.ndarray]


class Latent(NamedTuple):
  """What a range coder codes: symbols of a sender, node that a receiver has them from.

  Attributes:
    symbols, decoded: as said.
    coder: node of the range decoder.
  """

  symbols: Tensor
  decoded: str
  coder: str


class Network(NamedTuple):
  """Where what is in a graph.

  Attributes:
    graph: `FrozenGraph`.
    image, picture: what a sender takes, what a receiver gives.
    shapes: dict from what a receiver takes to what the sender gives for it.
    y, z: `Latent`; z is None without a hyperprior.
    sent, received: `Stage`s of sender and receiver, one after the other.
  """

  graph: FrozenGraph
  image: Tensor
  picture: Tensor
  shapes: dict
  y: Latent
  z: Optional[Latent]
  sent: list
  received: list


def parse_name(name):
  """Returns the `weights.FileName` of a name without folders."""
  match = _NAME.fullmatch(name)
  if not match:
    return weights.FileName()
  return weights.FileName(
      match["model"], {"msssim": "ms-ssim"}.get(match["metric"], "mse"),
      int(match["quality"]))


def network_of(data):
  """Returns the `Network` of the bytes of a file.

  Raises:
    UsageError: if it is none that we know.
  """
  graph = FrozenGraph(data)
  (taken, given), (told, shown) = (
      graph.signature(name) for name in ("sender", "receiver"))
  if "input_image" not in taken or "output_image" not in shown:
    raise UsageError("signatures without input_image and output_image")
  encoders, decoders = (
      _coders(graph, tensors, f"UnboundedIndexRange{name}")
      for name, tensors in (("Encode", given.values()), ("Decode", shown.values())))
  if not 1 <= len(encoders) == len(decoders):
    raise UsageError(f"{len(encoders)} range encoders and {len(decoders)} decoders")
  latents = [
      Latent(graph.origin(graph.inputs(encoder)[0]),
             graph.nearest(decoder, "TensorArrayGatherV3"), decoder)
      for encoder, decoder in zip(encoders, decoders)]
  return Network(
      graph, taken["input_image"], shown["output_image"],
      {tensor.node: given[key] for key, tensor in told.items() if key in given},
      latents[-1], latents[0] if len(latents) > 1 else None,
      _stages(graph, [graph.inputs(encoder)[i] for encoder in encoders for i in (0, 1)]),
      _stages(graph, [shown["output_image"]]))


def identify(network):
  """Returns registered name, N, M.

  Raises:
    UsageError: if the layers are not those of a network that we know.
  """
  hyper = network.z is not None
  _check_layers(network, "sender", network.sent, _ANALYSIS + hyper * (
      _HYPER_ANALYSIS + _HYPER_SYNTHESIS))
  _check_layers(network, "receiver", network.received,
                hyper * _HYPER_SYNTHESIS + _SYNTHESIS)
  n, m = (network.sent[number].kernel.shape[3] for number in (0, 6))
  if not hyper:
    return "bmshj2018-factorized", n, m
  outputs = network.sent[-1].kernel.shape[3]
  if outputs not in (m, 2 * m):
    raise UsageError(f"{outputs} outputs price {m} channels")
  return "bmshj2018-hyperprior" if outputs == m else "mbt2018-mean", n, m


def scale_of(network):
  """Returns the tensor of scales that chooses the tables of y.

  Raises:
    UsageError: if nothing is compared, or tables are not those of Gaussians.
  """
  graph, coder = network.graph, network.y.coder
  names = [name for name in graph.ancestors([graph.inputs(coder)[1]])
           if graph.op(name) in _COMPARISONS
           and graph.attribute(name, "T").type == tf.float32.as_datatype_enum]
  compared, limits = set(), set()
  for name in names[:_MOST_COMPARISONS]:
    for tensor in map(graph.origin, graph.inputs(name)):
      above = graph.ancestors([tensor], [network.z.decoded])
      (compared if network.z.decoded in above else limits).add(tensor)
  if len(compared) != 1 or len(names) > _MOST_COMPARISONS:
    raise UsageError(f"tables chosen by {len(compared)} scales, not by one")
  scales = np.sort(np.concatenate([
      np.ravel(array) for array in graph.constants(sorted(limits))]))
  symbols, masses = tables.masses(*_tables(network, network.y))
  if len(masses) != len(scales) + 1:
    raise UsageError(f"{len(masses)} tables for {len(scales)} scales")
  for scale, row, mass in zip(scales, symbols, masses):
    error = mass - tables.gaussian_masses(scale, row)
    if not 0.5 * np.abs(error[mass > 0.0]).sum() < _MOST_DISTANCE:
      raise UsageError(f"a table for the scale {scale:.3g} that is no Gaussian's")
  return compared.pop()


def weights_of(network, medians, scales_first):
  """Returns the `Weights` of a network.

  Args:
    medians: (C,), see `metagraph_run.medians_of`.
    scales_first: whether scales come before means in what predicts both.
  """
  model, n, m = identify(network)
  hyper = network.z is not None
  found = _transform(network, network.sent[:7], "analysis_transform")
  found.update(_transform(network, network.received[-7:], "synthesis_transform"))
  if hyper:
    found.update(_layers(network, network.sent[7:10], "hyper_analysis_transform"))
    found.update(
        _layers(network, network.received[:3], "hyper_synthesis_transform"))
  if not scales_first:
    for part in ("kernel", "bias"):
      path = f"hyper_synthesis_transform/layer-2/{part}"
      found[path] = np.roll(found[path], m, axis=-1)
  coding = _tables(network, network.z or network.y)
  return weights.assembled(
      "tfc", model, n, m, found, medians, fitting.density_of(*coding), coding)


def _coders(graph, tensors, op):
  """Returns the nodes of range coders; what another's choice of tables sees is first."""
  names = [name for name in graph.ancestors(tensors) if graph.op(name) == op]
  if len(names) > 2:
    raise UsageError(f"{len(names)} nodes of {op}")
  if any(graph.attribute(name, "precision").i != tables.PRECISION for name in names):
    raise UsageError(f"tables of another precision than {tables.PRECISION} bits")
  return sorted(names, key=lambda name: len(_convolutions(
      graph, [graph.inputs(name)[1]])))


def _convolutions(graph, tensors):
  return [name for name in graph.ancestors(tensors) if graph.op(name) in _CONVOLUTIONS]


def _stages(graph, tensors):
  """Returns the `Stage`s that tensors depend on."""
  names = _convolutions(graph, tensors)
  if len(names) > _MOST_CONVOLUTIONS:
    raise UsageError(f"{len(names)} convolutions")
  above = {name: len(_convolutions(graph, graph.inputs(name))) for name in names}
  if sorted(above.values()) != list(range(len(names))):
    raise UsageError("convolutions that are not one after the other")
  found = [_around(graph, name) for name in sorted(names, key=above.get)]
  arrays = iter(graph.constants(
      [tensor for *_, kernel, bias in found for tensor in (kernel, bias) if tensor]))
  stages = [Stage(*ends, next(arrays), next(arrays) if bias else None)
            for *ends, _, bias in found]
  if any(stage.kernel.ndim != 4 for stage in stages):
    raise UsageError("a kernel that has not four axes")
  return stages


def _around(graph, name):
  """Returns a `Stage` with tensors in place of arrays."""
  data, kernel = (0, 1) if graph.op(name) == "Conv2D" else (2, 1)
  inputs = graph.inputs(name)
  before = graph.origin(inputs[data])
  if graph.op(before.node) == "Pad":
    before = graph.origin(graph.inputs(before.node)[0])
  output, bias = name, None
  while bias is None:  # Past what crops.
    consumers = graph.consumers(output)
    if len(consumers) != 1 or (
        graph.op(consumers[0]) not in ("BiasAdd", "Identity", "StridedSlice")):
      break
    output = consumers[0]
    if graph.op(output) == "BiasAdd":
      bias = graph.inputs(output)[1]
  return name, before, Tensor(output, 0), inputs[kernel], bias


def _check_layers(network, side, stages, wanted):
  found = []
  for stage in stages:
    op = _CONVOLUTIONS[network.graph.op(stage.node)]
    strides = list(network.graph.attribute(stage.node, "strides").list.i)
    size, stride = (
        a[0] if len(set(a)) == 1 else "?"
        for a in (stage.kernel.shape[:2], strides[1:3]))
    found.append("norm" if (op, size) == ("conv", 1) else f"{op}{size}/{stride}")
  if found != wanted:
    raise UsageError(f"its {side} is {' '.join(found)}, wanted {' '.join(wanted)}")


def _layers(network, stages, path):
  """Returns the arrays of convolutions one after the other."""
  found = {}
  for number, (node, *_, kernel, bias) in enumerate(stages):
    if bias is None:
      bias = np.zeros(kernel.shape[3 if network.graph.op(node) == "Conv2D" else 2])
    found.update(weights.centred(f"{path}/layer-{number}", kernel, bias))
  return found


def _transform(network, stages, path):
  """Returns the arrays of convolutions with GDN between them."""
  found = _layers(network, stages, path)
  for number in range(1, 7, 2):
    layer = f"{path}/layer-{number}"
    for name, part in (("kernel", "gamma"), ("bias", "beta")):
      value = found.pop(f"{layer}/{name}")
      value = np.maximum(np.float64(value[0, 0] if part == "gamma" else value), 0.0)
      found[f"{layer}/_{part}_parameter/variable"] = np.float32(
          np.sqrt(value + _PEDESTAL))
  return found


def _tables(network, latent):
  """Returns cdf and cdf_offset, see `tables.joined`."""
  graph = network.graph
  # In the precision of their source, which rounds lengths and offsets up.
  cdf, lengths, offsets = graph.evaluate(
      [graph.origin(tensor) for tensor in graph.inputs(latent.coder)[2:5]])
  if not (cdf.ndim == 2 and lengths.shape == offsets.shape == cdf.shape[:1]
          and all(2 < length <= cdf.shape[1] and row[0] == 0 and np.all(np.diff(row) > 0)
                  and row[-1] == 2**tables.PRECISION for length, row in (
                      (length, row[:length]) for length, row in zip(lengths, cdf)))):
    raise UsageError("tables that are none")
  return tables.stored_tables(cdf, lengths, offsets)
