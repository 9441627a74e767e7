"""Convolutions of integers, whose results are equal on every machine.

A layer takes integers and returns integers, carried by float32: entries of the
kernel are at most 127, activations at most 255, and every sum of products stays
below 2**24, so that each order of summation, instruction set, compiler and
device gives the same result. Networks of such layers may select the tables of an
entropy decoder.

Training sees the real networks behind them (`as_real`): rounded to integers
afterwards, those of hyperpriors cost 0.02 to 0.15 % of the rate, while descent through
the rounding, with the gradient of the identity, ended 2 to 3 % above (`mbt2018-mean`).

Source: Balle, Johnston, Minnen, "Integer networks for data compression with
  latent-variable models", ICLR 2019.
Departs: scales are powers of two and not learned; activations are ReLU, leaky ReLU
  with a slope that is a power of two, an exact product, or 1/5, or none.
"""

import contextlib
import contextvars
import math
import zlib

import numpy as np
import tensorflow as tf

from tfc_models.layers.lookup import Lookup
from tfc_models.layers.scaled_conv import ScaledConv2D, ScaledConv2DTranspose
from tfc_models.ops import quantize

KERNEL_LIMIT = 127.0
ACTIVATION_LIMIT = 255.0
# Smallest and largest output by activation.
_LIMITS = {"leaky": (-64.0, ACTIVATION_LIMIT),
           "fifth": (-64.0, ACTIVATION_LIMIT),
           "relu": (0.0, ACTIVATION_LIMIT),
           "faint": (-ACTIVATION_LIMIT, ACTIVATION_LIMIT),
           "clip": (-ACTIVATION_LIMIT, ACTIVATION_LIMIT), None: None}
# What carries the integers within sums of products.
CARRIER = tf.float32
# Exact in float32, whatever the order of summation.
_SUM_LIMIT = 2.0**24
# Kernels of zeros need no more.
_MOST_KERNEL_BITS = 14
# Slopes of what is negative: powers of two, which are exact, and a fifth, whose one
# product every machine rounds alike before it is rounded to an integer.
SLOPES = {"leaky": 2.0**-2, "fifth": 0.2, "relu": 0.0, "faint": 2.0**-7}
# The one that stands for another, in the real network.
_REAL_SLOPES = {**SLOPES, "faint": 0.01}

_AS_REAL = contextvars.ContextVar("as_real", default=False)
_AS_CONSTANTS = contextvars.ContextVar("as_constants", default=False)


@contextlib.contextmanager
def as_real(active=True):
  """A context in which integer networks do not round; they clip as ever.

  Graphs that are traced within it stay so.
  """
  token = _AS_REAL.set(active)
  try:
    yield
  finally:
    _AS_REAL.reset(token)


@contextlib.contextmanager
def as_constants():
  """A context in which exact networks take no gradients and run eagerly in less time.

  What makes integers of variables runs once, until these change. In graphs, and within
  `as_real`, it does nothing.
  """
  token = _AS_CONSTANTS.set(True)
  try:
    yield
  finally:
    _AS_CONSTANTS.reset(token)


def _is_constant(exact):
  return _AS_CONSTANTS.get() and rounds(exact) and tf.executing_eagerly()


def rounds(exact):
  """Returns whether a network that is `exact` rounds at present."""
  return exact and not _AS_REAL.get()


class _Exact:
  """Common part, in front of a `ScaledConv`.

  With x the integers that come in, output channel c is

      round(2**-shift_c (sum kernel_c x + bias_c)), clipped if there is an activation

  kernel_c = round(2**kernel_bits_c kernel), where `kernel` is rounded to half
  precision first, so that weights stored in either precision are one network. In
  units of the real network an input stands for 2**-in_bits of itself, an output
  for 2**-out_bits: shift_c = in_bits + kernel_bits_c - out_bits_c. `fix_tables` sets
  kernel_bits. Rounding has the gradient of the identity; see `as_real`.

  Args:
    filters, kernel_size, strides, name: as of `ScaledConv2D`.
    activation: "leaky", leaky ReLU with slope 1/4, clipped to -64..255; "fifth", the
      same with 1/5, TensorFlow's default; "relu", clipped to 0..255; "faint", leaky
      ReLU with slope 1/128, of the real network 0.01, clipped to -255..255; "clip",
      linear, clipped to -255..255; None, linear and unbounded, for the last layer of a
      network; or a `Lookup`, whose arguments have `LOOKUP_BITS`.
    in_bits: int.
    out_bits: int, or a sequence of one for each output channel.
    input_limit: the largest absolute value of an input.
    rate: as of `ScaledConv2D`; None for entries that are not scaled.
    zeros: as of `ScaledConv2D`.
    exact: False gives the real network in the same units, neither rounded nor
      clipped, to start from and to compare with.
  """

  def __init__(self, filters, kernel_size, strides=1, *, activation="leaky",
               in_bits=4, out_bits=4, input_limit=ACTIVATION_LIMIT, rate=None,
               exact=True, zeros=False, name=None):
    super().__init__(
        filters, kernel_size, strides, zeros=zeros, rate=rate, name=name)
    self.kind = activation
    self.in_bits = in_bits
    self.out_bits = np.broadcast_to(np.int32(out_bits), [filters])
    self.input_limit = input_limit
    self.exact = exact

  def build(self, input_shape):
    fan_in = self._fan_in(input_shape[-1])
    if self.rate is None:
      self.rate = math.sqrt(fan_in)
    super().build(input_shape)
    # A square root is rounded correctly on every machine, a power is not.
    self.scale = self.rate / math.sqrt(fan_in)
    self.kernel_bits = self.add_weight(
        name="kernel_bits", shape=(self.filters,), dtype=tf.int32,
        initializer="zeros", trainable=False)
    with tf.init_scope():
      self.fix_tables()

  # What `as_constants` has made, with the checksum of what it was made of.
  _constants = (None, None)

  def call(self, x):
    """Returns (B, H', W', filters) from (B, H, W, C), integers as floats."""
    if _is_constant(self.exact):
      kernel, bias, factor = self._as_constants()
      total = self._convolve(tf.cast(x, CARRIER), kernel)
      total = tf.round(tf.cast(total, tf.float32))
      return _constant_activation((total + bias) * factor, self.kind)
    kernel, bias = self.integers()
    total = self._convolve(tf.cast(x, CARRIER), tf.cast(kernel, CARRIER))
    return self._finish(tf.cast(total, tf.float32), bias, self._factor())

  def _as_constants(self):
    """Returns kernel, bias and factor, tensors that are made once."""
    checksum = 0
    for variable in (self.kernel, self.bias, self.kernel_bits):
      checksum = zlib.crc32(variable.numpy(), checksum)
    found, constants = self._constants
    if found != checksum:
      kernel, bias = (tf.stop_gradient(value) for value in self.integers())
      constants = tf.cast(kernel, CARRIER), bias, self._factor()
      # In one step, since threads share the layer; and nothing that Keras should track.
      object.__setattr__(self, "_constants", (checksum, constants))
    return constants

  @property
  def slope(self):
    """What a negative value is multiplied by."""
    if isinstance(self.kind, Lookup):
      return 1.0
    return (SLOPES if self.exact else _REAL_SLOPES).get(self.kind, 1.0)

  def _factor(self):
    """Returns what takes sums of products to outputs, (filters,)."""
    return power_of_two(self.out_bits - self.in_bits - self.kernel_bits)

  def _finish(self, total, bias, factor):
    """Returns the outputs of sums of products, (..., filters)."""
    rounded = rounds(self.exact)
    if rounded:
      # Repairs kernels that transform on the way, such as Winograd's.
      total = quantize.round_straight_through(total)
    total = (total + bias) * factor
    if isinstance(self.kind, Lookup):
      return self.kind(total, rounded)
    return _activated(total, self.slope, rounded, self.kind if self.exact else None)

  def integers(self):
    """Returns kernel and bias as they are used, integers carried by floats."""
    bits = power_of_two(self.kernel_bits)
    kernel = self.kernel, self.scale * self._along_filters(bits)
    bias = self.bias, 2.0**self.in_bits * bits
    if not rounds(self.exact):
      return tuple(value * factor for value, factor in (kernel, bias))
    kernel, bias = (
        quantize.round_straight_through(_through_half(value) * factor)
        for value, factor in (kernel, bias))
    return quantize.clip_towards(kernel, -KERNEL_LIMIT, KERNEL_LIMIT), bias

  def kernel_unit(self):
    """Returns what 1 in the integer kernel stands for in `kernel`, an array."""
    return np.ldexp(1.0 / self.scale, -self._along_filters(self.kernel_bits.numpy()))

  def assign_real(self, kernel, bias=0.0):
    """As of `ScaledConv2D`, with the bits that suit them."""
    super().assign_real(kernel, bias)
    self.fix_tables()

  def fix_tables(self):
    """Gives each kernel as many bits as the limits of entries and sums allow.

    Afterwards no sum can leave the range in which float32 is exact, whatever
    comes in.
    """
    most = tf.reduce_max(
        tf.abs(_through_half(self.kernel)), self._all_but_filters()).numpy()
    bits = np.full([self.filters], _MOST_KERNEL_BITS)
    while np.any(too_large := most * self.scale * 2.0**bits > KERNEL_LIMIT):
      bits = bits - too_large
    self.kernel_bits.assign(bits)
    while np.any(too_large := self.largest_sums() >= _SUM_LIMIT):
      bits = bits - too_large
      self.kernel_bits.assign(bits)

  def largest_sums(self):
    """Returns what no sum of an output channel can exceed, (filters,) floats."""
    kernel, bias = (value.numpy().astype(np.float64) for value in self.integers())
    return (self._largest_of_phases(np.abs(kernel)) * self.input_limit
            + np.abs(bias))


class ExactConv2D(_Exact, ScaledConv2D):
  """As `ScaledConv2D`.

  Args:
    padding: as there.
    *args, **kwargs: as of `_Exact`.
  """

  def __init__(self, *args, padding="SAME", **kwargs):
    super().__init__(*args, **kwargs)
    self.padding = padding

  def site_weights(self):
    """Returns the weights made ready for `at_sites`, a tuple of tensors."""
    kernel, bias = self.integers()
    kernel = tf.cast(tf.gather_nd(kernel, self._taps), CARRIER)
    return tf.reshape(kernel, [-1, self.filters]), bias, self._factor()

  def at_sites(self, x, weights):
    """Returns the same function of single sites.

    Args:
      x: (..., taps * C); taps are those of the kernel in raster order, or the
        offsets of a context.
      weights: of `site_weights`, of this layer or another one like it.

    Returns:
      (..., filters).
    """
    kernel, bias, factor = weights
    # As one matrix: faster than a batch of products.
    rows = tf.reshape(tf.cast(x, CARRIER), [-1, x.shape[-1]])
    total = tf.cast(tf.linalg.matmul(rows, kernel), tf.float32)
    shape = tf.concat([tf.shape(x)[:-1], [self.filters]], axis=0)
    return self._finish(tf.reshape(total, shape), bias, factor)

  @property
  def _taps(self):
    side = range(self.kernel_size)
    return [(row, column) for row in side for column in side]

  def _along_filters(self, values):
    return values

  def _all_but_filters(self):
    return (0, 1, 2)

  def _largest_of_phases(self, kernel):
    return kernel.sum(axis=(0, 1, 2))


class ExactContextConv2D(ExactConv2D):
  """A convolution that sees only what comes before, in raster order.

  Args:
    offsets: list of (row, column), the taps in use, see `ops.wavefront`.
  """

  def __init__(self, filters, kernel_size, offsets, **kwargs):
    super().__init__(filters, kernel_size, **kwargs)
    middle = kernel_size // 2
    mask = np.zeros([kernel_size, kernel_size, 1, 1], np.float32)
    for row, column in offsets:
      mask[middle + row, middle + column] = 1.0
    self._offsets = offsets
    self._mask = mask

  def integers(self):
    """Returns kernel and bias as they are used; no step revives a masked tap."""
    kernel, bias = super().integers()
    return kernel * self._mask, bias

  @property
  def _taps(self):
    middle = self.kernel_size // 2
    return [(middle + row, middle + column) for row, column in self._offsets]


class ExactConv2DTranspose(_Exact, ScaledConv2DTranspose):
  """(B, H, W, C) to (B, H * strides, W * strides, filters)."""

  def _along_filters(self, values):
    return values[:, None]

  def _all_but_filters(self):
    return (0, 1, 3)

  def _largest_of_phases(self, kernel):
    # An output sample sees one in `strides` taps a side.
    n = self.strides
    return np.max([
        kernel[i::n, j::n].sum(axis=(0, 1, 3))
        for i in range(n) for j in range(n)], axis=0)


def activated(x, kind):
  """Returns the activation of integers, or within `as_real` of reals; both are clipped.

  Args:
    x: float tensor.
    kind: as `activation` of `ExactConv2D`, no `Lookup`.
  """
  return _activated(x, SLOPES.get(kind, 1.0), rounds(True), kind)


def _activated(x, slope, rounded, limits):
  if slope != 1.0:
    x = tf.where(x < 0.0, x * slope, x)
  if rounded:
    x = quantize.round_straight_through(x)
  if limits is not None:
    x = quantize.clip_towards(x, *_LIMITS[limits])
  return x


def _constant_activation(x, kind):
  """Returns what `_activated` does to integers, without gradients."""
  if isinstance(kind, Lookup):
    return kind(x, True)
  if kind in SLOPES:
    x = tf.maximum(x, x * SLOPES[kind])
  x = tf.round(x)
  return x if _LIMITS[kind] is None else tf.clip_by_value(x, *_LIMITS[kind])


def power_of_two(exponents):
  """Returns 2**exponents exactly, float32 of int32 in -126..127."""
  # The bits of a float: no exponential function need be exact.
  return tf.bitcast((tf.cast(exponents, tf.int32) + 127) * 2**23, tf.float32)


def fixed(x, bits, exact=True):
  """Returns reals as a network takes them: in units of 2**-bits, integers if exact.

  Those are clipped to what 8 bits hold.
  """
  x *= 2.0**bits
  if not exact:
    return x
  if rounds(exact):
    x = quantize.round_straight_through(x)
  return quantize.clip_towards(x, -ACTIVATION_LIMIT, ACTIVATION_LIMIT)


@tf.custom_gradient
def _through_half(x):
  """Rounds to half precision, with the gradient of the identity."""
  return tf.cast(tf.cast(x, tf.float16), tf.float32), lambda grad: grad
