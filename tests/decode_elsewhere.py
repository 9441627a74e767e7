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

from tfc_models import bitstream
from tfc_models.entropy_models import digest
from tfc_models.layers import exact
from tfc_models.models import weights


def sha(tensor):
  return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def watch(model, seen):
  """Lets the model note its index tensors and latents in a list."""
  for codec in model.latent_codecs():
    def decompress(*args, original=codec.decompress):
      result = original(*args)
      seen.append(sha(result))
      return result

    object.__setattr__(codec, "decompress", decompress)


def main(folder, *options):
  if "float64" in options:
    exact.CARRIER = tf.float64
  check = digest.check
  found = {}
  for path in sorted(pathlib.Path(folder).glob("*.npz")):
    model, _ = weights.load(path)
    seen = found[path.stem] = []
    watch(model, seen)

    def noted(digests, indexes, seen=seen):
      seen.append(sha(indexes))
      check(digests, indexes)

    digest.check = noted
    if "xla" in options:
      network = model.hyper_synthesis_transform
      network.call = tf.function(network.call, jit_compile=True)
    header, chunks = bitstream.read(path.with_suffix(".tfcm").read_bytes())
    model.decode(chunks, header)
  print(json.dumps(found))


if __name__ == "__main__":
  main(*sys.argv[1:])
