"""Requests that a SavedModel brings, replayed before it serves.

The first call of a graph allocates and optimises; nobody shall wait for that.
"""

import os

import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import prediction_log_pb2

from tfc_models.export.saved_model import WARM_UP
from tfc_models.serving import signatures, tensors
from tfc_models.serving.status import ServingError

# As TensorFlow Serving; more of them are no warm-up.
MAX_RECORDS = 1000


def replay(model, path):
  """Runs the warm-up requests below `path`, if there are any.

  Args:
    model: `SavedModel`.
    path: its folder.

  Raises:
    ServingError: if the file is damaged, or a request fails.
  """
  file = os.path.join(path, WARM_UP)
  if not os.path.exists(file):
    return
  count = 0
  try:
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
      count += 1
      if count > MAX_RECORDS:
        raise ValueError(f"more than {MAX_RECORDS} records")
      log = prediction_log_pb2.PredictionLog.FromString(record)
      if not log.HasField("predict_log"):
        logging.warning("%s: record %d is no predict_log, passed over", file, count)
        continue
      _run(model, log.predict_log.request)
  except Exception as error:
    reason = getattr(error, "message", None) or str(error)
    raise ServingError(
        "FAILED_PRECONDITION", f"warm-up record {count}: {reason}") from error


def _run(model, request):
  signature = model.signature(request.model_spec.signature_name)
  inputs = {
      name: tensors.to_array(name, proto) for name, proto in request.inputs.items()}
  signatures.check_inputs(signature, inputs)
  model.run(signature, inputs,
            signatures.fetches(signature, request.output_filter))
