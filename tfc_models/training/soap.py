"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

Source: Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", ICLR 2025,
  arXiv:2409.11321, algorithm 3. For learned compression: Zhang and Zhu, "Leveraging
  second-order curvature for efficient learned image compression", arXiv:2601.20769.
Departs: means of gradients stay in the bases, which saves a rotation; what moments that
  were made in other bases could make of a step is bounded.
"""

import math

import tensorflow as tf

# A mode with more entries is not rotated.
_LARGEST = 512
# Steps from one improvement of the bases to the next.
_EVERY = 10
# Of a mean eigenvalue.
_LEAST = 1e-30


class Soap(tf.keras.optimizers.Optimizer):
  """Adam, of gradients that are rotated mode by mode: taps, inputs, outputs of a kernel.

  The bases are about the eigenvectors of each mode's covariance, improved by a step of
  the power method now and then. Variables of one dimension are Adam's own. The first
  step finds the bases and moves nothing.

  Args:
    learning_rate: one that suits Adam suits here.
    beta_1, beta_2, epsilon, global_clipnorm: as of Adam; `beta_2` is also that of the
      covariances.
  """

  def __init__(self, learning_rate=1e-3, beta_1=0.95, beta_2=0.95, epsilon=1e-8,
               global_clipnorm=None, name="soap"):
    super().__init__(name=name, global_clipnorm=global_clipnorm)
    self._learning_rate = self._build_learning_rate(learning_rate)
    self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
    # By Cauchy and Schwarz; 1 where both are equal.
    left = 1.0 - beta_1**2 / beta_2
    self._most = math.inf if left <= 0.0 else (1.0 - beta_1) / math.sqrt(
        (1.0 - beta_2) * left)
    self._states = []

  def build(self, var_list):
    """As of Keras."""
    super().build(var_list)
    if not self._states:
      self._states = [_State(variable) for variable in var_list]
      for state in self._states:
        self._variables.extend(state.variables)

  def update_step(self, gradient, variable):
    """As of Keras."""
    state = self._states[self._index_dict[self._var_key(variable)]]
    gradient = tf.reshape(gradient, state.shape)
    state.observe(gradient, 1.0 - self.beta_2)
    is_first = tf.equal(self.iterations, 0)
    if state.modes:
      tf.cond(is_first, state.start, lambda: None)
      tf.cond(tf.equal(self.iterations % _EVERY, _EVERY - 1), state.improve,
              lambda: None)
    # Rotated by its own eigenvectors a gradient is a diagonal, and noise elsewhere.
    rotated = tf.where(is_first, 0.0, state.rotate(gradient))
    state.mean.assign_add((1.0 - self.beta_1) * (rotated - state.mean))
    state.square.assign_add((1.0 - self.beta_2) * (tf.square(rotated) - state.square))
    steps = tf.maximum(tf.cast(self.iterations, tf.float32), 1.0)
    unbiased = tf.sqrt(1.0 - self.beta_2**steps) / (1.0 - self.beta_1**steps)
    # No more than moments of one basis could say, whose squares have not moved with it.
    step = tf.clip_by_value(
        unbiased * state.mean / (tf.sqrt(state.square) + self.epsilon),
        -self._most, self._most)
    step = self.learning_rate * state.rotate(step, back=True)
    variable.assign_sub(tf.reshape(step, variable.shape))


class _State(tf.Module):
  """What the optimizer knows of a variable.

  Attributes:
    shape: of the variable, its taps as one mode.
    modes: the numbers of those that are rotated.
    mean, square: moments of the rotated gradient.
    covariances, bases: a matrix for each of `modes`; columns of a basis are in the order
      of their eigenvalues, the largest first.
  """

  def __init__(self, variable):
    super().__init__()
    shape = variable.shape.as_list()
    self.shape = [math.prod(shape[:-2]), *shape[-2:]] if len(shape) > 2 else shape
    self.modes = [i for i, size in enumerate(self.shape)
                  if len(shape) > 1 and 1 < size <= _LARGEST]
    self.mean, self.square = (
        tf.Variable(tf.zeros(self.shape), trainable=False, name=name)
        for name in ("mean", "square"))
    sizes = [self.shape[i] for i in self.modes]
    self.covariances = [
        tf.Variable(tf.zeros([size, size]), trainable=False, name="covariance")
        for size in sizes]
    self.bases = [
        tf.Variable(tf.eye(size), trainable=False, name="basis") for size in sizes]

  def observe(self, gradient, weight):
    """Moves the covariances towards those of a gradient."""
    for mode, covariance in zip(self.modes, self.covariances):
      rows = self._as_rows(gradient, mode)
      product = tf.matmul(rows, rows, transpose_b=True)
      if product.shape.rank > 2:
        product = tf.reduce_sum(product, axis=0)
      covariance.assign_add(weight * (product - covariance))

  def start(self):
    """Sets the bases to the eigenvectors."""
    for covariance, basis in zip(self.covariances, self.bases):
      basis.assign(tf.reverse(tf.linalg.eigh(covariance)[1], [1]))

  def improve(self):
    """Moves the bases by a step of the power method, and the moments with them."""
    mean, square = self.rotate(self.mean, back=True), self.square.value()
    for mode, covariance, basis in zip(self.modes, self.covariances, self.bases):
      # In units in which squares of small columns are no zeros: QR needs them.
      unit = tf.maximum(tf.reduce_mean(tf.linalg.diag_part(covariance)), _LEAST)
      product = tf.matmul(covariance / unit, basis)
      order = tf.argsort(
          tf.reduce_sum(basis * product, axis=0), direction="DESCENDING")
      square = tf.gather(square, order, axis=mode)
      basis.assign(tf.linalg.qr(tf.gather(product, order, axis=1))[0])
    self.square.assign(square)
    self.mean.assign(self.rotate(mean))

  def rotate(self, x, back=False):
    """Returns x, shaped like `shape`, in the bases, or out of them."""
    for mode, basis in zip(self.modes, self.bases):
      if mode and mode == len(self.shape) - 1:
        # No transposition: columns already are the entries of the last mode.
        product = tf.matmul(
            tf.reshape(x, [-1, self.shape[mode]]), basis, transpose_b=back)
      else:
        product = tf.matmul(basis, self._as_rows(x, mode), transpose_a=not back)
      x = tf.reshape(product, self.shape)
    return x

  def _as_rows(self, x, mode):
    """Returns x as a matrix, or several, with a row for each entry of a mode."""
    if mode == 0:
      return tf.reshape(x, [self.shape[0], -1])
    if mode == len(self.shape) - 1:
      return tf.transpose(tf.reshape(x, [-1, self.shape[mode]]))
    return x
