"""Decodes streams in the environment of this process, and says what it saw.

    python -m tests.decode_elsewhere FOLDER [xla] [float64]

FOLDER holds NAME.npz and NAME.tfcm for some models. Prints a JSON dict from name to
digests of all index tensors and of all latents.
"""

import hashlib
import json
import pathlib
import sys

import tensorflow as tf

import tfc_models.models  # noqa: F401 - Registers them.
from tfc_models import bitstream
from tfc_models.entropy_models import AutoregressiveCodec, SymbolCodec, digest
from tfc_models.layers import exact
from tfc_models.modeling import weights


def sha(tensor):
  return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def observe(model, data):
  """Decodes a stream; returns digests of index tensors and latents, in order."""
  seen = []
  check = digest.check

  def noted(digests, indexes):
    seen.append(sha(indexes))
    check(digests, indexes)

  for codec in model.latent_codecs():
    if isinstance(codec, (SymbolCodec, AutoregressiveCodec)):
      def decode(*args, original=codec.decode):
        result = original(*args)
        seen.append(sha(result))
        return result

      object.__setattr__(codec, "decode", decode)
  digest.check = noted
  try:
    header, chunks, *_ = bitstream.read(data)
    model.decode(chunks, header)
  finally:
    digest.check = check
  return seen


def predicting_layers(model):
  """Returns the layers that run outside of a walk's graph and select its tables."""
  if hasattr(model, "hyper_synthesis_transform"):
    return [model.hyper_synthesis_transform]
  coder = model.binary_rnn
  return [coder.memory, *coder.state_convs, *sum(coder.code_convs, [])]


def main(folder, *options):
  if "float64" in options:
    exact.CARRIER = tf.float64
  found = {}
  for path in sorted(pathlib.Path(folder).glob("*.npz")):
    model, _ = weights.load(path)
    if "xla" in options:
      for layer in predicting_layers(model):
        layer.call = tf.function(layer.call, jit_compile=True)
    found[path.stem] = observe(model, path.with_suffix(".tfcm").read_bytes())
  print(json.dumps(found))


if __name__ == "__main__":
  main(*sys.argv[1:])
