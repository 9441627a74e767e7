"""The contract of a latent codec."""

import abc

import tensorflow as tf

# What the decoder network is fed in training.
RECONSTRUCTIONS = ("noise", "round")


class LatentCodec(tf.Module, abc.ABC):
  """Codes one latent tensor.

  A subclass writes the four methods below. Networks that predict parameters
  belong to the model, which passes their outputs as `params`, so codecs nest:
  a hyperprior is a codec for z whose reconstruction feeds the params of y.

  Args:
    name: name of the latent ("y", "z"), also of its stream of noise; two
      codecs of one model must differ in it.
    reconstruction: what `__call__` returns in training as y_hat: "noise", y
      plus uniform noise, as in Balle et al. 2017; "round", the rounded latent
      with the gradient of the identity, after Minnen and Singh 2020
      (arXiv:2007.08739). The bits are always those of the noisy latent.
  """

  def __init__(self, name, reconstruction="noise"):
    super().__init__(name=name)
    if reconstruction not in RECONSTRUCTIONS:
      raise ValueError(
          f"`reconstruction` must be one of {RECONSTRUCTIONS}, "
          f"got {reconstruction!r}.")
    self.reconstruction = reconstruction

  @abc.abstractmethod
  def __call__(self, y, params=None, noise=None):
    """Quantises `y` and estimates its bits.

    Args:
      y: (B, H, W, C) float latent.
      params: what the entropy model is conditioned on, of the subclass.
      noise: `ops.noise.Noise` in training; None rounds, as the coder does.

    Returns:
      y_hat, shaped like `y`, and bits, (B,): for `noise=None` exactly
      -log2 p of the symbols that `compress` codes, at the table it uses.
    """

  @abc.abstractmethod
  def compress(self, y, params=None):
    """Codes `y`.

    Returns:
      strings, (B,) bytes, and y_hat as `decompress` will return it.
    """

  @abc.abstractmethod
  def decompress(self, strings, shape, params=None):
    """Returns y_hat, (B, *shape) float32, from the strings of `compress`.

    Args:
      strings: (B,) bytes.
      shape: (H, W, C) of the latent.
      params: the params that `compress` was given, equal to the last bit in
        all that selects a table.

    Raises:
      DesyncError: if they were not.
    """

  @abc.abstractmethod
  def fix_tables(self):
    """Builds the integer tables of the range coder from the trained prior.

    Called whenever a model is saved. The tables are weights: they are stored
    and never computed again, since a machine that rounds differently would
    build others and lose the stream ("Integer networks for data compression
    with latent-variable models", Balle, Johnston, Minnen, ICLR 2019).
    """
