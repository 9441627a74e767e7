"""The contract of a latent codec."""

import abc
import math
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models.reading import StringReader, SymbolReader
from tfc_models.ops import probe

# What the decoder network is fed in training.
RECONSTRUCTIONS = ("noise", "round")
# Of `rounding`: an error is worth any number of bits.
NEAREST = math.inf


class _Still:
  """Noise that is not there."""

  def uniform(self, like, stream):
    """As of `ops.noise.Noise`."""
    del stream
    return tf.zeros_like(like)


STILL = _Still()


class Coded(NamedTuple):
  """A latent as the range coder takes it.

  Attributes:
    symbols: (B, ..., C) int32, in the order of the stream.
    evidence: int32, what selects their tables, see `SymbolCodec.evidence`.
    splits: (N + 1,) int32, where along the second axis the pieces begin and end that
      a receiver must read one after the other; None if it is one.
  """

  symbols: tf.Tensor
  evidence: tf.Tensor
  splits: Optional[tf.Tensor] = None


class Given(NamedTuple):
  """What is left of a codec to code when side information has been.

  Attributes:
    codec: `LatentCodec`.
    params: its params.
    coded: list of `Coded` that precede its own.
    bits: dict from latent to bits, (B,), of these.
    side: z_hat; None if nothing has been coded.
  """

  codec: "LatentCodec"
  params: object
  coded: list
  bits: dict
  side: Optional[tf.Tensor] = None

  def price(self, y, **more):
    """As `LatentCodec.__call__` of the whole."""
    y_hat, bits = self.codec(y, self.params, **more)
    return y_hat, {**self.bits, **bits}

  def symbols(self, y, **more):
    """As of `LatentCodec`, of the whole."""
    coded, y_hat = self.codec.symbols(y, self.params, **more)
    return [*self.coded, *coded], y_hat


class LatentCodec(tf.Module, abc.ABC):
  """Quantises, prices and codes a latent, in one string or in several.

  Codecs nest: `HyperpriorCodec` codes a side latent first, `SplitCodec` the channels
  in parts, `AutoregressiveCodec` predicts sites from those before; each takes codecs
  and is one. A `SymbolCodec` ends the nesting: it writes one string.

  A subclass writes `latents`, `leaves`, `__call__`, `symbols`, `decode` and
  `fix_tables`. What networks and range coder say to each other are the integers of
  `Coded`: `symbols` and `from_symbols` are core TensorFlow, `compress` and
  `decompress` add the range coder.

  Class facts:
    takes_turns: whether networks and the range coder take turns within one string.
    prices_symbols: whether `priced_symbols` takes no longer than `symbols`.

  Args:
    name: name of the latent ("y", "z"), also of its stream of noise; two
      codecs of one model must differ in it.
    reconstruction: what `__call__` returns in training as y_hat: "noise", y
      plus uniform noise, as in Balle et al. 2017; "round", the rounded latent
      with the gradient of the identity, after Minnen and Singh 2020
      (arXiv:2007.08739). The bits are always those of the noisy latent.
  """

  takes_turns = False
  prices_symbols = False

  def __init__(self, name: str, reconstruction: str = "noise"):
    super().__init__(name=name)
    if reconstruction not in RECONSTRUCTIONS:
      raise ValueError(
          f"`reconstruction` must be one of {RECONSTRUCTIONS}, "
          f"got {reconstruction!r}.")
    self.reconstruction = reconstruction

  @property
  def latents(self) -> tuple:
    """Names of the coded latents, in the order of their strings."""
    return tuple(leaf.name for leaf in self.leaves())

  def parts(self) -> dict:
    """Returns name to part, as weight files of a model around this codec call it."""
    return {f"{self.name}_codec": self}

  @abc.abstractmethod
  def leaves(self) -> list["LatentCodec"]:
    """Returns the `SymbolCodec` of each string, in their order."""

  @property
  def weighs(self) -> bool:
    """Whether all codecs of strings can weigh bits against the error of y."""
    return all(leaf.weighs for leaf in self.leaves())

  @abc.abstractmethod
  def __call__(self, y, params=None, noise=None, **more) -> tuple[tf.Tensor, dict]:
    """Quantises `y` and estimates its bits.

    Args:
      y: (B, H, W, C) float latent.
      params: what the entropy model is conditioned on, of the subclass.
      noise: `ops.noise.Noise` in training; None rounds, as the coder does; `STILL`
        takes y for rounded already, and bits have gradients.
      **more: `rounding`, of codecs that weigh (see `weighs`): what a squared error of
        1 in y is worth in bits, instead of the codec's own; a scalar tensor, or one
        that is shaped like y. `NEAREST` rounds to the nearest.

    Returns:
      y_hat, shaped like `y`, and a dict from latent to bits, (B,): for
      `noise=None` exactly -log2 p of the symbols that `compress` codes, at the
      tables it uses.
    """

  @abc.abstractmethod
  def symbols(self, y, params=None, **more) -> tuple[list[Coded], tf.Tensor]:
    """Returns a list of `Coded`, one a string, and y_hat as of `decode`.

    Args:
      y, params, **more: as of `__call__`.
    """

  def priced_symbols(self, y, params=None, **more) -> tuple[list[Coded], tf.Tensor, dict]:
    """Returns what `symbols` does, and the bits of `__call__`."""
    _, bits = self(y, params, **more)
    return *self.symbols(y, params, **more), bits

  @abc.abstractmethod
  def decode(self, reader, shape, params=None) -> tf.Tensor:
    """Returns y_hat, (B, *shape) float32, of what a reader reads.

    Args:
      reader: see `entropy_models.reading`.
      shape: H, W, C of the latent, ints or scalar tensors.
      params: what `symbols` was given, equal to the last bit in all that selects
        a table.

    Raises:
      DesyncError: if they were not.
    """

  def compress(self, y, params=None, **more) -> tuple[list, tf.Tensor]:
    """Codes `y`.

    Returns:
      list of strings, (B,) bytes each, and y_hat as `decompress` will return it.
    """
    coded, y_hat = self.symbols(y, params, **more)
    return self.write_all(coded), y_hat

  def write_all(self, coded) -> list:
    """Returns the strings, (B,) bytes each, of a list of `Coded`."""
    with probe.span("entropy coding"):
      return [leaf.write(*one) for leaf, one in zip(self.leaves(), coded)]

  def decompress(self, strings, shape, params=None) -> tf.Tensor:
    """Returns y_hat from the strings of `compress`; otherwise as of `decode`."""
    return self.decode(StringReader(strings), shape, params)

  def from_symbols(self, symbols, shape, params=None) -> tf.Tensor:
    """Returns y_hat of the symbols of each `Coded`; otherwise as of `decode`."""
    return self.decode(SymbolReader(symbols), shape, params)

  def prepare(self, y: np.ndarray) -> None:
    """Starts from what a latent looks like; by default as it is.

    Args:
      y: (B, H, W, C) float32 latents of patches, before any training.
    """

  def rescale(self, factor: float) -> None:
    """Readies a trained codec for latents that are `factor` times as large.

    By default it stays as it is, and training has to find its way.
    """

  @abc.abstractmethod
  def fix_tables(self) -> None:
    """Builds the integer tables of the range coder from the trained prior.

    Called whenever a model is saved. The tables are weights: they are stored
    and never computed again, since a machine that rounds differently would
    build others and lose the stream ("Integer networks for data compression
    with latent-variable models", Balle, Johnston, Minnen, ICLR 2019).
    """
