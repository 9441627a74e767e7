"""Signatures to a SavedModel that TensorFlow Serving takes, with warm-up requests."""

import os

import tensorflow as tf

from tfc_models.errors import UsageError
from tfc_models.fileio import write_json

# Where TensorFlow Serving looks for files that are not the graph's.
EXTRA = "assets.extra"
WARM_UP = os.path.join(EXTRA, "tf_serving_warmup_requests")
FACTS = "codec.json"


def write(folder, name, signatures, facts, requests):
  """Writes a SavedModel.

  Args:
    folder: existing, to write into.
    name: of the model, for warm-up.
    signatures: from name to concrete function.
    facts: dict, written to `assets.extra/codec.json`.
    requests: list of pairs of the name of a signature and a dict of its inputs, which
      a server replays before it counts the model as available.

  Raises:
    UsageError: if the API of TensorFlow Serving is not installed.
  """
  records = [_record(name, *request) for request in requests]
  tf.saved_model.save(
      tf.Module(), folder, signatures,
      # Nobody trains it further.
      tf.saved_model.SaveOptions(experimental_custom_gradients=False))
  extra = os.path.join(folder, EXTRA)
  os.makedirs(extra)
  write_json(os.path.join(extra, FACTS), facts)
  with tf.io.TFRecordWriter(os.path.join(folder, WARM_UP)) as writer:
    for record in records:
      writer.write(record)


def _record(name, signature, inputs):
  """Returns the bytes of a `PredictionLog`."""
  try:
    from tensorflow_serving.apis import prediction_log_pb2
  except ImportError:
    raise UsageError(
        "an export with warm-up requests needs the API of TensorFlow Serving: "
        "pip install 'tfc_models[serve]'") from None
  log = prediction_log_pb2.PredictionLog()
  request = log.predict_log.request
  request.model_spec.name = name
  request.model_spec.signature_name = signature
  for key, value in inputs.items():
    request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
  return log.SerializeToString()
