"""What coding needs of TensorFlow Compression, around its operations alone.

Classes hold the variables of their namesakes under the same paths, so that weight
files load, and compute the same values. Gradients are not those.
"""

import tensorflow as tf

from tfc_models.errors import UsageError

try:
  import tf_keras
  from tensorflow_compression_ops import (
      create_range_decoder,
      create_range_encoder,
      entropy_decode_index,
      entropy_encode_finalize,
      entropy_encode_index,
  )
except ModuleNotFoundError as error:
  raise UsageError(
      f"{error.name} is missing, tensorflow_compression too: pip install tfc_models "
      "brings what goes with this Python") from None

if tf.keras.Model is not tf_keras.Model:
  raise UsageError(
      "tf.keras is Keras 3, models are of Keras 2: import tfc_models before anything "
      "uses tf.keras, or set TF_USE_LEGACY_KERAS=1")

__all__ = [
    "GDN",
    "NoisyDeepFactorized",
    "create_range_decoder",
    "create_range_encoder",
    "entropy_decode_index",
    "entropy_encode_finalize",
    "entropy_encode_index",
]


class GDN(tf.keras.layers.Layer):
  """The parameters of `tfc.GDN`; `layers.GDN` computes with them.

  Args:
    inverse, gamma_initializer, name: as of `tfc.GDN`.
    alpha_parameter, epsilon_parameter: ignored, `layers.GDN` has them fixed.
  """

  def __init__(self, inverse, gamma_initializer, name=None, alpha_parameter=None,
               epsilon_parameter=None):
    del alpha_parameter, epsilon_parameter
    super().__init__(name=name)
    self.inverse = inverse
    self._gamma_initializer = gamma_initializer

  def build(self, input_shape):
    """Creates the variables."""
    depth = input_shape[-1]
    self._beta_parameter = _GDNParameter(tf.ones([depth]), minimum=1e-6)
    self._gamma_parameter = _GDNParameter(
        self._gamma_initializer([depth, depth], tf.float32), minimum=0.0)
    super().build(input_shape)

  @property
  def beta_parameter(self):
    """The module that holds the variable of beta."""
    return self._beta_parameter

  @property
  def gamma_parameter(self):
    """Likewise of gamma."""
    return self._gamma_parameter

  @property
  def beta(self):
    """(C,), at least 1e-6."""
    return self._beta_parameter()

  @property
  def gamma(self):
    """(C, C), not negative."""
    return self._gamma_parameter()


class _GDNParameter(tf.Module):
  """`tfc.GDNParameter`: the variable is a square root, bounded below."""

  offset = 2.0**-18

  def __init__(self, value, minimum):
    super().__init__()
    self._minimum = minimum
    self.variable = tf.Variable(tf.sqrt(value + self.offset**2))

  def __call__(self):
    bound = (self._minimum + self.offset**2)**0.5
    return tf.square(tf.maximum(self.variable, bound)) - self.offset**2


class NoisyDeepFactorized(tf.Module):
  """The density of `tfc.NoisyDeepFactorized`.

  Args:
    batch_shape, num_filters: as there.
    init_scale: ignored, the variables are zero until weights are assigned.
  """

  def __init__(self, batch_shape, num_filters, init_scale):
    super().__init__()
    del init_scale
    self._base = _DeepFactorized(*batch_shape, (1, *num_filters, 1))

  @property
  def base(self):
    """The density without noise."""
    return self._base

  def log_prob(self, y):
    """Returns the logarithm of the density, shaped like `y`, (..., C)."""
    cdf, survival = self._base.log_cdf, self._base.log_survival_function
    low, high = y - 0.5, y + 0.5
    # On the side of the median where the difference keeps its digits.
    is_right = survival(high) < cdf(high)
    big = tf.where(is_right, survival(low), cdf(high))
    small = tf.where(is_right, survival(high), cdf(low))
    return big + tf.math.log1p(-tf.exp(small - big))


class _DeepFactorized(tf.Module):
  """`tfc.DeepFactorized`: a small network a channel, monotonic."""

  def __init__(self, channels, widths):
    super().__init__()

    def variables(name, rows, columns):
      return [
          tf.Variable(tf.zeros([channels, *shape]), name=f"{name}_{number}")
          for number, shape in enumerate(zip(rows, columns))]

    ones = [1] * len(widths)
    self._matrices = variables("matrix", widths[1:], widths)
    self._biases = variables("bias", widths[1:], ones)
    self._factors = variables("factor", widths[1:-1], ones)

  def log_cdf(self, x):
    """Returns the logarithm of the mass below x, (..., C)."""
    return tf.math.log_sigmoid(self._logits(x))

  def log_survival_function(self, x):
    """Returns the logarithm of the mass above x, (..., C)."""
    return tf.math.log_sigmoid(-self._logits(x))

  def _logits(self, x):
    shape = tf.shape(x)
    x = tf.transpose(tf.reshape(x, [-1, 1, shape[-1]]), [2, 1, 0])
    for number, (matrix, bias) in enumerate(zip(self._matrices, self._biases)):
      x = tf.matmul(tf.nn.softplus(matrix), x) + bias
      if number < len(self._factors):
        x += tf.tanh(self._factors[number]) * tf.tanh(x)
    return tf.reshape(tf.transpose(x, [2, 1, 0]), shape)
