"""Stored functions, and the LSTM made of them, follow the real ones."""

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.layers import Lookup, lstm_step


@pytest.mark.parametrize("kind, function", [
    ("tanh", np.tanh), ("sigmoid", lambda x: 1 / (1 + np.exp(-x)))])
def test_stored_functions_are_the_real_ones_within_half_a_step(kind, function):
  lookup = Lookup(kind)
  x = tf.range(-1500.0, 1501.0)
  values = lookup(x).numpy()
  np.testing.assert_array_equal(values, np.round(values))
  np.testing.assert_allclose(values / 128, function(x.numpy() / 128), atol=0.0041)
  np.testing.assert_allclose(
      lookup(x, exact=False) / 128, function(x.numpy() / 128), atol=1e-6)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = lookup(x)
  slope = tape.gradient(y, x).numpy()
  real = function(x.numpy() / 128)
  expected = 1 - real**2 if kind == "tanh" else real * (1 - real)
  np.testing.assert_allclose(slope, expected, atol=1e-5)
  # The table is a weight: it says what comes out.
  lookup.table.assign_add(tf.ones_like(lookup.table))
  np.testing.assert_array_equal(lookup(x), values + 1)


def test_the_fixed_point_lstm_follows_the_real_one():
  tanh, sigmoid = Lookup("tanh"), Lookup("sigmoid")
  rng = np.random.default_rng(0)
  memory = real_memory = tf.zeros([4, 6])
  for _ in range(20):
    gates = tf.constant(rng.integers(-400, 401, (4, 24)), tf.float32)
    hidden, memory = lstm_step(gates, memory, tanh, sigmoid)
    real, real_memory = lstm_step(gates, real_memory, tanh, sigmoid, exact=False)
    for integers in (hidden, memory):
      np.testing.assert_array_equal(integers, np.round(integers))
    np.testing.assert_allclose(hidden / 128, real / 128, atol=0.04)
