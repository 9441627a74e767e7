"""Optimizers of training."""

import numpy as np
import pytest
import tensorflow as tf

from tfc_models.training.soap import Soap

# Matrix, kernel with taps, kernel of one tap, vector, and a mode that is too large.
SHAPES = [(6, 4), (3, 3, 4, 5), (1, 1, 5, 3), (7,), (600, 2)]


def normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Slope:
  """The quadratic |A (w - target)|^2 / 2 of each variable, A along its last mode."""

  def __init__(self, shapes, seed=1):
    self.variables = [tf.Variable(tf.zeros(shape)) for shape in shapes]
    self.targets = [normal(*shape, seed=seed) for shape in shapes]
    self.spread = [
        np.diag(np.logspace(-2, 1, shape[-1])).astype(np.float32)
        @ np.linalg.qr(normal(shape[-1], shape[-1], seed=3))[0] for shape in shapes]

  def losses(self):
    return [0.5 * float(tf.reduce_sum(tf.square(
        tf.tensordot(w - target, spread, [[-1], [1]]))))
            for w, target, spread in zip(self.variables, self.targets, self.spread)]

  def train(self, optimizer, steps):
    if not getattr(optimizer, "_built", False):
      optimizer.build(self.variables)

    @tf.function
    def step():
      gradients = [
          tf.tensordot(w - target, spread.T @ spread, 1)
          for w, target, spread in zip(self.variables, self.targets, self.spread)]
      optimizer.apply_gradients(zip(gradients, self.variables))

    for _ in range(steps):
      step()
    return self


def test_soap_descends_where_coordinates_hinder_adam():
  shapes = SHAPES[:3]
  start = Slope(shapes).losses()
  adam = Slope(shapes).train(tf.keras.optimizers.Adam(0.03), 200).losses()
  soap = Slope(shapes).train(Soap(0.03), 200).losses()
  for first, other, own in zip(start, adam, soap):
    assert own < 0.5 * other < first


def test_vectors_are_trained_by_adam():
  betas = dict(beta_1=0.95, beta_2=0.95, epsilon=1e-8)
  one = Slope([(7,)]).train(Soap(0.03, **betas), 1 + 25)
  other = Slope([(7,)]).train(tf.keras.optimizers.Adam(0.03, **betas), 25)
  np.testing.assert_allclose(one.variables[0], other.variables[0], rtol=1e-4)


def test_soap_does_not_depend_on_the_coordinates_of_a_mode():
  """Rotated variables take rotated steps; those of Adam do not."""
  left, right = (np.linalg.qr(normal(5, 5, seed=n))[0] for n in (6, 4))
  target = normal(5, 5)

  def path(optimizer, target, turn):
    w = tf.Variable(tf.zeros_like(target))
    optimizer.build([w])
    for number in range(25):
      noise = turn(0.3 * normal(5, 5, seed=number))
      optimizer.apply_gradients([(w - target + noise, w)])
    return w.numpy()

  def turn(x):
    return left @ x @ right

  for optimizer, is_equal in ((Soap, True), (tf.keras.optimizers.Adam, False)):
    plain = path(optimizer(0.01), target, lambda x: x)
    turned = path(optimizer(0.01), turn(target), turn)
    assert (np.abs(turn(plain) - turned).max() < 1e-3) == is_equal


@pytest.mark.parametrize("unit", [1.0, 1e-9])
def test_bases_are_the_eigenvectors_of_gradients(unit):
  optimizer, scales = Soap(1e-3), unit * np.float32([4.0, 1.0, 0.2])
  axes = np.linalg.qr(normal(3, 3))[0]
  w = tf.Variable(tf.zeros([50, 3]))
  optimizer.build([w])
  for number in range(60):
    optimizer.apply_gradients([(normal(50, 3, seed=number) * scales @ axes, w)])
  basis = optimizer._states[0].bases[1].numpy()
  np.testing.assert_allclose(np.abs(axes @ basis), np.eye(3), atol=0.1)
  # Moments follow their axes.
  square = optimizer._states[0].square.numpy().mean(axis=0)
  np.testing.assert_allclose(square, np.square(scales), rtol=0.5)


@pytest.mark.parametrize("scale", [1.0, 1e-8])
def test_gradients_of_low_rank_leave_bases_orthonormal_and_steps_small(scale):
  """As those of a layer that one case of a condition reaches."""
  rows, columns = normal(5), normal(384, seed=2)
  w = tf.Variable(tf.zeros([5, 384]))
  optimizer = Soap(1.0, epsilon=1e-12)
  optimizer.build([w])
  for number in range(100):
    before = w.numpy()
    gradient = scale * np.outer(rows, columns + normal(384, seed=number))
    optimizer.apply_gradients([(gradient.astype(np.float32), w)])
    # No coordinate of the bases moves by more than 1.
    assert np.linalg.norm(w - before) <= 1.001 * np.sqrt(w.shape.num_elements())
  for basis in optimizer._states[0].bases:
    np.testing.assert_allclose(
        tf.matmul(basis, basis, transpose_a=True), np.eye(basis.shape[0]), atol=1e-4)


def test_modes_beyond_a_size_and_of_one_entry_are_not_rotated():
  optimizer = Soap()
  optimizer.build([tf.Variable(tf.zeros(shape)) for shape in SHAPES])
  assert [state.modes for state in optimizer._states] == [
      [0, 1], [0, 1, 2], [1, 2], [], [1]]


@pytest.mark.parametrize("steps", [9, 15])
def test_soap_goes_on_from_a_checkpoint(tmp_path, steps):
  whole = Slope(SHAPES).train(Soap(0.01), 25)
  first, optimizer = Slope(SHAPES), Soap(0.01)
  first.train(optimizer, steps)
  path = tf.train.Checkpoint(
      optimizer=optimizer, variables=first.variables).save(str(tmp_path / "x"))
  second, optimizer = Slope(SHAPES), Soap(0.01)
  optimizer.build(second.variables)
  tf.train.Checkpoint(optimizer=optimizer, variables=second.variables).restore(
      path).assert_consumed()
  second.train(optimizer, 25 - steps)
  for one, other in zip(whole.variables, second.variables):
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_all_that_soap_knows_is_among_its_variables():
  optimizer = Soap()
  optimizer.build([tf.Variable(tf.zeros([3, 3, 4, 5]))])
  # Iterations; two moments; covariance and basis of three modes.
  assert len(optimizer.variables) == 1 + 2 + 6
