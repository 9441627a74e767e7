"""Graphs as tensorflow/compression publishes them, of random networks.

Built in the terms of version 1.3: layers of `tfc` with the parametrisations of then or
of now, loops of TensorFlow 1 around its range coder, all weights constants.
"""

import contextlib

import numpy as np
import scipy.fft
import scipy.stats
import tensorflow as tf

from tfc_models.layers import GDN
from tfc_models.upstream import tfc

N, M = 6, 8
_SCALES = np.exp(np.linspace(np.log(0.11), np.log(256), 64))
_MULTIPLIER = -scipy.stats.norm.ppf(2.0**-9)


def meta_graph(name, **options):
  """Returns the `MetaGraphDef` of a network.

  Args:
    name: registered name.
    **options: of `_Network`.
  """
  with _loops_of_version_1(), tf.Graph().as_default() as graph:
    network = _Network(name, **options)
    sender, receiver = network.sender(), network.receiver()
    with tf.compat.v1.Session(graph=graph) as session:
      session.run(tf.compat.v1.global_variables_initializer())
      session.run([variable.assign(value) for variable, value in network.assigned])
      outputs = [tensor.op.name for _, given in (sender, receiver)
                 for tensor in given.values()]
      frozen = tf.compat.v1.graph_util.convert_variables_to_constants(
          session, graph.as_graph_def(), outputs)
  found = tf.compat.v1.MetaGraphDef(graph_def=frozen)
  found.meta_info_def.tensorflow_version = "1.15.0"
  for key, (taken, given) in (("sender", sender), ("receiver", receiver)):
    signature = found.signature_def[key]
    for part, tensors in ((signature.inputs, taken), (signature.outputs, given)):
      for label, tensor in tensors.items():
        part[label].name = tensor.name
  return found


def run(meta_graph, image):
  """Returns x_hat and the picture that a published model makes of an image.

  As `tfci.py` does it, with the range coder in between.

  Args:
    image: (H, W, 3) uint8.
  """
  sender, receiver = (meta_graph.signature_def[key] for key in ("sender", "receiver"))
  with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
    tf.import_graph_def(meta_graph.graph_def, name="")
    sent = session.run({key: info.name for key, info in sender.outputs.items()},
                       {sender.inputs["input_image"].name: image[None]})
    x_hat, picture = session.run(
        ["x_hat:0", receiver.outputs["output_image"].name],
        {info.name: sent[key] for key, info in receiver.inputs.items()})
  return x_hat[0], picture[0]


@contextlib.contextmanager
def _loops_of_version_1():
  tf.compat.v1.disable_control_flow_v2()
  try:
    yield
  finally:
    tf.compat.v1.enable_control_flow_v2()


class _Network:
  """Layers, made once, and the two signatures that use them.

  Args:
    name: registered name.
    matrix: whether kernels are computed as in version 1, or as in 2.
    explicit: whether convolutions pad themselves, or what comes before them does.
    means_first: of the outputs of the hyper synthesis.
    slope: of leaky ReLU.
    stages: of the analysis.
    gaussian: whether tables of y are those of Gaussians, or of Laplacians.
    bias: whether the last convolutions of both analyses have one.
    as_bytes: whether pictures come out as uint8.
  """

  def __init__(self, name, matrix=True, explicit=False, means_first=False, slope=0.2,
               stages=4, gaussian=True, bias=False, as_bytes=False):
    self.random, self.assigned = np.random.RandomState(5), []
    self.matrix, self.explicit = matrix, explicit
    self.means_first, self.as_bytes = means_first, as_bytes
    self.hyper, self.means = name != "bmshj2018-factorized", name == "mbt2018-mean"
    relu = (lambda x: tf.nn.leaky_relu(x, slope)) if self.means else tf.nn.relu
    down = [self.conv(f"analysis/layer_{i}", 5, a, b, down=2, activation=self.gdn(i, b)
                      if i < stages - 1 else None, gain=1.0 if i < stages - 1 else 12.0,
                      bias=bias or i < stages - 1)
            for i, (a, b) in enumerate(zip([3] + [N] * (stages - 1),
                                           [N] * (stages - 1) + [M]))]
    up = [self.conv(f"synthesis/layer_{i}", 5, a, b, up=2,
                    activation=self.gdn(i, b, True) if i < 3 else None)
          for i, (a, b) in enumerate(zip([M, N, N, N], [N, N, N, 3]))]
    self.analysis, self.synthesis = down, up
    if self.hyper:
      widths = (N, M, M * 3 // 2, 2 * M) if self.means else (N, N, N, M)
      self.hyper_analysis = [
          self.conv("hyper_analysis/layer_0", 3, M, N, activation=relu),
          self.conv("hyper_analysis/layer_1", 5, N, N, down=2, activation=relu),
          self.conv("hyper_analysis/layer_2", 5, N, N, down=2, gain=4.0, bias=bias)]
      self.hyper_synthesis = [
          self.conv("hyper_synthesis/layer_0", 5, *widths[:2], up=2, activation=relu),
          self.conv("hyper_synthesis/layer_1", 5, *widths[1:3], up=2, activation=relu),
          self.conv("hyper_synthesis/layer_2", 3, *widths[2:], corr=False, gain=8.0)]
    channels = N if self.hyper else M
    quantiles = self.random.uniform(-3, 3, [channels, 1]) + self.random.uniform(
        [-30, -0.5, 10], [-10, 0.5, 30], [channels, 3])
    self.quantiles = tf.Variable(np.float32(quantiles[:, None]), name="quantiles")
    rows = [self.logistic(*row) for row in quantiles]
    self.bottleneck = _tables(rows, "bottleneck"), self.offsets()
    if self.hyper:
      halves = np.int32(np.ceil(_SCALES * _MULTIPLIER))
      law = scipy.stats.norm if gaussian else scipy.stats.laplace
      rows = [np.diff(law(scale=s).cdf(np.arange(-n, n + 2) - 0.5))
              for s, n in zip(_SCALES, halves)]
      self.conditional = _tables(rows, "conditional"), tf.constant(-halves)

  def conv(self, name, size, inputs, filters, down=1, up=1, activation=None, gain=1.0,
           bias=True, corr=None):
    corr = up == 1 if corr is None else corr
    kernel = gain * 1.3 * up / np.sqrt(3.0 * inputs * size**2) * (
        self.random.standard_normal([size, size, inputs, filters]))
    shift = 0.1 * self.random.standard_normal(filters)
    return tfc.SignalConv2D(
        filters, (size, size), name=name, corr=corr, strides_down=down, strides_up=up,
        padding="same_zeros", use_bias=bias, activation=activation,
        use_explicit=self.explicit,
        kernel_parameter=self.spectrum(name, kernel) if self.matrix else "rdft",
        kernel_initializer=lambda **_: tf.constant(kernel, tf.float32),
        bias_initializer=lambda **_: tf.constant(shift, tf.float32))

  def spectrum(self, name, kernel):
    """Returns a kernel, computed as in version 1: as a product of matrices."""
    size = kernel.shape[0]**2
    matrix = np.float32(scipy.fft.dct(np.eye(size), norm="ortho"))
    variable = tf.Variable(np.float32(matrix.T @ kernel.reshape(size, -1)),
                           name=f"{name}/kernel_rdft")
    return tf.reshape(tf.linalg.matmul(matrix, variable), kernel.shape)

  def gdn(self, number, channels, inverse=False):
    layer = GDN(inverse, name=f"{'i' * inverse}gdn_{number}")
    layer.build((None, None, None, channels))
    gamma = self.random.rand(channels, channels) / channels * 0.5
    self.assigned += [
        (layer.beta_parameter.variable, np.sqrt(0.3 + self.random.rand(channels))),
        # With entries below the bound.
        (layer.gamma_parameter.variable, np.sqrt(gamma) * (gamma > 0.02))]
    return layer

  def logistic(self, low, median, high):
    edges = np.arange(-np.ceil(median - low), np.ceil(high - median) + 2) - 0.5
    return np.diff(1.0 / (1.0 + np.exp(-edges / 1.5)))

  def offsets(self):
    medians, low = self.quantiles[:, 0, 1], self.quantiles[:, 0, 0]
    return -tf.maximum(tf.cast(tf.math.ceil(medians - low), tf.int32), 0)

  def sender(self):
    image = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3], "input_image")
    x = tf.cast(image, tf.float32) / 255.0
    y = _through(self.analysis, x)
    shapes = [tf.shape(value)[1:3] for value in (x, y)]
    if not self.hyper:
      strings = [self.encode(y)]
    else:
      z = _through(self.hyper_analysis, y if self.means else abs(y))
      shapes.append(tf.shape(z)[1:3])
      scale, mean = self.params(self.quantized(z) + self.medians(), shapes[1])
      symbols = tf.cast(tf.floor((y if mean is None else y - mean) + 0.5), tf.int32)
      strings = [_encode(symbols, _indexes(scale), *self.conditional), self.encode(z)]
    return {"input_image": image}, {
        f"channel:{n:02d}": value for n, value in enumerate(strings + shapes)}

  def receiver(self):
    strings = [tf.compat.v1.placeholder(tf.string, [None])
               for _ in range(1 + self.hyper)]
    shapes = [tf.compat.v1.placeholder(tf.int32, [2]) for _ in range(2 + self.hyper)]
    y_hat = self.decode(strings[-1], shapes[-1])
    if self.hyper:
      scale, mean = self.params(y_hat, shapes[1])
      y_hat = tf.cast(
          _decode(strings[0], _indexes(scale), *self.conditional), tf.float32)
      y_hat.set_shape([None, None, None, M])
      if mean is not None:
        y_hat += mean
    x_hat = tf.identity(_through(self.synthesis, y_hat), "x_hat")
    picture = x_hat[:, :shapes[0][0], :shapes[0][1]] * 255.0
    if self.as_bytes:
      picture = tf.saturate_cast(tf.round(picture), tf.uint8)
    else:
      picture = tf.clip_by_value(picture, 0.0, 255.0)
    return {f"channel:{n:02d}": value for n, value in enumerate(strings + shapes)}, {
        "output_image": picture}

  def params(self, z_hat, shape):
    outputs = _through(self.hyper_synthesis, z_hat)[:, :shape[0], :shape[1]]
    scale, mean = (tf.split(outputs, 2, axis=-1) if self.means else (outputs, None))
    if self.means_first:
      scale, mean = mean, scale
    return tf.maximum(scale, np.float32(_SCALES[0])), mean

  def medians(self):
    return tf.stop_gradient(self.quantiles[:, 0, 1])[None, None, None]

  def quantized(self, z):
    return tf.floor(z + (0.5 - self.medians()))

  def encode(self, z):
    symbols = tf.cast(self.quantized(z), tf.int32)
    return _encode(symbols, _by_channel(tf.shape(symbols)[1:3], z.shape[-1]),
                   *self.bottleneck)

  def decode(self, strings, shape):
    channels = N if self.hyper else M
    symbols = _decode(strings, _by_channel(shape, channels), *self.bottleneck)
    symbols.set_shape([None, None, None, channels])
    return tf.cast(symbols, tf.float32) + self.medians()


def _through(layers, x):
  for layer in layers:
    x = layer(x)
  return x


def _tables(rows, name):
  """Returns cdf and lengths of probabilities, the rest of which is an escape's."""
  cdf = np.zeros([len(rows), 2 + max(map(len, rows))], np.int32)
  for line, row in zip(cdf, rows):
    counts = 1 + np.int32(np.append(row, 1.0 - row.sum()) * (2**16 - len(row) - 2))
    counts[np.argmax(counts)] += 2**16 - counts.sum()
    line[1:len(row) + 2] = np.cumsum(counts)
  lengths = np.int32([len(row) + 2 for row in rows])
  return (tf.identity(tf.Variable(cdf, name=f"{name}/quantized_cdf")),
          tf.identity(tf.Variable(lengths, name=f"{name}/cdf_length")))


def _by_channel(shape, channels):
  return tf.tile(tf.range(channels)[None, None], tf.concat([shape, [1]], axis=0))


def _indexes(scale):
  scales = tf.constant(np.float32(_SCALES))
  return tf.compat.v1.foldr(
      lambda indexes, other: indexes - tf.cast(scale <= other, tf.int32), scales[:-1],
      initializer=tf.fill(tf.shape(scale), len(_SCALES) - 1))


def _encode(symbols, indexes, tables, offset):
  return _coded(symbols, indexes, tables, offset, "UnboundedIndexRangeEncode", tf.string)


def _decode(strings, indexes, tables, offset):
  return _coded(strings, indexes, tables, offset, "UnboundedIndexRangeDecode", tf.int32)


def _coded(values, indexes, tables, offset, op, dtype):
  # Of a batch, or the same for each.
  each = (values, indexes) if indexes.shape.rank == 4 else (values,)

  def body(one):
    attributes = {"precision": 16, "overflow_width": 4, "debug_level": 0}
    return tf.compat.v1.get_default_graph().create_op(
        op, [*one, *(indexes,) * (2 - len(one)), *tables, offset], [dtype], name=op,
        attrs={key: tf.compat.v1.AttrValue(i=value)
               for key, value in attributes.items()}).outputs[0]

  return tf.compat.v1.map_fn(body, each, dtype=dtype)
