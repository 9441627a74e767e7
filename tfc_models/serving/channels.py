"""Ways to a server of TensorFlow Serving's API, without TensorFlow."""

from tfc_models.errors import UsageError
from tfc_models.serving.grpc_channel import GrpcChannel
from tfc_models.serving.rest_channel import RestChannel


def connect(address, ca=None):
  """Returns the channel to an `Address`.

  Args:
    address: `address.Address`.
    ca: path of the certificates in PEM that a server's must come from; None: those
      of the system.

  Raises:
    UsageError: if `ca` does not hold any, or gRPC is not installed.
  """
  if ca is not None and not address.is_secure:
    raise UsageError(f"{address}: certificates go with grpcs and https")
  channel = GrpcChannel if address.scheme.startswith("grpc") else RestChannel
  return channel(address, ca)
