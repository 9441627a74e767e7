"""TensorFlow Serving's gRPC API as its clients speak it, without TensorFlow."""

from tfc_models.errors import UsageError
from tfc_models.fileio import read_bytes
from tfc_models.serving.retrying import left
from tfc_models.serving.status import ServingError, one_line

# Of an answer; what a picture of the largest allowed size takes.
MAX_BYTES = 2**29
_METHOD = "/tensorflow.serving.PredictionService/Predict"


class GrpcChannel:
  """Asks over gRPC; any number of threads may use it at a time.

  Args:
    address, ca: as of `connect`.
  """

  def __init__(self, address, ca=None):
    try:
      import grpc

      from tfc_models.serving import predict_messages
    except ImportError as error:
      raise UsageError(
          f"{error.name} is missing: pip install 'tfc_models[serve]'") from None
    self._grpc, self._messages = grpc, predict_messages
    self._address = address
    options = [("grpc.max_receive_message_length", MAX_BYTES),
               ("grpc.max_send_message_length", -1),
               # A server that starts is there sooner than after the usual second.
               ("grpc.initial_reconnect_backoff_ms", 100)]
    if address.is_secure:
      credentials = grpc.ssl_channel_credentials(ca and read_bytes(ca))
      self._channel = grpc.secure_channel(address.netloc, credentials, options)
    else:
      self._channel = grpc.insecure_channel(address.netloc, options)
    self._predict = self._channel.unary_unary(_METHOD)

  def predict(self, signature, inputs, sole, deadline, version=None):
    """Returns outputs, and the version that gave them, once.

    Args:
      signature: its name.
      inputs: dict from name to a list of bytes or an int32 array.
      sole: name of the output if there is but one.
      deadline: of `time.monotonic()`.
      version: number of the version to ask; None: that of the address.

    Returns:
      dict from name to a list of bytes or an int32 array; number, 0 if unknown.

    Raises:
      ServingError: if the server, or the way to it, says so.
    """
    del sole
    place = self._address
    request = self._messages.write_request(
        place.model, place.version if version is None else version,
        place.label if version is None else None, signature, inputs)
    try:
      answer = self._predict(request, timeout=left(deadline))
    except self._grpc.RpcError as error:
      raise ServingError(error.code().name, one_line(error.details())) from None
    return self._messages.read_response(answer)

  def close(self):
    """Ends all connections."""
    self._channel.close()
