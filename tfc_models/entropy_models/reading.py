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
  def ended(leaf, source, count):
    """Returns a source for graphs that `open` without a count.

    Args:
      leaf, source, count: as of `open`.
    """
    return leaf.tables.ended(source, count)

  @staticmethod
  def open(leaf, source, count=None):
    """Returns where reading starts, and what reads on.

    Args:
      leaf: `SymbolCodec` of the latent.
      source: as of `take`.
      count: how many symbols an image has in all; None of a source of `ended`.

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
  def ended(leaf, source, count):
    """As of `StringReader`: the source as it is."""
    del leaf, count
    return source

  @staticmethod
  def open(leaf, source, count=None):
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


class EvidenceReader(SymbolReader):
  """Reads the symbols of the first latents, to learn the evidence of the next.

  Not of codecs that walk over sites: theirs is known only as it is read.
  """

  def __init__(self, symbols):
    super().__init__(symbols)
    self._left = len(symbols)
    self._last = symbols[-1]

  def evidence_after(self, decode):
    """Returns the evidence of the first latent that has no symbols.

    Args:
      decode: function of no arguments that decodes by this reader; it does not end.
    """
    try:
      decode()
    except _Reached as reached:
      return reached.evidence
    raise ValueError("`symbols` must leave out a latent.")

  def take(self, leaf):
    self._left -= 1
    # Of the one that has none, the others still say how many images there are.
    return self._last if self._left < 0 else super().take(leaf)

  def open(self, leaf, source, count=None):
    if self._left >= 0:
      return super().open(leaf, source, count)

    def reach(state, evidence):
      raise _Reached(evidence)

    return tf.constant(0), reach


class _Reached(Exception):
  """The evidence is known that decoding was for."""

  def __init__(self, evidence):
    super().__init__()
    self.evidence = evidence
