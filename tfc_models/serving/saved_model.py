"""A SavedModel in a session of its own, as TensorFlow Serving runs it.

A session, and not `tf.saved_model.load`: its runs take a deadline, the signatures
stay those of the file, models of TensorFlow 1 work too, and closing it frees the
weights at once.
"""

import os
import time

import tensorflow as tf

from tfc_models.serving import warmup
from tfc_models.serving.status import ServingError, deadline_exceeded

DEFAULT_SIGNATURE = "serving_default"
# What TensorFlow says of an op that it does not know.
_UNKNOWN_OP = ("Op type not registered", "No op named")


class SavedModel:
  """One version of a model, loaded and warm.

  Args:
    path: folder of the SavedModel.
    tags: of the graph in it.
    intra_op_threads, inter_op_threads: of TensorFlow; 0: it decides. The first
      session of a process decides for all.
    use_warmup: whether the requests that the SavedModel brings are replayed.

  Attributes:
    signatures: dict from name to `SignatureDef`.
  """

  def __init__(self, path, *, tags=("serve",), intra_op_threads=0,
               inter_op_threads=0, use_warmup=True):
    self._session, meta_graph = _load(path, list(tags), tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=intra_op_threads,
        inter_op_parallelism_threads=inter_op_threads))
    self.signatures = dict(meta_graph.signature_def)
    try:
      if use_warmup:
        warmup.replay(self, path)
    except BaseException:
      self.close()
      raise

  def signature(self, name):
    """Returns the `SignatureDef` of a name, "" for the default one.

    Raises:
      ServingError: if there is none.
    """
    name = name or DEFAULT_SIGNATURE
    if name not in self.signatures:
      raise ServingError(
          "FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
    return self.signatures[name]

  def run(self, signature, inputs, fetches, deadline=None):
    """Returns a dict of arrays.

    Args:
      signature: `SignatureDef`, one of `signatures`.
      inputs: dict from name to array, as `signatures.check_inputs` wants them.
      fetches: dict from name to tensor, as of `signatures.fetches`.
      deadline: of `time.monotonic()`, when the run is given up, or None.
    """
    options = None
    if deadline is not None:
      left = deadline - time.monotonic()
      if left <= 0:
        raise deadline_exceeded()
      # An int32 of milliseconds; 0 would be for ever.
      options = tf.compat.v1.RunOptions(
          timeout_in_ms=min(max(int(left * 1000), 1), 2**31 - 1))
    feeds = {signature.inputs[name].name: array for name, array in inputs.items()}
    try:
      return self._session.run(fetches, feeds, options=options)
    except tf.errors.DeadlineExceededError:
      raise deadline_exceeded() from None

  def close(self):
    """Frees the weights; no run may be under way."""
    self._session.close()


def _load(path, tags, config):
  try:
    return _session(path, tags, config)
  except (ValueError, tf.errors.NotFoundError) as error:
    if not any(text in str(error) for text in _UNKNOWN_OP):
      raise
  # Registers the ops of TensorFlow Compression; a second that others need not pay.
  import tfc_models.entropy_models  # noqa: F401
  return _session(path, tags, config)


def _session(path, tags, config):
  with tf.Graph().as_default() as graph:
    session = tf.compat.v1.Session(graph=graph, config=config)
    try:
      return session, tf.compat.v1.saved_model.load(session, tags, os.fspath(path))
    except BaseException:
      session.close()
      raise
