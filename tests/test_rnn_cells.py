"""Cells are those of the papers, by a few lines of NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.layers.rnn_cells import (
    AssociativeLSTM,
    ConvGRU,
    ConvLSTM,
    ResidualGRU,
)


def sigmoid(x):
  return 1.0 / (1.0 + np.exp(-x))


def with_random_kernels(cell, x):
  """Builds a cell; returns the kernels of its 1x1 convolutions by name."""
  cell(x)
  rng = np.random.default_rng(1)
  kernels = {}
  for layer in cell._flatten_layers(include_self=False):
    kernel = rng.normal(size=layer.kernel.shape).astype(np.float32)
    layer.kernel.assign(kernel)
    kernels[layer.name] = kernel[0, 0]
  return kernels


@pytest.fixture
def x():
  return np.random.default_rng(0).normal(size=(1, 1, 1, 3)).astype(np.float32)


def test_lstm(x):
  cell = ConvLSTM(2, 1)
  kernels = with_random_kernels(cell, x)
  h = c = np.zeros(2)
  state = None
  for _ in range(2):
    i, f, o, g = np.split(x[0, 0, 0] @ kernels["inputs"] + h @ kernels["state"], 4)
    c = sigmoid(f + 1.0) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    output, state = cell(x, state)
    np.testing.assert_allclose(output[0, 0, 0], h, rtol=1e-5)
    np.testing.assert_allclose(state[0], output)
    np.testing.assert_allclose(state[1][0, 0, 0], c, rtol=1e-5)


@pytest.mark.parametrize("make", [ConvGRU, ResidualGRU])
def test_gru(make, x):
  cell = make(2, 1)
  kernels = with_random_kernels(cell, x)
  h = np.zeros(2)
  state = None
  for _ in range(3):
    z, r, w, *shortcut = np.split(x[0, 0, 0] @ kernels["inputs"], sum(cell._parts))
    uz, ur = np.split(h @ kernels["gates"], 2)
    z, r = sigmoid(z + uz), sigmoid(r + ur)
    before = h
    h = (1 - z) * h + z * np.tanh(w + (r * h) @ kernels["candidate"])
    shown = h
    if shortcut:
      h = h + 0.1 * before @ kernels["shortcut"]
      shown = h + 0.1 * shortcut[0]
    output, state = cell(x, state)
    np.testing.assert_allclose(state[0, 0, 0], h, rtol=1e-4)
    np.testing.assert_allclose(output[0, 0, 0], shown, rtol=1e-4)


def test_associative_lstm(x):
  cell = AssociativeLSTM(4, 1, copies=3)
  kernels = with_random_kernels(cell, x)

  def to_complex(a):
    return a[:2] + 1j * a[2:]

  def bound(a):
    return a / np.maximum(1.0, np.abs(a))

  h, memory = np.zeros(4), np.zeros((3, 2), complex)
  state = None
  for _ in range(3):
    parts = x[0, 0, 0] @ kernels["inputs"] + h @ kernels["state"]
    f, i, o = sigmoid(parts[:2] + 1.0), sigmoid(parts[2:4]), sigmoid(parts[4:6])
    u, key_in, key_out = (
        bound(to_complex(parts[n:n + 4])) for n in (6, 10, 14))
    for copy, order in enumerate(cell._orders):
      memory[copy] = f * memory[copy] + key_in[order] * i * u
    read = np.mean([key_out[order] * memory[copy]
                    for copy, order in enumerate(cell._orders)], axis=0)
    hidden = o * bound(read)
    h = np.concatenate([hidden.real, hidden.imag])
    output, state = cell(x, state)
    np.testing.assert_allclose(output[0, 0, 0], h, rtol=1e-4)


@pytest.mark.parametrize("make", [ConvLSTM, ConvGRU, ResidualGRU, AssociativeLSTM])
def test_the_convolution_of_the_inputs_carries_the_stride(make):
  cell = make(4, 3, 2, 3)
  x = tf.random.stateless_normal([2, 8, 12, 5], [1, 2])
  output, state = cell(x)
  assert output.shape == (2, 4, 6, 4)
  again, _ = cell(x, state)
  assert again.shape == output.shape and np.any(again != output)


def test_complex_channels_come_in_pairs():
  with pytest.raises(ValueError, match="`filters` must be even"):
    AssociativeLSTM(3, 1)
