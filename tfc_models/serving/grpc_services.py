"""PredictionService and ModelService of TensorFlow Serving, for gRPC."""

import concurrent.futures
import contextlib
import threading
import time

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfc_models.errors import UsageError
from tfc_models.serving import core, descriptions, model_config, status, tensors
from tfc_models.serving.saved_model import DEFAULT_SIGNATURE


class PredictRequest(core.Request):
  """A `PredictRequest`, answered by a `PredictResponse`.

  Args:
    proto: of the client.
    max_bytes: that a tensor may take.
  """

  def __init__(self, proto, max_bytes=tensors.MAX_BYTES):
    self._proto = proto
    self._max_bytes = max_bytes
    self.name, self.version, self.label = descriptions.address(proto.model_spec)
    self.output_filter = tuple(proto.output_filter)

  def signature_name(self):
    return self._proto.model_spec.signature_name

  def inputs(self, signature):
    return {name: tensors.to_array(name, proto, self._max_bytes)
            for name, proto in self._proto.inputs.items()}

  def answer(self, version, outputs):
    response = predict_pb2.PredictResponse()
    response.model_spec.name = self.name
    response.model_spec.version.value = version
    response.model_spec.signature_name = self.signature_name() or DEFAULT_SIGNATURE
    for name, array in outputs.items():
      response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
    return response


@contextlib.contextmanager
def _errors(context):
  """Tells the client of errors, in one line with their code."""
  try:
    yield
  # Whatever it is, the client is told, and others are served.
  except Exception as error:
    refusal = status.from_exception(error)
  else:
    return
  # Here, as `abort` itself raises.
  context.abort(getattr(grpc.StatusCode, refusal.code), str(refusal))


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
  """Predict and GetModelMetadata.

  Args:
    serving_core: `Core`.
    max_bytes: that a tensor of a request may take.
  """

  def __init__(self, serving_core, max_bytes):
    self._core = serving_core
    self._max_bytes = max_bytes

  def Predict(self, request, context):
    with _errors(context):
      left = _time_remaining(context)
      future = self._core.predict(
          PredictRequest(request, self._max_bytes), "GRPC",
          None if left is None else time.monotonic() + left)
      # When the client goes away, what has not begun need not.
      context.add_callback(future.cancel)
      try:
        return future.result(left)
      except concurrent.futures.TimeoutError:
        future.cancel()
        raise status.deadline_exceeded() from None
      except concurrent.futures.CancelledError:
        raise status.ServingError("CANCELLED", "the client went away") from None

  def GetModelMetadata(self, request, context):
    with _errors(context):
      return descriptions.metadata(self._core.manager, request)

  def Classify(self, request, context):
    _unimplemented(context, "Classify")

  def Regress(self, request, context):
    _unimplemented(context, "Regress")

  def MultiInference(self, request, context):
    _unimplemented(context, "MultiInference")


def _time_remaining(context):
  """Returns the seconds until the deadline, or None if there is none."""
  left = context.time_remaining()
  # Without one, some clients' calls have centuries.
  return None if left is None or left > threading.TIMEOUT_MAX else left


def _unimplemented(context, method):
  with _errors(context):
    raise status.ServingError("UNIMPLEMENTED", f"{method} is not offered; use Predict")


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
  """GetModelStatus and HandleReloadConfigRequest.

  Args:
    manager: `Manager`.
  """

  def __init__(self, manager):
    self._manager = manager

  def GetModelStatus(self, request, context):
    with _errors(context):
      return descriptions.model_status(self._manager, request)

  def HandleReloadConfigRequest(self, request, context):
    with _errors(context):
      try:
        configs = model_config.from_proto(request.config)
      except UsageError as error:
        raise status.invalid(str(error)) from None
      if missing := self._manager.apply(configs):
        raise status.ServingError(
            "FAILED_PRECONDITION",
            f"no version is available of: {', '.join(missing)}")
      return model_management_pb2.ReloadConfigResponse()
