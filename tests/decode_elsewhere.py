"""Decodes streams in the environment of this process, and says what it saw.

    python -m tests.decode_elsewhere FOLDER [xla] [float64]

FOLDER holds NAME.npz and NAME.tfcm for some models. Prints a JSON dict from name to
digests of all that selected tables and of all latents.
"""

import hashlib
import json
import pathlib
import sys

import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import bitstream
from tfc_models.entropy_models import (
    AutoregressiveCodec,
    SpaceChannelCodec,
    StringReader,
    SymbolCodec,
    TwoPassCodec,
)
from tfc_models.errors import DesyncError
from tfc_models.layers import ExactConv2D, ExactConv2DTranspose, exact
from tfc_models.modeling import weights


def sha(tensor):
  return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def observe(model, data):
  """Decodes a stream; returns digests of evidence and latents, in order.

  The evidence is that of codecs whose strings hold its digest, since that of others
  depends on the shape alone. The last one is "desync" where the decoder gave up.
  """
  seen = []
  check = StringReader.check

  def noted(self, leaf, evidence):
    if leaf.digested:
      seen.append(sha(evidence))
    check(self, leaf, evidence)

  for codec in model.latent_codecs():
    if isinstance(codec, (
        SymbolCodec, AutoregressiveCodec, SpaceChannelCodec, TwoPassCodec)):
      def decode(*args, original=codec.decode):
        result = original(*args)
        seen.append(sha(result))
        return result

      object.__setattr__(codec, "decode", decode)
  StringReader.check = noted
  try:
    header, chunks, *_ = bitstream.read(data)
    model.decode(chunks, header)
  except DesyncError:
    seen.append("desync")
  finally:
    StringReader.check = check
  return seen


def exact_layers(model):
  """Returns the layers that select tables; of integers, where they are `exact`."""
  return [layer for layer in model.submodules
          if isinstance(layer, (ExactConv2D, ExactConv2DTranspose))]


def main(folder, *options):
  if "float64" in options:
    exact.CARRIER = tf.float64
  found = {}
  for path in sorted(pathlib.Path(folder).glob("*.npz")):
    model, _ = weights.load(path)
    if "xla" in options:
      # Those within the graph of a walk run as it does.
      for layer in exact_layers(model):
        layer.call = tf.function(layer.call, jit_compile=True)
    found[path.stem] = observe(model, path.with_suffix(".tfcm").read_bytes())
  print(json.dumps(found))


if __name__ == "__main__":
  main(*sys.argv[1:])
