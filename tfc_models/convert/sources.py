"""Files of other toolkits: which one it is, and the network in it."""

import hashlib
import os
from typing import NamedTuple, Optional

import numpy as np

from tfc_models import torch_file
from tfc_models.configs.common import LMBDAS
from tfc_models.convert import compressai, metagraph, metagraph_run
from tfc_models.convert.weights import FileName, Weights
from tfc_models.errors import UsageError

# What a serialized MetaGraphDef begins with: one of its first two fields. Checkpoints
# of torch begin as archives or pickles.
_META_GRAPHS = (b"\x0a", b"\x12")
_MAX_BYTES = 2**30
_NO_MODEL = "no model of tensorflow/compression that can be converted"


class Source(NamedTuple):
  """A file of another toolkit.

  Attributes:
    weights, said, sha256: its network, what its name says, hex digits.
    licence: of published weights, or None for others.
    lmbdas: as `LMBDAS`, if it is known what qualities stand for, or None.
    seen: `metagraph_run.Seen` that a network of ours should agree with, or None.
  """

  weights: Weights
  said: FileName
  sha256: str
  licence: Optional[str]
  lmbdas: Optional[dict]
  seen: Optional[metagraph_run.Seen]


def read(path):
  """Returns the `Source` at a path, of a kind that its first bytes say.

  Raises:
    UsageError: if it cannot be read, or holds no network that we know.
  """
  try:
    with open(path, "rb") as file:
      is_graph = file.read(1) in _META_GRAPHS
  except OSError as error:
    raise UsageError(f"{path}: {error.strerror}") from None
  name = os.path.basename(path)
  return (_read_meta_graph if is_graph else _read_checkpoint)(path, name)


def _read_checkpoint(path, name):
  checkpoint, said = torch_file.read(path), compressai.parse_name(name)
  if said.digest and not checkpoint.sha256.startswith(said.digest):
    raise UsageError(
        f"{path}: its SHA-256 begins with {checkpoint.sha256[:8]}, where its name "
        f"says {said.digest}: copy or download it again")
  try:
    weights = compressai.weights_of(checkpoint.arrays)
  except UsageError as error:
    raise UsageError(f"{path}: {error}") from None
  return Source(weights, said, checkpoint.sha256,
                compressai.LICENCE if said.digest else None, LMBDAS, None)


def _read_meta_graph(path, name):
  with open(path, "rb") as file:
    data = file.read(_MAX_BYTES + 1)
  if len(data) > _MAX_BYTES:
    raise UsageError(f"{path}: more than {_MAX_BYTES} bytes")
  said = metagraph.parse_name(name)
  try:
    network = metagraph.network_of(data)
    metagraph.identify(network)
    seen = metagraph_run.look(network)
    weights = metagraph.weights_of(
        network, metagraph_run.medians_of(network),
        metagraph_run.are_scales_first(seen))
  except UsageError as error:
    raise UsageError(f"{path}: {_NO_MODEL} ({error})") from None
  # What Python says of nodes that lack inputs, and NumPy of arrays of other shapes.
  except (ArithmeticError, LookupError, ValueError, np.linalg.LinAlgError) as error:
    raise UsageError(
        f"{path}: {_NO_MODEL} (nodes or arrays that do not fit together: {error})"
    ) from None
  return Source(weights, said, hashlib.sha256(data).hexdigest(),
                metagraph.LICENCE if said.model else None, None, seen)
