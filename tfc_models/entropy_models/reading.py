"""Where decoders take symbols from: strings of the range coder, or tensors.

One latent after the other: `take` gives what the next one is in, `open` reads it piece
by piece, for codecs that must know some symbols before they know the tables of the
next, and `check` ends it.
"""

import tensorflow as tf

from tfc_models.entropy_models import digest


class StringReader:
  """Reads the strings of `LatentCodec.compress`.

  Args:
    strings: list of (B,) bytes, in the order of the latents.
  """

  def __init__(self, strings):
    self._strings = iter(strings)
    self._digests = None

  def take(self, leaf):
    """Returns the string of the next latent, (B,), without its digest."""
    string = next(self._strings)
    if leaf.digested:
      string, self._digests = digest.split(string)
    return string

  @staticmethod
  def open(leaf, source, count):
    """Returns where reading starts, and what reads on.

    Args:
      leaf: `SymbolCodec` of the latent.
      source: as of `take`.
      count: how many symbols an image has in all.

    Returns:
      state, a tensor; function of (state, evidence) to (state, symbols).
    """
    return leaf.create_decoder(source, count), leaf.decode_more

  def check(self, leaf, evidence):
    """Raises DesyncError unless the sender had the same evidence."""
    if leaf.digested:
      digest.check(self._digests, evidence)


class SymbolReader:
  """Reads symbols that are known already.

  Args:
    symbols: list of int32 tensors, of `Coded` each.

  Attributes:
    evidence: list of what was found to select the tables of each latent.
  """

  def __init__(self, symbols):
    self._symbols = iter(symbols)
    self.evidence = []

  def take(self, leaf):
    """Returns the symbols of the next latent."""
    del leaf
    return next(self._symbols)

  @staticmethod
  def open(leaf, source, count):
    """As of `StringReader`: the state is how many rows have been read."""
    del leaf, count

    def more(row, evidence):
      end = row + tf.shape(evidence)[1]
      return end, source[:, row:end]

    return tf.constant(0), more

  def check(self, leaf, evidence):
    """Keeps the evidence."""
    del leaf
    self.evidence.append(evidence)
