"""Graphs of TensorFlow from elsewhere, read with doubt.

A `MetaGraphDef` is a program, whose operations may read files or call Python. It is
never imported as it is: what somebody asks for is computed by a graph of its own, of
operations that are on a list, do nothing but arithmetic, and make nothing too large.
"""

import collections

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from tfc_models.errors import UsageError

# Of a graph, and of the numbers that any of its operations may make.
_MAX_NODES = 2**16
_MAX_NUMBERS = 2**27

_ARITHMETIC = frozenset("""
    Abs Add AddN AddV2 BiasAdd Cast Ceil ClipByValue Complex ConcatV2 Const Conv2D
    Conv2DBackpropInput EnsureShape Exp ExpandDims Floor FloorDiv FloorMod IRFFT IRFFT2D
    Identity IdentityN LeakyRelu MatMul Maximum Minimum MirrorPad Mul Neg Pack Pad PadV2
    Pow RealDiv Relu Reshape ReverseV2 Rint Round Rsqrt Shape Slice Split SplitV Sqrt
    Square Squeeze StopGradient StridedSlice Sub Sum Transpose""".split())
# What hands on what it was given, and from which of its inputs, None for the one of
# the output's number; of `TensorArray`s, which loops read, those that hold the whole
# are found by their flow.
_HANDS_ON = {"Enter": 0, "Identity": 0, "IdentityN": None, "StopGradient": 0,
             "TensorArrayReadV3": 2, "TensorArrayScatterV3": 2}
_DOUBLE = {single.as_datatype_enum: double.as_datatype_enum for single, double in (
    (tf.float32, tf.float64), (tf.complex64, tf.complex128))}


class Tensor(collections.namedtuple("Tensor", "node output")):
  """An output of a node, by the name of that."""


class FrozenGraph:
  """The nodes and signatures of a `MetaGraphDef` without variables.

  Args:
    data: its bytes.

  Raises:
    UsageError: if they are none.
  """

  def __init__(self, data):
    meta_graph = tf.compat.v1.MetaGraphDef()
    try:
      meta_graph.ParseFromString(data)
    except DecodeError:
      raise UsageError("not a MetaGraphDef that can be read") from None
    self._graph_def, self._signatures = meta_graph.graph_def, meta_graph.signature_def
    self._nodes = {node.name: node for node in self._graph_def.node}
    if not len(self._nodes) == len(self._graph_def.node) <= _MAX_NODES:
      raise UsageError(f"{len(self._graph_def.node)} nodes, or two of one name")
    self._consumers = collections.defaultdict(list)
    for name in self._nodes:
      for tensor in self.inputs(name):
        self._consumers[tensor.node].append(name)

  def signature(self, name):
    """Returns the inputs and the outputs of a signature, dicts from key to `Tensor`."""
    if name not in self._signatures:
      raise UsageError(f"no signature {name!r}")
    found = self._signatures[name]
    return tuple({key: _tensor(info.name) for key, info in sorted(part.items())}
                 for part in (found.inputs, found.outputs))

  def op(self, name):
    """Returns what kind of operation a node is."""
    return self._node(name).op

  def attribute(self, name, key):
    """Returns an attribute, an `AttrValue`."""
    return self._node(name).attr[key]

  def inputs(self, name):
    """Returns the tensors that a node takes."""
    return [_tensor(text) for text in self._node(name).input if text[:1] != "^"]

  def consumers(self, name):
    """Returns the names of nodes that take an output of a node."""
    return self._consumers[name]

  def origin(self, tensor):
    """Returns the tensor that comes from elsewhere through loops as a given one."""
    seen = set()
    while tensor not in seen and self.op(tensor.node) in _HANDS_ON:
      seen.add(tensor)
      number = _HANDS_ON[self.op(tensor.node)]
      tensor = self.inputs(tensor.node)[tensor.output if number is None else number]
    return tensor

  def ancestors(self, tensors, known=()):
    """Returns the names of nodes that tensors depend on, theirs too.

    Args:
      known: names of nodes that depend on nothing.
    """
    names = [tensor.node for tensor in tensors]
    found = set(names)
    while names:
      name = names.pop()
      for tensor in () if name in known else self.inputs(name):
        if tensor.node not in found:
          found.add(tensor.node)
          names.append(tensor.node)
    return found

  def nearest(self, name, op):
    """Returns the name of a node of a kind that depends on a node, the nearest."""
    names, seen = collections.deque([name]), {name}
    while names:
      name = names.popleft()
      if self.op(name) == op:
        return name
      for consumer in self.consumers(name):
        if consumer not in seen:
          seen.add(consumer)
          names.append(consumer)
    raise UsageError(f"no {op}")

  def constants(self, tensors):
    """Returns the arrays of a list of tensors that depend on nothing.

    Reals are computed in double precision, so that single precision has the same digits
    whatever machine did it.

    Raises:
      UsageError: if they depend on anything but arithmetic.
    """
    return self._run(tensors, {}, _in_double_precision)

  def evaluate(self, tensors, given=None):
    """Returns the arrays of a list of tensors.

    Args:
      given: dict from node to the array that it gives.

    Raises:
      UsageError: if they depend on anything but arithmetic and what is given.
    """
    return self._run(tensors, given or {})

  def _run(self, tensors, given, change=None):
    graph_def = tf.compat.v1.GraphDef(versions=self._graph_def.versions)
    for name in sorted(self.ancestors(tensors, given)):
      node = graph_def.node.add(name=name, op="Const")
      if name in given:
        _set_value(node, given[name])
        continue
      node.op = self.op(name)
      if node.op not in _ARITHMETIC:
        raise UsageError(f"{name} is {node.op}, which is no arithmetic")
      node.input.extend(f"{above}:{output}" for above, output in self.inputs(name))
      for key, value in self._node(name).attr.items():
        if key[:1] != "_":
          node.attr[key].CopyFrom(value)
      if node.op == "Const":
        # One number may stand for any count of them.
        _check_size(name, tf.TensorShape(node.attr["value"].tensor.tensor_shape))
      if change:
        change(node)
    return _run(graph_def, tensors)

  def _node(self, name):
    if name not in self._nodes:
      raise UsageError(f"no node {name!r}")
    return self._nodes[name]


def _tensor(text):
  name, _, output = text.partition(":")
  if output and not output.isdecimal():
    raise UsageError(f"no tensor {text!r}")
  return Tensor(name, int(output or 0))


def _set_value(node, array):
  value = tf.make_tensor_proto(array)
  node.attr["value"].tensor.CopyFrom(value)
  node.attr["dtype"].type = value.dtype


def _in_double_precision(node):
  """Makes the reals of an operation, and what it makes of them, double."""
  for value in node.attr.values():
    if value.type in _DOUBLE:
      value.type = _DOUBLE[value.type]
    for number, kind in enumerate(value.list.type):
      value.list.type[number] = _DOUBLE.get(kind, kind)
  if node.op == "Const" and node.attr["value"].tensor.dtype in _DOUBLE:
    array = tf.make_ndarray(node.attr["value"].tensor)
    _set_value(node, array.astype(np.result_type(array, np.float64)))


def _check_size(name, shape):
  """Raises UsageError if something is too large; an unknown size may be any."""
  if not shape.is_fully_defined() or shape.num_elements() > _MAX_NUMBERS:
    raise UsageError(f"{name} is of {shape}")


def _run(graph_def, tensors):
  # As they are: whatever is constant here would be computed twice.
  config = tf.compat.v1.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  config.graph_options.optimizer_options.opt_level = (
      tf.compat.v1.OptimizerOptions.L0)
  try:
    with tf.Graph().as_default() as graph:
      tf.import_graph_def(graph_def, name="")
      for operation in graph.get_operations():
        for tensor in operation.outputs:
          _check_size(operation.name, tensor.shape)
      with tf.compat.v1.Session(graph=graph, config=config) as session:
        return session.run([f"{node}:{output}" for node, output in tensors])
  except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
    reason = str(error).strip().splitlines() or [repr(error)]
    raise UsageError(f"a graph that does not run ({reason[0]})") from None
